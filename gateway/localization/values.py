"""The plain JSON values that templates format, read strictly: a wrong one is a ValueError that says what is wrong."""

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

import pytz
from babel.numbers import get_currency_precision, list_currencies


class BadValue(ValueError):
    """A value that cannot be formatted as what it is said to be."""


class UnknownCurrency(BadValue):
    """No ISO 4217 code that CLDR knows."""


class UnknownTimeZone(BadValue):
    """No zone of the IANA database."""


ARITHMETIC = Context(prec=64, rounding=ROUND_HALF_UP)
"""Rounds halves away from zero, as people do sums; Babel rounds them to even, so that 0.125 USD became $0.12."""

_DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,20})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LARGEST = Decimal(10) ** 30


def read_number(value: object) -> Decimal:
    """An integer, a finite number or a decimal string, of at most 30 digits before the point."""
    match value:
        case bool():
            number = None
        case int() | Decimal():
            number = Decimal(value)
        case float():
            number = Decimal(repr(value))  # the digits that were written, not the binary ones
        case str() if _DECIMAL.fullmatch(value):
            number = Decimal(value)
        case _:
            number = None
    if number is None or not number.is_finite() or abs(number) >= _LARGEST:
        raise BadValue(f"not a number: {_shown(value)}")
    return number


def _shown(value: object) -> str:
    # Of a long list or a whole number (Python refuses to write out thousands of digits) the kind says enough.
    return repr(value[:40]) if isinstance(value, str) else type(value).__name__


def read_money(value: object) -> tuple[Decimal, str]:
    """`{"amount": "129.90", "currency": "CAD"}`: the amount is a decimal string or an integer, never a float."""
    if not isinstance(value, dict):
        raise BadValue("money is {amount, currency}")
    amount, currency = value.get("amount"), value.get("currency")
    if isinstance(amount, float):
        raise BadValue("an amount of money is a decimal string, not a float")
    if not isinstance(currency, str) or not is_currency(currency):
        raise UnknownCurrency(f"unknown currency: {str(currency)[:10]!r}")
    return read_number(amount), currency


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def is_currency(code: str) -> bool:
    """True for a currency code of ISO 4217, in capitals, that CLDR knows."""
    return code in _currencies()


@lru_cache(maxsize=512)
def currency_digits(code: str) -> int:
    """How many decimals amounts of the currency have: JPY none, KWD three."""
    return get_currency_precision(code)


def read_date(value: object) -> date:
    """`2026-12-01`."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise BadValue(f"not a date (YYYY-MM-DD): {str(value)[:40]!r}")


def read_instant(value: object) -> datetime:
    """An RFC 3339 date-time with its offset, as an aware UTC datetime."""
    if isinstance(value, str) and 19 <= len(value) <= 40:
        try:
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is not None:
                return instant.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise BadValue(f"not an instant (RFC 3339, with offset): {str(value)[:40]!r}")


def is_date(value: object) -> bool:
    """True for a value that has the shape of a date without a time."""
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def is_time_zone(name: str) -> bool:
    """True for a zone of the IANA database, spelled as there."""
    return name in pytz.all_timezones_set


@lru_cache(maxsize=600)
def read_time_zone(name: str) -> pytz.BaseTzInfo:
    """The zone of that name; UnknownTimeZone if the IANA database has none."""
    if not is_time_zone(name):
        raise UnknownTimeZone(f"unknown time zone: {name[:40]!r}")
    return pytz.timezone(name)
