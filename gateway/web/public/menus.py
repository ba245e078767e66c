"""Menus of days and time zones in the reader's language."""

from functools import lru_cache
from typing import Final

import pytz
from babel import Locale
from babel.core import get_global
from babel.dates import get_day_names

_NOWHERE: Final = "UTC"


@lru_cache(maxsize=64)
def weekdays(locale: Locale) -> tuple[tuple[int, str], ...]:
    """The days by number (0 is Monday) with their names, in the order of a week as it is counted there."""
    names = get_day_names("abbreviated", "stand-alone", locale)
    first = _at_home(locale).first_week_day
    return tuple((day, str(names[day])) for day in ((first + step) % 7 for step in range(7)))


@lru_cache(maxsize=64)
def timezones(locale: Locale) -> tuple[tuple[str, str], ...]:
    """Every zone that people live in, as country and city, in the order of the countries' names."""
    aliases = get_global("zone_aliases")
    told = []
    for country, zones in pytz.country_timezones.items():
        land = locale.territories.get(country, country)
        for zone in zones:
            city = _city(zone, aliases.get(zone, zone), locale)
            told.append((zone, land if len(zones) == 1 else f"{land} · {city}"))
    return (*sorted(told, key=lambda one: one[1].casefold()), (_NOWHERE, _NOWHERE))


def _city(zone: str, name: str, locale: Locale) -> str:
    """CLDR names the cities that its languages write otherwise, some under the zone's older name."""
    known = locale.time_zones.get(name) or locale.time_zones.get(zone) or {}
    return str(known.get("city") or zone.rpartition("/")[2].replace("_", " "))


def _at_home(locale: Locale) -> Locale:
    """The locale in the country where its language is spoken most, if it names none (CLDR, likely subtags)."""
    if locale.territory:
        return locale
    likely = get_global("likely_subtags").get(str(locale))
    return Locale.parse(likely) if likely else locale
