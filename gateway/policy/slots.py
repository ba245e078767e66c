"""Which slots a delivery needs that may go: what the store counts by, without a zone or a clock of its own.

The store refuses a delivery that finds more slots in use than the decision left room for: then it is decided again.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from gateway.domain.rules import Calendar, FrequencyCap
from gateway.domain.slots import SlotNeed
from gateway.policy.frequency import in_use, next_slot, period_start
from gateway.policy.wall_clocks import DAY, WallClock

_LONGEST: Final = {Calendar.DAY: 3 * DAY, Calendar.WEEK: 9 * DAY, Calendar.MONTH: 33 * DAY}
"""A period in any zone, and the time in which its day is still a day somewhere."""
_MICROSECOND: Final = timedelta(microseconds=1)


def slot_need(
    cap: FrequencyCap, used: tuple[int, ...], kept: tuple[int, ...], clocks: Sequence[WallClock], instant: int
) -> SlotNeed:
    """What a delivery needs of a cap that lets it go at the instant; `used` newest first, `kept` for others."""
    if isinstance(cap.per, Calendar):
        span = _LONGEST[cap.per]
        counted_from = min([period_start(cap.per, clock, instant) for clock in clocks])
    else:
        span = cap.per // _MICROSECOND
        counted_from = instant - span + 1
    if not kept and len(clocks) == 1 and (not used or used[0] <= instant):
        # On one clock, with nothing ahead, what counts is what is in use; that the delivery may go says there is room.
        most = cap.limit
    else:
        most = sum([at >= counted_from for at in used]) + _room(cap, used + kept, clocks, instant)
    return SlotNeed(counter=cap.counter, limit=cap.limit, counted_from=counted_from, most=most, kept_for=span)


def _room(cap: FrequencyCap, taken: Sequence[int], clocks: Sequence[WallClock], instant: int) -> int:
    """How many more may go at this very instant."""
    if isinstance(cap.per, Calendar) or max(taken, default=instant) <= instant:
        return max(cap.limit - in_use(cap, taken, clocks, instant), 0)

    # What is kept for later takes room before it is taken.
    def is_full(more: int) -> bool:
        return next_slot(cap, [*taken, *[instant] * more], clocks, instant) > instant

    return bisect_left(range(cap.limit), True, key=is_full)
