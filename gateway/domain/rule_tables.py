"""Reading rules as people write them, in TOML or JSON; every wrong key is named, with what would be right."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import pytz

from gateway.domain.durations import parse_duration
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rules import (
    EVERY_DAY,
    MINUTES_OF_DAY,
    Calendar,
    FrequencyCap,
    Holidays,
    Over,
    QuietHours,
    RuleSet,
    Weekday,
    Window,
)
from gateway.errors import FieldProblem

_Word = TypeVar("_Word", bound=StrEnum)
_Kind = TypeVar("_Kind", QuietHours, FrequencyCap)

LONGEST_WINDOW: Final = timedelta(days=366)
"""Of a rolling cap: its slots must be kept that long."""
MOST_SLOTS: Final = 1_000
"""Of one cap: so many instants are kept for each person."""


LONGEST_NAME: Final = 100
MOST_ITEMS: Final = 200
"""In one list, of rules, windows, dates or words."""


class WrongRules(ValueError):
    """Rules that cannot be meant; `problems` names every wrong key by JSON pointer."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.pointer}: {problem.message}" for problem in problems))
        self.problems = tuple(problems)


def parse_rules(tables: Mapping[str, object], origin: str) -> RuleSet:
    """Read `quiet_hours` and `frequency_caps`, lists of tables as the contract shows them; other keys are wrong.

    `origin` says whose they are (`settings`, `pack:<country>`, `recipient`, `request`). Raises WrongRules.
    """
    problems: list[FieldProblem] = []
    top = _Table(tables, "", problems)
    hours = [_quiet_hours(table, origin) for table in top.tables("quiet_hours")]
    caps = [_frequency_cap(table, origin) for table in top.tables("frequency_caps")]
    top.refuse_others()
    _refuse_repeated(hours, "/quiet_hours", problems)
    _refuse_repeated(caps, "/frequency_caps", problems)
    if problems:
        raise WrongRules(problems)
    return RuleSet(quiet_hours=tuple(hours), frequency_caps=tuple(caps))


def _refuse_repeated(rules: Sequence[_Kind], pointer: str, problems: list[FieldProblem]) -> None:
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        if rule.name in seen:
            told = f"There is another rule named {rule.name!r}; a name says which rule spoke."
            problems.append(FieldProblem(pointer=f"{pointer}/{index}/name", code="repeated", message=told))
        seen.add(rule.name)


def _quiet_hours(table: "_Table", origin: str) -> QuietHours:
    countries = table.codes("countries", _country)
    rule = QuietHours(
        name=table.name(),
        channels=table.words("channels", Channel),
        categories=table.words("categories", Category) or (Category.MARKETING,),
        topics=table.texts("topics"),
        countries=countries,
        regions=table.codes("regions", lambda code: _region(code, countries)),
        allow=tuple([_window(one) for one in table.tables("allow")]),
        forbid=tuple([_window(one) for one in table.tables("forbid")]),
        holidays=table.word("holidays", Holidays, Holidays.OPEN),
        closed_dates=table.some_days("closed_dates"),
        valid_from=table.day("valid_from"),
        valid_until=table.day("valid_until"),
        source=table.text("source"),
        confidence=table.text("confidence"),
        origin=origin,
    )
    if table.has("allow") == table.has("forbid"):
        table.wrong("allow", "one_of", "Give either `allow` or `forbid`: the hours in which it may go, or may not.")
    if rule.valid_from and rule.valid_until and rule.valid_until < rule.valid_from:
        table.wrong("valid_until", "out_of_order", "It must not lie before `valid_from`; both days are included.")
    table.refuse_others()
    return rule


def _window(table: "_Table") -> Window:
    start, end = table.time("from"), table.time("to")
    if start is not None and start == end:
        told = "It begins and ends at one time: write 00:00 to 24:00 for a whole day, or leave the window out."
        table.wrong("to", "empty_window", told)
    if start == MINUTES_OF_DAY:
        table.wrong("from", "out_of_range", "24:00 only ends a day; write 00:00 to begin one.")
    if end == 0:
        # Half-open: a window until 00:00 is one until the day's end.
        end = MINUTES_OF_DAY
    window = Window(days=table.weekdays(), start=start or 0, end=MINUTES_OF_DAY if end is None else end)
    table.refuse_others()
    return window


def _frequency_cap(table: "_Table", origin: str) -> FrequencyCap:
    cap = FrequencyCap(
        name=table.name(),
        limit=table.limit(),
        per=table.period(),
        channels=table.words("channels", Channel),
        categories=table.words("categories", Category),
        topics=table.texts("topics"),
        over=table.word("over", Over, Over.DEFER),
        origin=origin,
    )
    table.refuse_others()
    return cap


_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_REGION: Final = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}", re.ASCII)


def _country(code: str) -> str | None:
    if code in pytz.country_names:
        return None
    hint = " The United Kingdom is GB." if code == "UK" else ""
    return f"{code!r} is no ISO 3166-1 alpha-2 country code, such as FR.{hint}"


def _region(code: str, countries: Sequence[str]) -> str | None:
    shaped = _REGION.fullmatch(code)
    if shaped is None or shaped[1] not in pytz.country_names:
        return f"{code!r} is no ISO 3166-2 region code, such as US-TX."
    if countries and shaped[1] not in countries:
        return f"{code!r} does not lie in {', '.join(countries)}; the rule would never speak."
    return None


class _Table:
    """One table and where it stands; what is wrong in it is noted, and something harmless is read in its place."""

    def __init__(self, values: Mapping[str, object], pointer: str, problems: list[FieldProblem]) -> None:
        self._values = values
        self._pointer = pointer
        self._problems = problems
        self._known: list[str] = []

    def wrong(self, key: str, code: str, message: str) -> None:
        """Note what is wrong with a key."""
        pointer = f"{self._pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        self._problems.append(FieldProblem(pointer=pointer, code=code, message=message))

    def has(self, key: str) -> bool:
        return bool(self._values.get(key))

    def refuse_others(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._values:
            if key not in self._known:
                self.wrong(str(key), "unknown_key", f"There is no such key; there are {', '.join(self._known)}.")

    def _value(self, key: str) -> object:
        self._known.append(key)
        return self._values.get(key)

    def _list(self, key: str) -> Iterator[tuple[str, object]]:
        """Each item with its key; null is an empty list."""
        given = self._value(key)
        if given is None:
            return
        if isinstance(given, str) or not isinstance(given, Sequence):
            self.wrong(key, "wrong_type", 'Give a list, such as ["…"].')
            return
        if len(given) > MOST_ITEMS:
            self.wrong(key, "too_long", f"Give at most {MOST_ITEMS} of them.")
            return
        for index, item in enumerate(given):
            yield f"{key}/{index}", item

    def tables(self, key: str) -> Sequence["_Table"]:
        found = []
        for place, item in self._list(key):
            if isinstance(item, Mapping):
                found.append(_Table(item, f"{self._pointer}/{place}", self._problems))
            else:
                self._misplaced(place, "wrong_type", "Give a table of keys and values.")
        return found

    def _misplaced(self, place: str, code: str, message: str) -> None:
        self._problems.append(FieldProblem(pointer=f"{self._pointer}/{place}", code=code, message=message))

    def texts(self, key: str) -> tuple[str, ...]:
        found = []
        for place, item in self._list(key):
            if isinstance(item, str) and item:
                found.append(item)
            else:
                self._misplaced(place, "wrong_type", "Give a text.")
        return tuple(found)

    def text(self, key: str) -> str:
        given = self._value(key)
        if given is None or isinstance(given, str):
            return given or ""
        self.wrong(key, "wrong_type", "Give a text.")
        return ""

    def name(self) -> str:
        name = self.text("name")
        if not name.strip():
            self.wrong("name", "missing", "Name the rule; the name says in the trace which rule spoke.")
        elif len(name) > LONGEST_NAME:
            self.wrong("name", "too_long", f"Give a name of at most {LONGEST_NAME} characters.")
        return name

    def codes(self, key: str, problem_of: Callable[[str], str | None]) -> tuple[str, ...]:
        """Texts that each pass a check, which answers with what is wrong."""
        codes = self.texts(key)
        for index, code in enumerate(codes):
            if told := problem_of(code):
                self._misplaced(f"{key}/{index}", "unknown_code", told)
        return codes

    def words(self, key: str, vocabulary: type[_Word]) -> tuple[_Word, ...]:
        found = []
        for place, item in self._list(key):
            if item in list(vocabulary):
                found.append(vocabulary(str(item)))
            else:
                self._misplaced(place, "unknown_word", f"Give one of {', '.join(vocabulary)}.")
        return tuple(found)

    def word(self, key: str, vocabulary: type[_Word], default: _Word) -> _Word:
        given = self._value(key)
        if given is None:
            return default
        if given in list(vocabulary):
            return vocabulary(str(given))
        self.wrong(key, "unknown_word", f"Give one of {', '.join(vocabulary)}.")
        return default

    def weekdays(self) -> tuple[Weekday, ...]:
        names = {day.name.lower(): day for day in Weekday}
        found = set()
        for place, item in self._list("days"):
            if isinstance(item, str) and item in names:
                found.add(names[item])
            else:
                self._misplaced(place, "unknown_word", f"Give one of {', '.join(names)}.")
        if not found and self._values.get("days") is not None:
            self.wrong("days", "too_short", "Name at least one day, or leave the key out for every day.")
        return tuple(sorted(found)) or EVERY_DAY

    def time(self, key: str) -> int | None:
        """Minutes after midnight."""
        given = self._value(key)
        if given is None:
            self.wrong(key, "missing", "Give a local time, such as 09:00.")
        elif isinstance(given, str) and _TIME.fullmatch(given):
            return int(given[:2]) * 60 + int(given[3:])
        else:
            self.wrong(key, "wrong_format", "Give a local time as HH:MM, from 00:00 to 24:00.")
        return None

    def day(self, key: str) -> date | None:
        given = self._value(key)
        if given is None:
            return None
        found = _date(given)
        if found is None:
            self.wrong(key, "wrong_format", "Give a local date, such as 2026-11-04.")
        return found

    def some_days(self, key: str) -> tuple[date, ...]:
        found = set()
        for place, item in self._list(key):
            day = _date(item)
            if day is None:
                self._misplaced(place, "wrong_format", "Give a local date, such as 2026-11-04.")
            else:
                found.add(day)
        return tuple(sorted(found))

    def limit(self) -> int:
        given = self._value("limit")
        if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MOST_SLOTS:
            return given
        self.wrong("limit", "out_of_range", f"Give a whole number from 1 to {MOST_SLOTS}.")
        return 1

    def period(self) -> timedelta | Calendar:
        given = self._value("per")
        if given in list(Calendar):
            return Calendar(str(given))
        try:
            window = parse_duration(given) if isinstance(given, str) else timedelta(0)
        except ValueError:
            window = timedelta(0)
        if timedelta(0) < window <= LONGEST_WINDOW:
            return window
        told = f"Give day, week or month, or a duration such as 30m, 24h or 7d of at most {LONGEST_WINDOW.days} days."
        self.wrong("per", "wrong_format", told)
        return Calendar.DAY


def _date(given: object) -> date | None:
    """TOML has dates of its own; JSON writes them as text."""
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    try:
        return date.fromisoformat(given) if isinstance(given, str) and _DATE.fullmatch(given) else None
    except ValueError:
        return None
