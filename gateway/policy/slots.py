"""Which slots a delivery needs that may go: what the store counts by, without a zone or a clock of its own.

The store refuses a delivery that finds more slots in use than the decision left room for: then it is decided again.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.decisions import Facts
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.rules import Calendar, FrequencyCap
from gateway.domain.slots import SlotNeed
from gateway.policy.frequency import in_use, next_slot, period_start
from gateway.policy.wall_clocks import WallClock, wall_clocks
from gateway.policy.zones import locate

_LONGEST: Final = {
    Calendar.DAY: timedelta(days=3),
    Calendar.WEEK: timedelta(days=9),
    Calendar.MONTH: timedelta(days=33),
}
"""A period in any zone, and the time in which its day is still a day somewhere."""
_MICROSECOND: Final = timedelta(microseconds=1)


def needed_slots(facts: Facts, now: datetime) -> tuple[SlotNeed, ...]:
    """One for each cap that speaks of a delivery which the gate let go at `now`."""
    caps = facts.rules.speaking_of(facts.channel, facts.category, facts.topic).frequency_caps
    if not caps:
        return ()
    clocks = wall_clocks(locate(facts.recipient, facts.default_timezone).zones)
    return tuple([_need(cap, facts, clocks, now) for cap in caps])


def _need(cap: FrequencyCap, facts: Facts, clocks: Sequence[WallClock], now: datetime) -> SlotNeed:
    instant = to_micros(now)
    used = facts.slots.get(cap.counter, ())
    kept = tuple([max(to_micros(at), instant) for at in facts.waiting.get(cap.counter, ())])
    counted_from = _counted_from(cap, clocks, instant)
    return SlotNeed(
        counter=cap.counter,
        limit=cap.limit,
        counted_from=from_micros(counted_from),
        most=sum([at >= counted_from for at in used]) + _room(cap, used + kept, clocks, instant),
        kept_until=now + (_LONGEST[cap.per] if isinstance(cap.per, Calendar) else cap.per),
    )


def _counted_from(cap: FrequencyCap, clocks: Sequence[WallClock], instant: int) -> int:
    if isinstance(cap.per, Calendar):
        return min([period_start(cap.per, clock, instant) for clock in clocks])
    return instant - cap.per // _MICROSECOND + 1


def _room(cap: FrequencyCap, taken: Sequence[int], clocks: Sequence[WallClock], instant: int) -> int:
    """How many more may go at this very instant."""
    if isinstance(cap.per, Calendar) or max(taken, default=instant) <= instant:
        return max(cap.limit - in_use(cap, taken, clocks, instant), 0)

    # What is kept for later takes room before it is taken.
    def is_full(more: int) -> bool:
        return next_slot(cap, [*taken, *[instant] * more], clocks, instant) > instant

    return bisect_left(range(cap.limit), True, key=is_full)
