"""Hours in which a message may go: from one opening to the next, never minute by minute.

The wall clock alone counts. So an opening inside a daylight-saving gap moves to the first instant after it, a window
that lies wholly in the gap does not occur that day, and an overlap is open or closed in both its passes alike.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Final

from gateway.domain.rules import MINUTES_OF_DAY, Holidays, QuietHours, Weekday, Window
from gateway.policy.public_holidays import holiday_name
from gateway.policy.wall_clocks import DAY, EPOCH_ORDINAL, MINUTE, WallClock, ordinal_of
from gateway.policy.zones import Whereabouts

Span = tuple[int, int]
"""Minutes of a local day, half-open."""
Opening = tuple[int, int]
"""From an instant on until just before another."""
WHOLE_DAY: Final[tuple[Span, ...]] = ((0, MINUTES_OF_DAY),)


def fits_place(rule: QuietHours, place: Whereabouts) -> bool:
    """Whether a rule speaks of people who are there: all that it names of countries and regions must be known."""
    return (not rule.countries or place.country in rule.countries) and (
        not rule.regions or place.region in rule.regions
    )


def next_opening(rule: QuietHours, place: Whereabouts, clock: WallClock, instant: int, limit: int) -> Opening | None:
    """From when, at or after the instant and before the limit, the rule lets a message go, and until when at least.

    In one zone; None when there is none. Instants are microseconds since 1970.
    """
    for begin, end, offset in clock.spells(instant):
        if begin >= limit:
            return None
        found = _next_in_spell(rule, place, begin + offset, min(end, limit) + offset)
        if found is not None:
            return found[0] - offset, found[1] - offset
    return None


def _next_in_spell(rule: QuietHours, place: Whereabouts, wall: int, until: int) -> Opening | None:
    """The same on a clock that is not changed meanwhile, from one wall time until before another."""
    for day in range(wall // DAY, (until - 1) // DAY + 1):
        midnight = day * DAY
        for start, end in open_spans(rule, place, day + EPOCH_ORDINAL):
            opens, closes = max(wall, midnight + start * MINUTE), min(midnight + end * MINUTE, until)
            if opens < closes:
                return opens, closes
    return None


# Thousands of messages ask for the same few days.
@lru_cache(maxsize=4_096)
def open_spans(rule: QuietHours, place: Whereabouts, ordinal: int) -> Sequence[Span]:
    """The minutes of a local date in which the rule lets a message go, in order.

    `ordinal` is the date's, as `date.toordinal` counts.
    """
    if not _is_valid(rule, ordinal):
        return WHOLE_DAY
    if closure(rule, place, ordinal) is not None:
        return ()
    if rule.forbid:
        return _complement(_spans(rule.forbid, ordinal, night_before=True))
    # A closed day has no windows; with them goes their part after midnight.
    night_before = any(window.wraps for window in rule.allow) and closure(rule, place, ordinal - 1) is None
    return sorted(_spans(rule.allow, ordinal, night_before=night_before))


def closure(rule: QuietHours, place: Whereabouts, ordinal: int) -> str | None:
    """Why the whole local date is closed: the holiday's name, or `closed_dates`; None on an ordinary day."""
    if rule.holidays is Holidays.OPEN and not rule.closed_dates:
        return None
    day = date.fromordinal(ordinal)
    if day in rule.closed_dates:
        return "closed_dates"
    if rule.holidays is Holidays.CLOSED:
        return holiday_name(place.country, place.region, day)
    return None


def closure_at(rule: QuietHours, place: Whereabouts, clock: WallClock, instant: int) -> str | None:
    """The same for the date that a clock shows at an instant, where the rule speaks on it."""
    ordinal = ordinal_of(clock.wall(instant))
    return closure(rule, place, ordinal) if _is_valid(rule, ordinal) else None


def _is_valid(rule: QuietHours, ordinal: int) -> bool:
    return (rule.valid_from is None or rule.valid_from.toordinal() <= ordinal) and (
        rule.valid_until is None or ordinal <= rule.valid_until.toordinal()
    )


def _spans(windows: Sequence[Window], ordinal: int, *, night_before: bool) -> list[Span]:
    """What the windows cover of a date: those that begin on it, and what the night before reaches into it."""
    today, yesterday = _weekday(ordinal), _weekday(ordinal - 1)
    spans = [(one.start, MINUTES_OF_DAY if one.wraps else one.end) for one in windows if today in one.days]
    if night_before:
        spans += [(0, one.end) for one in windows if one.wraps and yesterday in one.days]
    return spans


def _complement(spans: list[Span]) -> list[Span]:
    """The minutes of the day that none of the spans covers."""
    free: list[Span] = []
    reached = 0
    for start, end in sorted(spans):
        if start > reached:
            free.append((reached, start))
        reached = max(reached, end)
    return [*free, (reached, MINUTES_OF_DAY)] if reached < MINUTES_OF_DAY else free


def _weekday(ordinal: int) -> Weekday:
    return Weekday((ordinal + 6) % 7)
