"""The part of the preference centre's form that is about hours, frequency and a break: fields to wishes and back."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import pytz

from gateway.domain.own_rules import Frequency, Wishes
from gateway.domain.rules import EVERY_DAY, MINUTES_OF_DAY, Calendar, Weekday, Window
from gateway.domain.values import Value

Form = Mapping[str, Sequence[str]]

BREAKS: Final = (7, 14, 30)
"""Days that a break may last."""
KEPT: Final = "kept"
"""The choice that leaves a break as it is."""
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_NUMBER: Final = re.compile(r"[1-9]\d?", re.ASCII)


class WrongWish(ValueError):
    """A field holds what cannot be meant."""


class Fields(Value, frozen=True, kw_only=True):
    """What the form shows: texts, as its fields hold them."""

    limit: str = ""
    per: str = Calendar.WEEK.value
    start: str = ""
    end: str = ""
    days: frozenset[int] = frozenset(EVERY_DAY)
    """0 is Monday."""
    timezone: str = ""
    pause: str = ""
    break_until: date | None = None


def has_wishes(form: Form) -> bool:
    """Whether the form speaks of them at all; a mail program's one click does not."""
    return "pause" in form


def fields_of(wishes: Wishes, today: date) -> Fields:
    """What is kept, for the form to show; a break that is over is none."""
    quiet, frequency = wishes.quiet, wishes.frequency
    lasting = wishes.break_until if wishes.break_until is not None and wishes.break_until >= today else None
    return Fields(
        limit="" if frequency is None else str(frequency.limit),
        per=Calendar.WEEK.value if frequency is None else frequency.per.value,
        start="" if quiet is None else _text(quiet.start),
        end="" if quiet is None else _text(quiet.end % MINUTES_OF_DAY),
        days=frozenset(EVERY_DAY if quiet is None else quiet.days),
        timezone=wishes.timezone or "",
        pause="" if lasting is None else KEPT,
        break_until=lasting,
    )


def entered(form: Form, kept: Fields) -> Fields:
    """What was entered, to be shown again with what is wrong."""
    return Fields(
        limit=_one(form, "limit"),
        per=_one(form, "per"),
        start=_one(form, "start"),
        end=_one(form, "end"),
        days=frozenset(int(day) for day in form.get("day", ()) if day in _DAYS),
        timezone=_one(form, "timezone"),
        pause=_one(form, "pause"),
        break_until=kept.break_until,
    )


def read_wishes(form: Form, kept: Wishes, today: date) -> Wishes:
    """What the form asks for; `today` is the person's own date. Raises WrongWish."""
    return Wishes(
        quiet=_window(form),
        frequency=_frequency(form),
        break_until=_break_until(_one(form, "pause"), kept, today),
        timezone=_timezone(_one(form, "timezone")),
    )


_DAYS: Final = frozenset(str(int(day)) for day in Weekday)


def _one(form: Form, name: str) -> str:
    values = form.get(name, ())
    return values[-1].strip() if values else ""


def _window(form: Form) -> Window | None:
    start, end = _one(form, "start"), _one(form, "end")
    if not start and not end:
        return None
    first, last = _TIME.match(start), _TIME.match(end)
    if first is None or last is None or first[0] == last[0]:
        raise WrongWish("start and end")
    chosen = [Weekday(int(day)) for day in form.get("day", ()) if day in _DAYS]
    return Window(
        days=tuple(sorted(set(chosen))) or EVERY_DAY,
        start=int(first[1]) * 60 + int(first[2]),
        end=(int(last[1]) * 60 + int(last[2])) or MINUTES_OF_DAY,
    )


def _frequency(form: Form) -> Frequency | None:
    limit, per = _one(form, "limit"), _one(form, "per")
    if not limit:
        return None
    if not _NUMBER.fullmatch(limit) or per not in list(Calendar):
        raise WrongWish("limit")
    return Frequency(limit=int(limit), per=Calendar(per))


def _break_until(chosen: str, kept: Wishes, today: date) -> date | None:
    if chosen == KEPT:
        return kept.break_until
    if chosen in map(str, BREAKS):
        return today + timedelta(days=int(chosen))
    if chosen:
        raise WrongWish("pause")
    return None


def _timezone(chosen: str) -> str | None:
    if chosen and chosen not in pytz.all_timezones_set:
        raise WrongWish("timezone")
    return chosen or None


def _text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
