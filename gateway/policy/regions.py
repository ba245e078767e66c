"""Subdivisions of countries: which clocks they go by, and which area codes lie in them.

The data are in `regions.toml`; nothing is read before somebody asks.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytz

from gateway.domain.values import Value

_TABLE: Final = Path(__file__).with_name("regions.toml")
_REST: Final = "rest"


class _Regions(Value, frozen=True, kw_only=True):
    zones: Mapping[str, tuple[str, ...]]
    """By the whole code, such as `US-TX`."""
    rest: Mapping[str, str]
    """By country: the zone of every subdivision that `zones` does not name."""
    area_codes: Mapping[str, str]
    """By three digits after +1: the subdivision."""


@cache
def _regions() -> _Regions:
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    zones: dict[str, tuple[str, ...]] = {}
    rest: dict[str, str] = {}
    for country, by_zone in table["zones"].items():
        for zone, codes in by_zone.items():
            if zone == _REST:
                rest[country] = codes
                continue
            for code in codes:
                region = f"{country}-{code}"
                zones[region] = (*zones.get(region, ()), zone)
    area_codes = {str(code): region for region, codes in table["area_codes"].items() for code in codes}
    return _Regions(zones=zones, rest=rest, area_codes=area_codes)


def zones_of_region(region: str) -> tuple[str, ...]:
    """The zones of an ISO 3166-2 subdivision; empty where it is not known which of the country's it keeps."""
    regions, country = _regions(), country_of_region(region)
    if known := regions.zones.get(region):
        return known
    if (rest := regions.rest.get(country)) is not None:
        return (rest,)
    of_country = pytz.country_timezones.get(country, ())
    return tuple(of_country) if len(of_country) == 1 else ()


def country_of_region(region: str) -> str:
    """The country's letters in an ISO 3166-2 code."""
    return region.partition("-")[0]


def region_of_number(phone: str) -> str | None:
    """The state or province that a North American number's area code lies in; None of any other number."""
    return _regions().area_codes.get(phone[2:5]) if phone.startswith("+1") else None
