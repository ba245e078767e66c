"""Public holidays of countries and their regions, as the library `holidays` knows them."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache


def holiday_name(country: str | None, region: str | None, day: date) -> str | None:
    """What is celebrated in the country or in the region (ISO 3166-2) on a local date; None on an ordinary day.

    A country that the library does not know has no holidays, and a region that it does not know has the country's.
    """
    if country is None:
        return None
    return _year(country, region, day.year).get(day)


@lru_cache(maxsize=2_048)
def _year(country: str, region: str | None, year: int) -> Mapping[date, str]:
    # Importing it takes a fifth of a second, and only closed holidays need it.
    import holidays  # noqa: PLC0415

    supported = holidays.list_supported_countries(include_aliases=False)
    if country not in supported:
        return {}
    subdivision = region.partition("-")[2] if region is not None and region.startswith(f"{country}-") else None
    known = subdivision if subdivision in supported[country] else None
    return dict(holidays.country_holidays(country, subdiv=known, years=year, language="en_US"))
