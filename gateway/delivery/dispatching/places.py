"""Who may call a provider now, and who is next: the most urgent lane, then who came first."""

import asyncio
import heapq
from itertools import count

from gateway.domain.messages import Lane


class Places:
    """A bounded number of places in which a one-time code never queues behind a campaign."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._moved_at = 0.0
        self._queue: list[tuple[Lane, int, asyncio.Future[None]]] = []
        self._tickets = count()

    @property
    def is_full(self) -> bool:
        """Whether who comes now has to wait."""
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
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                return turn.set_result(None)
        self._free += 1
        return None

    def stuck_seconds(self, now: float) -> float:
        """For how long nobody has come through, by the monotonic clock; 0 while there is a free place."""
        if self.is_full:
            return now - self._moved_at
        self._moved_at = now
        return 0.0

    def moved(self, now: float) -> None:
        """Somebody has come through."""
        self._moved_at = now
