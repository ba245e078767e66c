"""Dates, times and spans as a locale writes them, in the zone of the reader.

Instants are converted by pytz's own rules before Babel sees them: `tzinfo=pytz.timezone(…)` would give local mean time,
and Babel's format_date ignores the zone. The calendar is Gregorian in every locale, as the rest of the message is.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import pytz
from babel import Locale
from babel.dates import DateTimePattern, match_skeleton, parse_pattern, tokenize_pattern, untokenize_pattern

from gateway.localization.list_formats import ListFormats
from gateway.localization.number_formats import NumberFormats
from gateway.localization.values import BadValue

Kind = Literal["date", "time", "datetime"]

LENGTHS = frozenset({"short", "medium", "long", "full"})
# Y is the year of the week, which differs from the calendar's around New Year; nobody means it in a message.
_SKELETON = re.compile(r"[GyQMLEcdahHjkKmsBvz]{1,24}", re.ASCII)
_TIME_FIELDS = frozenset("abBhHkKmsvz")

_SPANS = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)
_DURATION_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_LONGEST = 100 * 366 * 86400


class DateFormats:
    """The calendar of one locale."""

    def __init__(self, locale: Locale, numbers: NumberFormats, lists: ListFormats) -> None:
        self._locale = locale
        self._numbers = numbers
        self._lists = lists
        self._patterns: dict[tuple[Kind, str], DateTimePattern] = {}

    def date(self, day: date, form: str) -> str:
        """A day, without time or zone."""
        # Midnight UTC stands for the day; a date pattern shows neither.
        return self._apply("date", datetime(day.year, day.month, day.day, tzinfo=pytz.utc), form)

    def at(self, kind: Kind, instant: datetime, zone: pytz.BaseTzInfo, form: str) -> str:
        """The date, the time or both of an instant, in a zone."""
        try:
            local = instant.astimezone(zone)
        except OverflowError as error:
            raise BadValue("the calendar of the zone does not reach that far") from error
        return self._apply(kind, local, form)

    def relative(self, seconds: int) -> str:
        """How far ahead (or, negative, ago), in the largest unit of which it is at least one; never rounded up."""
        unit, size = next((item for item in _SPANS if abs(seconds) >= item[1]), _SPANS[-1])
        return self._span(unit, abs(seconds) // size, is_past=seconds < 0)

    def relative_days(self, days: int) -> str:
        """The same between two dates: days, weeks, months or years."""
        unit, size = next((item for item in _SPANS[:4] if abs(days) * 86400 >= item[1]), _SPANS[3])
        return self._span(unit, abs(days) * 86400 // size, is_past=days < 0)

    def _span(self, unit: str, count: int, *, is_past: bool) -> str:
        patterns = self._locale._data["date_fields"][unit]["past" if is_past else "future"]
        pattern = patterns.get(self._locale.plural_form(count), patterns["other"])
        return str(pattern).replace("{0}", self._numbers.number(Decimal(count)))

    def duration(self, seconds: int) -> str:
        """A span in its two largest units, exact: `1 hour, 30 minutes`, `23 hours`, `10 minutes`."""
        if not 0 <= seconds <= _LONGEST:
            raise BadValue("a duration is between 0 seconds and 100 years")
        parts: list[str] = []
        for unit, size in _DURATION_UNITS:
            count, seconds = divmod(seconds, size)
            if count:
                parts.append(self._numbers.unit(Decimal(count), f"duration-{unit}"))
            if len(parts) == 2 or (parts and not count):
                break
        return self._lists.join(parts or [self._numbers.unit(Decimal(0), "duration-second")], "unit")

    def _apply(self, kind: Kind, moment: datetime, form: str) -> str:
        pattern = self._patterns.get((kind, form))
        if pattern is None:
            pattern = self._make_pattern(kind, form)
            if len(self._patterns) < 200:
                self._patterns[kind, form] = pattern
        return pattern.apply(moment, self._locale)

    def _make_pattern(self, kind: Kind, form: str) -> DateTimePattern:
        if form not in LENGTHS:
            return parse_pattern(self._pattern_of_skeleton(form))
        if kind == "date":
            return parse_pattern(self._locale.date_formats[form])
        if kind == "time":
            return parse_pattern(self._locale.time_formats[form])
        date_pattern, time_pattern = self._locale.date_formats[form], self._locale.time_formats[form]
        return parse_pattern(self._join(date_pattern.pattern, time_pattern.pattern, form))

    def _join(self, date_pattern: str, time_pattern: str, length: str) -> str:
        joint = str(self._locale.datetime_formats[length])
        return joint.replace("{1}", date_pattern).replace("{0}", time_pattern)

    def _pattern_of_skeleton(self, skeleton: str) -> str:
        """The locale's own order and punctuation for the fields asked for (UTS #35, "Matching Skeletons")."""
        if not _SKELETON.fullmatch(skeleton):
            raise BadValue(f"neither a length nor a CLDR skeleton of date and time: {skeleton[:24]!r}")
        fields = skeleton.replace("L", "M").replace("c", "E").replace("j", self._hour_field())
        date_part = "".join(field for field in fields if field not in _TIME_FIELDS)
        time_part = "".join(field for field in fields if field in _TIME_FIELDS)
        if not date_part or not time_part:
            return self._match(date_part or time_part)
        length = "long" if "MMMM" in date_part else "medium"
        return self._join(self._match(date_part), self._match(time_part), length)

    def _hour_field(self) -> str:
        pattern = self._locale.time_formats["short"].pattern
        return "h" if "h" in re.sub(r"'[^']*'", "", pattern) else "H"

    def _match(self, fields: str) -> str:
        offered = self._locale.datetime_skeletons
        found = match_skeleton(fields, offered)
        if found is None:
            raise BadValue(f"no pattern for the skeleton {fields!r} in {self._locale}")
        return _widen(offered[found].pattern, fields)


def _widen(pattern: str, fields: str) -> str:
    """Write names as long as they were asked for: the nearest pattern may abbreviate them."""
    months, days = fields.count("M"), fields.count("E")
    tokens: list[tuple[str, str | tuple[str, int]]] = []
    for kind, token in tokenize_pattern(pattern):
        if kind == "field" and isinstance(token, tuple):
            character, width = token
            if character in "ML" and months >= 3 and width >= 3:
                width = months
            elif character in "Ec" and days >= 1:
                width = max(days, 3) if character == "c" or days >= 3 else width
            tokens.append((kind, (character, width)))
        else:
            tokens.append((kind, token))
    return untokenize_pattern(tokens)
