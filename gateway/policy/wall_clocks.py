"""What a clock on a wall shows: the offsets of a zone as whole numbers, so that thousands of looks cost nothing.

Instants and wall times are microseconds since 1970-01-01T00:00, in UTC and on the wall. The offsets are pytz's; its
tables end with the year 2037.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

import pytz

from gateway.domain.instants import from_micros, rfc3339, to_micros

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH: Final = _EPOCH_UTC.replace(tzinfo=None)
EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
NEVER: Final = 1 << 62
"""Later than any instant that a datetime can hold."""


def ordinal_of(wall: int) -> int:
    """The proleptic ordinal of a wall time's date, as `date.toordinal` counts."""
    return wall // DAY + EPOCH_ORDINAL


class WallClock:
    """The clock of one zone."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._begins, self._offsets = _offsets(zone)
        self._last = self._spell(0)
        """The spell that was asked for last: most look at instants of the same one."""

    def wall(self, instant: int) -> int:
        """What the clock shows."""
        begin, end, offset = self._last
        if not begin <= instant < end:
            self._last = _, _, offset = self._spell(bisect_right(self._begins, instant) - 1)
        return instant + offset

    def spells(self, instant: int) -> Iterator[tuple[int, int, int]]:
        """From an instant on, the spells without a change: begin, end (not included) and offset of each."""
        for index in range(bisect_right(self._begins, instant) - 1, len(self._begins)):
            begin, end, offset = self._spell(index)
            yield max(instant, begin), end, offset

    def _spell(self, index: int) -> tuple[int, int, int]:
        following = self._begins[index + 1] if index + 1 < len(self._begins) else NEVER
        return self._begins[index], following, self._offsets[index]

    def first_at(self, wall: int, instant: int) -> int:
        """The first instant, from the given one on, at which the clock shows this wall time or a later one."""
        for begin, end, offset in self.spells(instant):
            found = max(begin, wall - offset)
            if found < end:
                return found
        raise AssertionError("the last spell never ends")

    def since(self, instant: int) -> Sequence[tuple[int, int]]:
        """When the clock is changed from an instant on, and to which offset: equal for clocks that agree from there."""
        return [(begin, offset) for begin, _, offset in self.spells(instant)]

    def shown(self, instant: int) -> str:
        """The wall time with its offset, such as `2026-11-21T23:40:00-06:00`."""
        wall = self.wall(instant)
        return rfc3339(from_micros(wall))[:-1] + _offset_shown(wall - instant)


@lru_cache(maxsize=1_024)
def _offset_shown(offset: int) -> str:
    """Such as `-06:00`."""
    return _EPOCH_UTC.astimezone(timezone(offset * _MICROSECOND)).isoformat()[19:]


@lru_cache(maxsize=1_024)
def wall_clock(zone: str) -> WallClock:
    """The clock of an IANA zone."""
    return WallClock(zone)


_ALIKE_SINCE: Final = to_micros(datetime(2020, 1, 1, tzinfo=UTC))
"""No message is older; the zones of a country differ in their past more than in what their clocks show today."""


@lru_cache(maxsize=1_024)
def wall_clocks(zones: tuple[str, ...]) -> Sequence[WallClock]:
    """The clocks of several zones, of those that have shown the same since 2020 only the first."""
    found: dict[tuple[tuple[int, int], ...], WallClock] = {}
    for zone in zones:
        clock = wall_clock(zone)
        found.setdefault(tuple(clock.since(_ALIKE_SINCE)), clock)
    return list(found.values())


def _offsets(zone: str) -> tuple[list[int], list[int]]:
    """When each offset begins to hold, and the offset: all that pytz knows of the zone."""
    clock = pytz.timezone(zone)
    transitions: list[datetime] | None = getattr(clock, "_utc_transition_times", None)
    if transitions is None:
        return [-NEVER], [_micros(clock.utcoffset(_EPOCH))]
    begins = [(at - _EPOCH) // _MICROSECOND for at in transitions]
    offsets = [_micros(offset) for offset, _, _ in vars(type(clock))["_transition_info"]]
    return [-NEVER, *begins[1:]], offsets


def _micros(offset: timedelta | None) -> int:
    return (offset or timedelta(0)) // _MICROSECOND
