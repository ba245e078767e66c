"""Where a person is, by evidence: the zones whose clocks they may live by, and the country and region of rules.

A number is a presumption only ("it does not track the user's current location", README of libphonenumber), so
all zones that the best evidence leaves stay candidates, and a message waits until every one of them is open.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Final

import phonenumbers
import pytz

from gateway.domain.recipients import Recipient
from gateway.domain.values import Value
from gateway.policy.regions import country_of_region, region_of_number, zones_of_region

UNKNOWN_ZONE: Final = "Etc/Unknown"
"""What phonenumbers answers where a number tells nothing."""


class Whereabouts(Value, frozen=True, kw_only=True, cache_hash=True):
    """What is presumed of the place of a person."""

    zones: tuple[str, ...]
    """IANA zones, at least one, none the alias of another."""
    evidence: str
    """What they follow from: `recipient`, `region`, `phone`, `country` or `default`."""
    country: str | None
    """Of the address, else of the number."""
    region: str | None
    """Of the address, else of the number's area code."""


def locate(recipient: Recipient, default_timezone: str) -> Whereabouts:
    """The candidates by the best evidence that there is: own zone, region, number, country, the configured default."""
    return _locate(recipient.timezone, recipient.country, recipient.region, recipient.phone, default_timezone)


@lru_cache(maxsize=16_384)
def _locate(
    timezone: str | None, country: str | None, region: str | None, phone: str | None, default: str
) -> Whereabouts:
    given = country or (country_of_region(region) if region else None)
    number = _number(phone) if phone else _NO_NUMBER
    zones, evidence = _candidates(timezone, given, region, number, default)
    return Whereabouts(
        zones=zones,
        evidence=evidence,
        country=given or number.country,
        region=region or (number.region if given in (None, number.country) else None),
    )


class _Number(Value, frozen=True, kw_only=True):
    zones: tuple[str, ...] = ()
    country: str | None = None
    region: str | None = None


_NO_NUMBER: Final = _Number()


def _candidates(
    timezone: str | None, country: str | None, region: str | None, number: _Number, default: str
) -> tuple[tuple[str, ...], str]:
    if timezone is not None:
        return (current_name(timezone),), "recipient"
    if region is not None and (of_region := zones_of_region(region)):
        return distinct(of_region), "region"
    of_country = distinct(pytz.country_timezones.get(country, ())) if country else ()
    if number.zones:
        return common(of_country, number.zones) or distinct(number.zones), "phone"
    # Without a number's zones its country still tells something, such as of a network of its own.
    of_country = of_country or distinct(pytz.country_timezones.get(number.country or "", ()))
    if of_country:
        return of_country, "country"
    return (current_name(default),), "default"


def _number(phone: str) -> _Number:
    # Loading its table takes a while and some memory; who has no rules never needs it.
    from phonenumbers.timezone import time_zones_for_number  # noqa: PLC0415

    try:
        parsed = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return _NO_NUMBER
    country = phonenumbers.region_code_for_number(parsed)
    zones = [zone for zone in time_zones_for_number(parsed) if zone != UNKNOWN_ZONE]
    return _Number(
        zones=distinct(zones),
        # "001" names numbers of no country, such as satellite telephones.
        country=str(country) if country and country.isalpha() else None,
        region=region_of_number(phone),
    )


def common(ours: Sequence[str], theirs: Iterable[str]) -> tuple[str, ...]:
    """Those of ours that are theirs as well, by whatever alias."""
    keys = {_target(zone) for zone in theirs}
    return tuple([zone for zone in ours if _target(zone) in keys])


def distinct(zones: Iterable[str]) -> tuple[str, ...]:
    """The zones by their names of today, each once however many aliases name it."""
    found: dict[str, str] = {}
    for zone in zones:
        target = _target(zone)
        if zone == target or target not in found:
            found[target] = current_name(zone)
    return tuple(found.values())


def current_name(zone: str) -> str:
    """The name of today for an alias, such as Asia/Kolkata for Asia/Calcutta; a country's own name is kept."""
    if zone in _names_of_today():
        return zone
    target = _target(zone)
    return target if target in _names_of_today() else zone


def _target(zone: str) -> str:
    return _links().get(zone, zone)


@cache
def _names_of_today() -> frozenset[str]:
    """The zones that the tz database lists for some country (zone.tab)."""
    return frozenset(zone for country in pytz.country_timezones for zone in pytz.country_timezones[country])


@cache
def _links() -> Mapping[str, str]:
    """Each alias and the zone that it is, as the tz database that pytz carries links them (`tzdata.zi`)."""
    rules = resources.files(pytz).joinpath("zoneinfo", "tzdata.zi").read_text(encoding="utf-8")
    links = [line.split() for line in rules.splitlines() if line.startswith("L ")]
    direct = {alias: zone for _, zone, alias in links}
    return {alias: direct.get(zone, zone) for alias, zone in direct.items()}
