"""What may put a delivery off: the caller's instant, a cap, a rule on quiet hours.

Each is a clause that can say, of any instant, which is the earliest from there on that pleases it alone. Instants
are microseconds since 1970.
"""

from datetime import datetime
from functools import lru_cache
from typing import ClassVar, Final, Protocol

from gateway.domain.decisions import Facts
from gateway.domain.durations import format_duration
from gateway.domain.instants import from_micros, rfc3339, to_micros
from gateway.domain.recipients import JsonValue
from gateway.domain.rules import Calendar, FrequencyCap, Over, QuietHours
from gateway.domain.slots import SlotNeed
from gateway.domain.values import Value
from gateway.policy.frequency import in_use, next_slot
from gateway.policy.quiet_hours import Opening, closure_at, next_opening
from gateway.policy.slots import slot_need
from gateway.policy.wall_clocks import NEVER, WallClock, wall_clocks
from gateway.policy.zones import Whereabouts


class Clause(Protocol):
    """One thing that may put a delivery off."""

    @property
    def name(self) -> str:
        """What the trace calls it."""

    @property
    def reason(self) -> str:
        """What programs are told where it puts a delivery off."""

    @property
    def ends(self) -> bool:
        """Whether it ends by itself, however long it takes: a chosen instant and a cap do, quiet hours may not."""

    def earliest(self, instant: int, limit: int) -> int | None:
        """The earliest instant from there on that pleases it; None where none is before the limit."""

    def saw(self, instant: int) -> dict[str, JsonValue]:
        """What it looks at there, for the trace."""


class Schedule:
    """The instant that the caller chose."""

    name, reason, ends = "schedule", "scheduled", True

    def __init__(self, send_at: datetime) -> None:
        self._send_at = send_at

    def earliest(self, instant: int, _limit: int) -> int:
        """Then, or at once where that is over."""
        return max(instant, to_micros(self._send_at))

    def saw(self, instant: int) -> dict[str, JsonValue]:
        """Both instants."""
        return {"now": _instant_shown(instant), "send_at": rfc3339(self._send_at)}


class _CapAtPlace:
    """A cap as it is to all of whom the same place is presumed: everything but what they have used."""

    def __init__(self, cap: FrequencyCap, place: Whereabouts) -> None:
        self.cap = cap
        self.counter = cap.counter
        self.defers = cap.over is Over.DEFER
        """Whether a delivery waits for a slot."""
        self.clocks = wall_clocks(place.zones)
        self.saw: dict[str, JsonValue] = {
            "origin": cap.origin,
            "at": None,
            "limit": cap.limit,
            "per": cap.per.value if isinstance(cap.per, Calendar) else format_duration(cap.per),
            "used": 0,
            "kept": 0,
            "over": cap.over.value,
            # Only a calendar goes by their clocks.
            **(_shown(place) if isinstance(cap.per, Calendar) else {}),
        }
        """For the trace, but for what is asked of an instant."""


# Thousands of people live in the same few places, and a cap has much to it that is the same for all of them.
_cap_at: Final = lru_cache(maxsize=4_096)(_CapAtPlace)


class Cap(Value, frozen=True, kw_only=True):
    """A limit per period, and what a person has used of it."""

    reason: ClassVar = "frequency_cap"
    ends: ClassVar = True

    name: str
    placed: _CapAtPlace
    used: tuple[int, ...]
    kept: tuple[int, ...]
    """For others who go first."""

    @property
    def falls_through(self) -> bool:
        """Whether the next channel is tried where it does not defer."""
        return self.placed.cap.over is Over.NEXT_CHANNEL

    def earliest(self, instant: int, _limit: int) -> int:
        """When a slot is free."""
        return next_slot(self.placed.cap, self.used + self.kept, self.placed.clocks, instant)

    def need(self, instant: int) -> SlotNeed:
        """The slot that a delivery must have which goes then."""
        return slot_need(self.placed.cap, self.used, self.kept, self.placed.clocks, instant)

    def saw(self, instant: int) -> dict[str, JsonValue]:
        """The limit, and how many slots are used or kept for what goes first."""
        cap, clocks = self.placed.cap, self.placed.clocks
        saw = self.placed.saw.copy()
        saw["at"] = _instant_shown(instant)
        if self.used:
            saw["used"] = in_use(cap, self.used, clocks, instant)
        if self.kept:
            saw["kept"] = in_use(cap, self.kept, clocks, instant)
        return saw


def cap_of(cap: FrequencyCap, facts: Facts, place: Whereabouts, now: int) -> Cap:
    """The cap as it is for the delivery that the facts are about."""
    placed = _cap_at(cap, place)
    waiting = facts.waiting.get(placed.counter)
    return Cap(
        name=cap.name,
        placed=placed,
        used=facts.slots.get(placed.counter, ()),
        # Who is due already goes as soon as it can.
        kept=tuple([max(to_micros(due_at), now) for due_at in waiting]) if waiting else (),
    )


class Hours:
    """A rule on quiet hours, on all the clocks that the recipient may live by."""

    reason, ends = "quiet_hours", False

    def __init__(self, rule: QuietHours, place: Whereabouts) -> None:
        self.name = rule.name
        self._rule = rule
        self._place = place
        self._clocks = wall_clocks(place.zones)
        self._saw: dict[str, JsonValue] = {"origin": rule.origin, "local": None, **_shown(place)}
        """For the trace, but for what is asked of an instant."""
        self._open = (0, 0)
        """The last opening found on all the clocks: most messages go in the same one."""

    def earliest(self, instant: int, limit: int) -> int | None:
        """When it is open on all the clocks."""
        if self._is_known_open(instant):
            return instant if instant < limit else None
        agreed, asked, until = 0, 0, NEVER
        while agreed < len(self._clocks):
            opening = self._opening(self._clocks[asked % len(self._clocks)], instant, limit)
            if opening is None:
                return None
            agreed, until = (agreed + 1, min(until, opening[1])) if opening[0] == instant else (1, opening[1])
            instant = opening[0]
            asked += 1
        self._open = (instant, until)
        return instant

    def saw(self, instant: int) -> dict[str, JsonValue]:
        """What the clocks show, the one that speaks against it where there is one, and why the day is closed."""
        clock, saw = self._clocks[0], self._saw.copy()
        if not self._is_known_open(instant):
            shut = (one for one in self._clocks if self._opening(one, instant, instant + 1) is None)
            clock = next(shut, clock)
            if (closed := closure_at(self._rule, self._place, clock, instant)) is not None:
                saw["closed"] = closed
        saw["local"] = clock.shown(instant)
        return saw

    def _is_known_open(self, instant: int) -> bool:
        begin, end = self._open
        return begin <= instant < end

    def _opening(self, clock: WallClock, instant: int, limit: int) -> Opening | None:
        return next_opening(self._rule, self._place, clock, instant, limit)


# Every clause of a decision shows the same one.
@lru_cache(maxsize=1)
def _instant_shown(instant: int) -> str:
    return rfc3339(from_micros(instant))


def _shown(place: Whereabouts) -> dict[str, JsonValue]:
    return {"zones": list(place.zones), "zone_evidence": place.evidence}
