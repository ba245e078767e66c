"""When a cap lets one more delivery go: arithmetic over the instants at which slots were taken.

A counter holds at most `limit` of them, newest first; deliveries of a higher priority that wait hold theirs too.
Instants are microseconds since 1970.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from gateway.domain.rules import Calendar, FrequencyCap
from gateway.policy.wall_clocks import DAY, EPOCH_ORDINAL, WallClock, ordinal_of

_MICROSECOND: Final = timedelta(microseconds=1)
_AHEAD: Final = 2 * DAY
"""No clock is so far ahead of UTC."""


def next_slot(cap: FrequencyCap, taken: Sequence[int], clocks: Sequence[WallClock], instant: int) -> int:
    """The earliest instant, from the given one on, at which the cap has a slot free.

    `taken` are the slots in use and those that are kept, in any order. A calendar's period must have one free on
    each of the clocks.
    """
    if len(taken) < cap.limit:
        return instant
    if isinstance(cap.per, Calendar):
        return _next_in_calendar(cap.limit, cap.per, taken, clocks, instant)
    return _next_in_window(cap.limit, cap.per // _MICROSECOND, sorted(taken), instant)


def in_use(cap: FrequencyCap, taken: Sequence[int], clocks: Sequence[WallClock], instant: int) -> int:
    """How many slots speak against one more at the instant; on several clocks the most."""
    if isinstance(cap.per, Calendar):
        return max([_in_period(cap.per, taken, clock, instant) for clock in clocks])
    window = cap.per // _MICROSECOND
    return _count(taken, instant - window + 1, instant + window)


def period_start(period: Calendar, clock: WallClock, instant: int) -> int:
    """The first instant of the clock's day, week or month; never after the given one."""
    ordinal = ordinal_of(clock.wall(instant))
    plain = _instants(period, clock, ordinal)
    if plain is not None:
        return plain[0]
    midnight = _midnights(period, ordinal)[0]
    return clock.first_at(midnight, midnight - _AHEAD)


def _next_in_window(limit: int, window: int, taken: Sequence[int], instant: int) -> int:
    """No more than `limit` may lie within less than a window of each other, whichever of them comes last."""
    for first, last in zip(taken, taken[limit - 1 :], strict=False):
        # So many that lie close together bar all that is less than a window from the farther of the two ends. What
        # they bar begins and ends later from one to the next, so that going through them once is enough.
        if last - first < window and last - window < instant < first + window:
            instant = first + window
    return instant


def _next_in_calendar(
    limit: int, period: Calendar, taken: Sequence[int], clocks: Sequence[WallClock], instant: int
) -> int:
    counted = [(clock, Counter(_period(period, clock, slot) for slot in taken)) for clock in clocks]
    # Each round goes to the end of a period that is full, and only a period with slots in it can be.
    while True:
        full = [clock for clock, slots in counted if slots[_period(period, clock, instant)] >= limit]
        if not full:
            return instant
        instant = max(clock.first_at(_period(period, clock, instant)[1], instant) for clock in full)


def _in_period(period: Calendar, taken: Sequence[int], clock: WallClock, instant: int) -> int:
    ordinal = ordinal_of(clock.wall(instant))
    plain = _instants(period, clock, ordinal)
    if plain is not None:
        return _count(taken, *plain)
    begin, end = _midnights(period, ordinal)
    return sum([begin <= clock.wall(slot) < end for slot in taken])


def _count(taken: Sequence[int], since: int, until: int) -> int:
    """How many lie from `since` until just before `until`; mostly all of them."""
    if not taken or (since <= min(taken) and max(taken) < until):
        return len(taken)
    return sum([since <= slot < until for slot in taken])


# Thousands of deliveries ask for the same few days.
@lru_cache(maxsize=4_096)
def _instants(period: Calendar, clock: WallClock, ordinal: int) -> tuple[int, int] | None:
    """From when until when the clock shows the period that a date lies in; None where it is changed in those days."""
    begin, end = _midnights(period, ordinal)
    _, until, offset = next(clock.spells(begin - _AHEAD))
    # A clock that is set back after the end shows no time of the period again: none is set back by more than a day.
    return (begin - offset, end - offset) if end - offset + DAY <= until else None


def _period(period: Calendar, clock: WallClock, instant: int) -> tuple[int, int]:
    """The wall times of the midnights with which the clock's day, week or month begins and ends."""
    return _midnights(period, ordinal_of(clock.wall(instant)))


@lru_cache(maxsize=1_024)
def _midnights(period: Calendar, ordinal: int) -> tuple[int, int]:
    match period:
        case Calendar.DAY:
            first, after = ordinal, ordinal + 1
        case Calendar.WEEK:
            first = ordinal - (ordinal + 6) % 7
            after = first + 7
        case Calendar.MONTH:
            day = date.fromordinal(ordinal).replace(day=1)
            first = day.toordinal()
            after = date(day.year + day.month // 12, day.month % 12 + 1, 1).toordinal()
    return (first - EPOCH_ORDINAL) * DAY, (after - EPOCH_ORDINAL) * DAY
