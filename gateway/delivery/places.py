"""Who may call a provider now, and who is next: the most urgent lane, then who came first."""

import asyncio
import heapq
from itertools import count
from typing import Final

from gateway.domain.messages import Lane


class Places:
    """A bounded number of places in which a one-time code never queues behind a campaign."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._queue: list[tuple[Lane, int, asyncio.Future[None]]] = []
        self._tickets = count()

    @property
    def is_full(self) -> bool:
        """Whether all places are taken."""
        return self._free <= 0

    async def take(self, lane: Lane, patience_seconds: float) -> bool:
        """Take a place, to be given back; False when none came free in time and one must do without."""
        if self._free > 0:
            self._free -= 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (lane, next(self._tickets), turn))
        try:
            async with asyncio.timeout(patience_seconds):
                await turn
        except TimeoutError:
            # A place handed over in the very turn in which patience ran out is ours all the same.
            return turn.done() and not turn.cancelled()
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise
        return True

    def give_back(self) -> None:
        """Hand a place that was taken to who is next."""
        self._free += 1
        self._call_up()

    def widen(self, by: int) -> None:
        """Make room for so many more, or fewer where `by` is negative: nobody who holds a place is sent away."""
        self._free += by
        self._call_up()

    def _call_up(self) -> None:
        while self._free > 0 and self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                self._free -= 1
                turn.set_result(None)


_AHEAD_SECONDS: Final = 0.25
"""How long a delivery may stand ready before its call: what forbids it meanwhile comes too late for it."""
_MOST_AHEAD: Final = 3
"""So many may stand ready for each call under way. A worker that is killed leaves them `unknown` as it does the calls:
nobody can tell them apart. So there are few, and only while calls are quick."""
_WEIGHT: Final = 0.1
"""How much one call counts for how long calls take."""


class Desk:
    """One provider's places: `calls` for calls under way, `ready` for deliveries on their way to one.

    Intents to call are written many at a time, so more deliveries are let in than the provider takes calls: as many
    as will find one free soon, by how long its calls took of late.
    """

    def __init__(self, calls: int) -> None:
        self.calls = Places(calls)
        self.ready = Places(calls)
        self._limit = calls
        self._ahead = 0
        self._seconds = _AHEAD_SECONDS * _MOST_AHEAD
        """How long a call takes, lately."""
        self._moved_at = 0.0

    def stuck_seconds(self, now: float) -> float:
        """For how long nobody has come through, by the monotonic clock; 0 while there is a free place."""
        if self.ready.is_full:
            return now - self._moved_at
        self._moved_at = now
        return 0.0

    def learn(self, seconds: float, now: float) -> None:
        """Take in how long a call took that ended now."""
        self._moved_at = now
        self._seconds += (seconds - self._seconds) * _WEIGHT
        ahead = int(self._limit * min(_AHEAD_SECONDS / max(self._seconds, 0.001), _MOST_AHEAD))
        if ahead != self._ahead:
            self.ready.widen(ahead - self._ahead)
            self._ahead = ahead
