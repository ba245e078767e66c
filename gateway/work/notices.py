"""The loop that calls notices out, beside the worker and apart from it: a slow endpoint delays no message."""

import asyncio
import contextlib
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from gateway.delivery.notifying.notifier import Notifier
from gateway.delivery.notifying.pacing import share
from gateway.domain.ids import EndpointId
from gateway.domain.webhooks import Endpoint, Notice
from gateway.errors import Unavailable
from gateway.ports import Clock, NoticeStore, Told
from gateway.work.doorbell import Doorbell
from gateway.work.rounds import keep_running

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
_CLEAR_SECONDS: Final = 10.0
_LAST_CALLS_SECONDS: Final = 1.0
"""So long calls under way may take once the process is told to stop; who is cut hears of the event again."""
_GRACE: Final = timedelta(seconds=5)
"""What a notice is ours for beyond the time of its call, so that its answer is written by then."""


class NoticeLoop:
    """Calls out what is due while its block is open."""

    def __init__(
        self,
        *,
        store: NoticeStore,
        notifier: Notifier,
        clock: Clock,
        in_flight: int,
        timeout: timedelta,
        longest: timedelta,
    ) -> None:
        """`timeout` is that of one call; nothing is ever due later than `longest` from now."""
        self._store = store
        self._notifier = notifier
        self._clock = clock
        self._places = in_flight
        self._patience = timeout + _GRACE
        self._longest = longest
        self._latest: datetime | None = None
        self._jobs: dict[asyncio.Task[None], tuple[Endpoint, Notice]] = {}
        self._free = Doorbell()
        """Rung whenever a call has ended."""
        self._loops: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        rounds = (("notices", self._look), ("replays", self._replay), ("cleared", self._clear))
        self._loops = [asyncio.create_task(keep_running(name, run)) for name, run in rounds]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=_LAST_CALLS_SECONDS)
        cut = dict(self._jobs)
        for job in cut:
            job.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self._store.give_back([notice for _, notice in cut.values()])

    async def _look(self) -> None:
        """One look at what is due, and a nap until a place is free or a second has passed."""
        now = await self._now()
        free = self._places - len(self._jobs)
        listeners = await self._store.listeners(now) if free > 0 else ()
        under_way = [endpoint for endpoint, _ in self._jobs.values()]
        if places := share(listeners, under_way, free):
            await self._start({one.id: one for one in listeners}, places, now)
        await self._free.wait(_LOOK_SECONDS)

    async def _start(self, listeners: dict[EndpointId, Endpoint], places: dict[EndpointId, int], now: datetime) -> None:
        notices = await self._store.take(places, now, self._patience)
        told = await self._store.read(notices)
        for notice in notices:
            endpoint = listeners[notice.endpoint_id]
            job = asyncio.create_task(self._call(endpoint, notice, told.get(notice)))
            self._jobs[job] = (endpoint, notice)
            job.add_done_callback(self._finish)

    async def _call(self, endpoint: Endpoint, notice: Notice, told: Told | None) -> None:
        try:
            await self._notifier.call(endpoint, notice, told)
        except Exception as error:  # the job wrapper: what is not settled is taken again
            _log.error("notice.dropped", notice=notice.event_id, error=type(error).__name__)

    def _finish(self, job: asyncio.Task[None]) -> None:
        del self._jobs[job]
        self._free.ring()

    async def _replay(self) -> None:
        if not await self._store.replay(self._clock.now()):
            await asyncio.sleep(_LOOK_SECONDS)

    async def _clear(self) -> None:
        if not await self._store.clear(self._clock.now()):
            await asyncio.sleep(_CLEAR_SECONDS)

    async def _now(self) -> datetime:
        """The wall clock; where it was set back, what that would delay is due in time."""
        now = self._clock.now()
        if self._latest is None or now < self._latest - timedelta(seconds=1):
            await self._store.catch_up(now + self._longest)
            self._latest = now
        self._latest = max(self._latest, now)
        return now
