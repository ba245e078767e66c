"""Where texts may go, what sending may cost, how fast it may grow, and when complaints stop marketing."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from gateway.domain.durations import parse_duration
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rules import Calendar, Over
from gateway.domain.spending import MILLIONTHS, CountedBy
from gateway.settings.values import Duration, Section, listed

_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=366)
_COUNTRY: Final = re.compile("[A-Z]{2}")
EVERYWHERE: Final = "everywhere"


def _to_millionths(value: object) -> object:
    """A decimal text such as `"0.065"`, or a whole number; never a float, which is not what was written."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('write the amount as a text, such as "0.065"')
    try:
        amount = Decimal(value) * MILLIONTHS
    except InvalidOperation as error:
        raise ValueError(f'{value!r} is no amount; write it as "0.065"') from error
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise ValueError(f"{value!r} has more than six decimals")
    return int(amount)


def _to_period(value: object) -> object:
    if isinstance(value, str) and value in list(Calendar):
        return Calendar(value)
    window = parse_duration(value) if isinstance(value, str) else value
    if isinstance(window, Calendar) or (isinstance(window, timedelta) and _SHORTEST <= window <= _LONGEST):
        return window
    raise ValueError('it must be "day", "week" or "month", or a duration from 1m to 366d')


def _to_countries(value: object) -> object:
    """A variable holds a text: countries with commas between."""
    if value == EVERYWHERE:
        return value
    # A variable that is empty must not close every country.
    codes = listed(value) if value != "" else None
    if isinstance(codes, list | tuple) and all(isinstance(code, str) and _COUNTRY.fullmatch(code) for code in codes):
        return codes
    raise ValueError(f'it must be "{EVERYWHERE}" or country codes, such as ["FR", "DE"]')


Amount = Annotated[int, BeforeValidator(_to_millionths), Field(ge=0, le=10**15)]
"""Millionths of the currency."""
PriceKey = Annotated[str, Field(pattern="^([A-Z]{2}|other)$")]
Period = Annotated[Calendar | timedelta, BeforeValidator(_to_period)]
Countries = Annotated[Literal["everywhere"] | tuple[str, ...], BeforeValidator(_to_countries)]


class SpendingLimitSettings(Section):
    """How many messages, or what cost, are enough in a period."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^|]+$")]
    services: tuple[str, ...] = ()
    """By name; left out: every one."""
    channels: tuple[Channel, ...] = ()
    categories: tuple[Category, ...] = ()
    by: CountedBy = CountedBy.SERVICE
    messages: Annotated[int, Field(ge=0)] | None = None
    cost: Amount | None = None
    per: Period
    over: Over = Over.DEFER

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.messages is None and self.cost is None:
            raise ValueError("give `messages`, `cost` or both")
        return self


class ServiceSpendingSettings(Section):
    """What holds for one service in place of what holds for all."""

    countries: Countries


class ComplaintSettings(Section):
    """When marketing e-mail stops since too many of its readers complain."""

    stop_at: Annotated[float, Field(gt=0, le=1)] | None = None
    """Complaints for each e-mail; left out, they stop nothing."""
    at_least: Annotated[int, Field(ge=1)] = 1_000
    per: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=90))] = timedelta(days=7)


class SpendingSettings(Section):
    """What sending may cost."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    """ISO 4217, of all prices and limits."""
    countries: Countries = "everywhere"
    """Where texts may go, by the number."""
    services: Mapping[str, ServiceSpendingSettings] = Field(default_factory=dict)
    prices: Mapping[str, Mapping[PriceKey, Amount]] = Field(default_factory=dict)
    limits: tuple[SpendingLimitSettings, ...] = ()
    complaints: ComplaintSettings = ComplaintSettings()

    @model_validator(mode="after")
    def _names_are_told_apart(self) -> Self:
        names = [limit.name for limit in self.limits]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"there is another limit named {min(repeated)!r}; a name says which limit spoke")
        return self
