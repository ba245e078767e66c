"""Shedding load before anything is lost: a gateway whose backlog is too old promises nothing more."""

import asyncio
from datetime import timedelta
from typing import Final

from gateway.domain.messages import Lane
from gateway.errors import Overloaded
from gateway.ports import AcceptStore, Clock

_BELIEVED_SECONDS: Final = 1.0
_URGENT_FACTOR: Final = 5
"""Urgent lanes overtake a backlog, so they are refused only when even that has stopped working."""
_RETRY_AFTER_SECONDS: Final = 10.0


class Admission:
    """Refuses new messages while the longest-waiting due delivery is older than the limit.

    The store is asked at most once a second, so a post costs a comparison.
    """

    def __init__(self, store: AcceptStore, clock: Clock, shed_after: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._limit = shed_after
        self._urgent_limit = shed_after * _URGENT_FACTOR
        self._age = timedelta(0)
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def admit(self, lane: Lane) -> None:
        """Raises Overloaded when a message of this lane must not be taken now; the lowest lanes go first."""
        if not self._is_fresh():
            await self._look()
        if self._age > (self._urgent_limit if lane <= Lane.HIGH else self._limit):
            seconds = int(self._age.total_seconds())
            raise Overloaded(
                f"The oldest due message has waited for {seconds} s; try again later.", _RETRY_AFTER_SECONDS
            )

    async def _look(self) -> None:
        async with self._asking:
            if not self._is_fresh():
                now = self._clock.now()
                oldest = await self._store.oldest_due(now)
                self._age = timedelta(0) if oldest is None else now - oldest
                self._asked_at = self._clock.monotonic()

    def _is_fresh(self) -> bool:
        return self._asked_at is not None and self._clock.monotonic() - self._asked_at < _BELIEVED_SECONDS
