"""Shedding load before anything is lost: a gateway whose backlog is too old promises nothing more."""

import asyncio
import contextlib
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from gateway.domain.messages import Lane
from gateway.errors import Overloaded, Unavailable
from gateway.ports import AcceptStore, Clock

_BELIEVED_SECONDS: Final = 1.0
_FORGOTTEN_SECONDS: Final = 5.0
"""An age that was read so long ago says nothing: then a post waits for another."""
_URGENT_FACTOR: Final = 5
"""Urgent lanes overtake a backlog, so they are refused only when even that has stopped working."""
SHED_RETRY_SECONDS: Final = 10.0
"""When those who were refused may ask again."""


class Admission:
    """Refuses new messages while the longest-waiting due delivery is older than the limit.

    The store is asked once a second while posts come, and none of them waits for it but the first after a while: a
    post costs a comparison, however slow the store is under load.
    """

    def __init__(self, store: AcceptStore, clock: Clock, shed_after: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._limit = shed_after
        self._urgent_limit = shed_after * _URGENT_FACTOR
        self._age = timedelta(0)
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    @property
    def is_shedding(self) -> bool:
        """Whether ordinary messages are refused, as far as was seen within the last seconds."""
        return self._age > self._limit and self._clock.monotonic() - self._asked_at < _FORGOTTEN_SECONDS

    async def admit(self, lane: Lane) -> None:
        """Raises Overloaded when a message of this lane must not be taken now; the lowest lanes go first."""
        passed = self._clock.monotonic() - self._asked_at
        if passed >= _BELIEVED_SECONDS:
            if passed >= _FORGOTTEN_SECONDS:
                await self._look()
            elif self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look_aside(), name="admission")
        if self._age > (self._urgent_limit if lane <= Lane.HIGH else self._limit):
            seconds = int(self._age.total_seconds())
            raise Overloaded(f"The oldest due message has waited for {seconds} s; try again later.", SHED_RETRY_SECONDS)

    async def _look_aside(self) -> None:
        # What is known stands meanwhile; a store that stays away is met again once that is forgotten.
        with contextlib.suppress(Unavailable, Overloaded):
            await self._look()

    async def _look(self) -> None:
        async with self._asking:
            if self._clock.monotonic() - self._asked_at >= _BELIEVED_SECONDS:
                now = self._clock.now()
                oldest = await self._store.oldest_due(now)
                self._age = timedelta(0) if oldest is None else now - oldest
                self._asked_at = self._clock.monotonic()
