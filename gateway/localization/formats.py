"""The formats that templates use, in the language of one message and the zone of its reader.

Values are the plain JSON of the contract. A wrong one raises BadValue (a ValueError) or its kin UnknownCurrency and
UnknownTimeZone. What was formatted is remembered, within bounds, by locale and value.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import phonenumbers
import pytz
from babel import Locale

from gateway.localization.date_formats import DateFormats, Kind
from gateway.localization.list_formats import ListFormats, ListStyle
from gateway.localization.number_formats import NumberFormats
from gateway.localization.values import (
    BadValue,
    UnknownCurrency,
    UnknownTimeZone,
    is_date,
    read_date,
    read_instant,
    read_money,
    read_number,
    read_time_zone,
)

__all__ = ["BadValue", "Formats", "UnknownCurrency", "UnknownTimeZone"]

_REMEMBERED = 2048
_MOST_DECIMALS = 10

# What CLDR puts into numbers and times and the GSM 03.38 alphabet lacks: one of them makes a text three times as dear.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f", " "),
        "\u2212": "-",
        "\u2010": "-",
        "\u2011": "-",
        "\u2019": "'",
    }
)


class _LocaleFormats:
    """What one locale needs, prepared once and shared by all messages in it."""

    def __init__(self, locale: Locale, *, plain_spaces: bool) -> None:
        self._plain_spaces = plain_spaces
        self.locale = locale
        numbers, lists = NumberFormats(locale), ListFormats(locale)
        dates = DateFormats(locale, numbers, lists)
        self.lists = lists

        def finish(text: str) -> str:
            return text.translate(_PLAIN) if plain_spaces else text

        @lru_cache(maxsize=_REMEMBERED)
        def number(value: Decimal, decimals: int | None) -> str:
            return finish(numbers.number(value, decimals))

        @lru_cache(maxsize=_REMEMBERED)
        def percent(value: Decimal, decimals: int) -> str:
            return finish(numbers.percent(value, decimals))

        @lru_cache(maxsize=_REMEMBERED)
        def money(amount: Decimal, currency: str) -> str:
            return finish(numbers.money(amount, currency))

        @lru_cache(maxsize=_REMEMBERED)
        def unit(value: Decimal, name: str) -> str:
            return finish(numbers.unit(value, name))

        @lru_cache(maxsize=_REMEMBERED)
        def day(value: str, form: str) -> str:
            return finish(dates.date(read_date(value), form))

        @lru_cache(maxsize=_REMEMBERED)
        def at(kind: Kind, instant: datetime, zone: pytz.BaseTzInfo, form: str) -> str:
            return finish(dates.at(kind, instant, zone, form))

        @lru_cache(maxsize=_REMEMBERED)
        def relative(seconds: int) -> str:
            return finish(dates.relative(seconds))

        @lru_cache(maxsize=_REMEMBERED)
        def relative_days(days: int) -> str:
            return finish(dates.relative_days(days))

        @lru_cache(maxsize=_REMEMBERED)
        def duration(seconds: int) -> str:
            return finish(dates.duration(seconds))

        @lru_cache(maxsize=_REMEMBERED)
        def phone(value: str) -> str:
            return _format_phone(value)

        self.number, self.percent, self.money, self.unit, self.phone = number, percent, money, unit, phone
        self.day, self.at, self.relative, self.relative_days, self.duration = day, at, relative, relative_days, duration

    def join(self, items: Sequence[str], style: ListStyle) -> str:
        text = self.lists.join(items, style)
        return text.translate(_PLAIN) if self._plain_spaces else text


@lru_cache(maxsize=256)
def _formats_of(locale: Locale, plain_spaces: bool) -> _LocaleFormats:
    return _LocaleFormats(locale, plain_spaces=plain_spaces)


class Written(dict[tuple[object, ...], str]):
    """What was formatted in one locale and zone, by the value as it was given; started afresh when it is full."""

    def keep(self, key: tuple[object, ...], text: str) -> str:
        """Remember a text, and answer it."""
        if len(self) >= _REMEMBERED:
            self.clear()
        self[key] = text
        return text


@lru_cache(maxsize=1024)
def _in_zone(locale: Locale, plain_spaces: bool, timezone: str) -> tuple[_LocaleFormats, pytz.BaseTzInfo, Written]:
    return _formats_of(locale, plain_spaces), read_time_zone(timezone), Written()


class Formats:
    """The filters of one message.

    `plain_spaces` is for SMS: no-break and thin spaces, U+2212 and U+2019 become their plain neighbours, since each of
    them would make the carrier count the text in 70 characters instead of 160.
    """

    __slots__ = ("_formats", "_now", "_zone", "written")

    def __init__(self, locale: Locale, timezone: str, now: datetime, *, plain_spaces: bool = False) -> None:
        self._formats, self._zone, self.written = _in_zone(locale, plain_spaces, timezone)
        self._now = now.astimezone(UTC)

    def number(self, value: object, decimals: int | None = None) -> str:
        """A number with up to three decimals, or exactly `decimals`."""
        return self._formats.number(read_number(value), None if decimals is None else _check_decimals(decimals))

    def percent(self, value: object, decimals: int = 0) -> str:
        """A fraction as a percentage: 0.25 is 25 %."""
        return self._formats.percent(read_number(value), _check_decimals(decimals))

    def money(self, value: object) -> str:
        """`{"amount": "129.90", "currency": "CAD"}` with the currency's decimals, halves rounded up."""
        return self._formats.money(*read_money(value))

    def date(self, value: object, form: str = "medium") -> str:
        """A date, or the date of an instant in the reader's zone; `form` is a length or a CLDR skeleton."""
        if is_date(value):
            return self._formats.day(str(value), form)
        return self._formats.at("date", read_instant(value), self._zone, form)

    def time(self, value: object, form: str = "short") -> str:
        """The time of an instant in the reader's zone."""
        return self._formats.at("time", read_instant(value), self._zone, form)

    def datetime(self, value: object, form: str = "medium") -> str:
        """Date and time of an instant in the reader's zone."""
        return self._formats.at("datetime", read_instant(value), self._zone, form)

    def relative(self, value: object) -> str:
        """How far an instant is from now, in the largest unit of at least 1: `in 23 hours`; a date counts in days."""
        if is_date(value):
            return self._formats.relative_days((read_date(value) - self._now.astimezone(self._zone).date()).days)
        return self._formats.relative(int((read_instant(value) - self._now).total_seconds()))

    def duration(self, value: object) -> str:
        """A number of seconds in its two largest units: `1 hour, 30 minutes`."""
        return self._formats.duration(int(read_number(value)))

    def list(self, value: object, style: ListStyle = "and") -> str:
        """Texts and numbers as one phrase: `a, b, and c`; style `and`, `or` or `unit`."""
        if not isinstance(value, list | tuple):
            raise BadValue("not a list")
        if style not in {"and", "or", "unit"}:
            raise BadValue(f"a list is joined by and, or or unit, not by {str(style)[:20]!r}")
        items = [item if isinstance(item, str) else self.number(item) for item in value]
        return self._formats.join(items, style)

    def unit(self, value: object, name: str, form: Literal["long"] = "long") -> str:
        """A measure with its unit written out; `name` is CLDR's (`kilometer`, `megabyte`, `celsius`)."""
        if form != "long":
            raise BadValue("units are written out; there is no other form")
        return self._formats.unit(read_number(value), name)

    def phone(self, value: object) -> str:
        """An E.164 number spaced for reading, in the international form that works from everywhere."""
        return self._formats.phone(str(value))


def _check_decimals(decimals: int) -> int:
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= _MOST_DECIMALS:
        raise BadValue(f"decimals are 0 to {_MOST_DECIMALS}")
    return decimals


def _format_phone(value: str) -> str:
    """Spaced as the country does it; what is no phone number stays as it is."""
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return value
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL))
