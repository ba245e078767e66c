"""The worker: claims what is due, gives each claim its own task, and owns every task it starts.

The same in every mode; what differs is who rings its doorbell.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from gateway.delivery.dispatching.dispatch import Dispatcher
from gateway.delivery.upkeep.recovery import Sweeper
from gateway.domain import ids
from gateway.domain.ids import WorkerId
from gateway.domain.messages import Lane
from gateway.errors import Unavailable
from gateway.metrics import Metrics
from gateway.ports import Claim, Clock, DispatchStore, LeaseStore, Wake
from gateway.work.doorbell import Doorbell
from gateway.work.rounds import keep_running

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
"""The longest nap: so that neither a lost ring nor a step of the wall clock delays anything for longer."""
_BEAT_SECONDS: Final = 10.0
_SWEEP_SECONDS: Final = 10.0
_CLOCK_STEP: Final = timedelta(seconds=1)
"""A wall clock may creep back by less than this (NTP slew); it delays nothing for longer."""
_URGENT_SHARE: Final = 8
"""One place in so many is kept for the lanes `critical` and `high`."""
_BATCH_SHARE: Final = 4
"""While busy, places are refilled once this fraction of them has come free: one claim for many."""


class Worker:
    """Claims and dispatches while its block is open; leaving it finishes the calls that are under way.

    Claims that are still at work after `drain` are cut: their deliveries become `unknown`, as after a crash.
    """

    def __init__(
        self,
        *,
        queue: DispatchStore,
        leases: LeaseStore,
        dispatcher: Dispatcher,
        sweeper: Sweeper,
        wake: Doorbell,
        clock: Clock,
        metrics: Metrics,
        in_flight: int,
        longest_retry: timedelta,
        drain: timedelta,
        others: Wake | None,
    ) -> None:
        self._queue = queue
        self._leases = leases
        self._dispatcher = dispatcher
        self._sweeper = sweeper
        self._wake = wake
        self._others = others
        """Other workers, who are told when more may be due than this one can take."""
        self._clock = clock
        self._metrics = metrics
        self._places = in_flight
        self._kept_for_urgent = in_flight // _URGENT_SHARE
        self._longest_retry = longest_retry
        self._latest: datetime | None = None
        """The latest instant that the wall clock has shown; None before the first look."""
        self._drain = drain
        self._id = WorkerId("")
        self._jobs: dict[asyncio.Task[None], Claim] = {}
        self._ordinary = 0
        """How many of them are of lanes that are not urgent."""
        self._taking = asyncio.Lock()
        """Held from a claim until each of its deliveries has its job: who holds it sees every claim with its job."""
        self._finished = 0
        self._claiming: asyncio.Task[None]
        self._loops: list[asyncio.Task[None]] = []
        self._stopping = False
        self._stopped_at = 0.0

    def stop(self) -> None:
        """Claim nothing more; the time that calls under way have left runs from the first such call."""
        if not self._stopping:
            self._stopping = True
            self._stopped_at = self._clock.monotonic()
            self._wake.ring()

    async def drain(self) -> None:
        """Stop, and wait for the calls under way, no longer than they have left."""
        self.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain.total_seconds() - (self._clock.monotonic() - self._stopped_at)):
                # A claim that was under way when we stopped still starts its jobs.
                await asyncio.wait([self._claiming])
                if self._jobs:
                    _log.info("worker.draining", in_flight=len(self._jobs))
                    await asyncio.wait(self._jobs)

    @property
    def is_working(self) -> bool:
        """Whether it claims what falls due: its loops run and it was not told to stop."""
        return (
            not self._stopping and bool(self._loops) and not any(loop.done() for loop in (self._claiming, *self._loops))
        )

    async def sweep(self) -> None:
        """One round of putting right what crashes and dropped jobs left behind. Raises Unavailable."""
        async with self._taking:
            await self._sweeper.give_back(self._id, {claim.delivery.id for claim in self._jobs.values()})
        await self._sweeper.sweep(self._id)

    async def __aenter__(self) -> Self:
        await self._join()
        await self.sweep()
        self._dispatcher.share_limits(await self._leases.count())
        self._claiming = asyncio.create_task(keep_running("claims", self._claim, lambda: not self._stopping))
        # These two go on while calls finish: a worker that drains is alive.
        rounds = (("heartbeat", self._beat), ("sweep", self._sweep))
        self._loops = [asyncio.create_task(keep_running(name, run)) for name, run in rounds]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()
        tasks = [*self._jobs, *self._loops, self._claiming]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self._leases.leave(self._id)

    async def _claim(self) -> None:
        """One look at the queue, and a nap if there was nothing to take."""
        free, free_for_all = self._free_places()
        now = await self._now()
        due = await self._queue.next_due() if free > 0 else None
        if due is None or due > now:
            until_due = _LOOK_SECONDS if due is None else (due - now).total_seconds()
            return await self._wake.wait(min(until_due, _LOOK_SECONDS))
        lowest = Lane.LOW if free_for_all > 0 else Lane.HIGH
        wanted = free_for_all or free
        async with self._taking:
            claims = await self._queue.claim(self._id, wanted, now, lowest)
            if len(claims) == wanted and self._others is not None:
                self._others.ring()
            if claims:
                return self._start(claims)
        return await self._wake.wait(_LOOK_SECONDS)

    async def _now(self) -> datetime:
        """The wall clock; where it was set back, what that would delay is due at once.

        Due times are kept by the wall clock, so a step back makes what was due an hour ago due in the future.
        """
        now = self._clock.now()
        if self._latest is None or now < self._latest - _CLOCK_STEP:
            late = await self._queue.catch_up(now, now + self._longest_retry)
            if self._latest is not None:
                _log.warning("clock.set_back", seconds=(self._latest - now).total_seconds(), late=late)
            self._latest = now
        self._latest = max(self._latest, now)
        return now

    def _free_places(self) -> tuple[int, int]:
        """How many places are free for the urgent lanes, and how many of these for every lane."""
        free = self._places - len(self._jobs)
        return free, max(min(free, self._places - self._kept_for_urgent - self._ordinary), 0)

    def _start(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            job = asyncio.create_task(self._dispatcher.dispatch(claim))
            self._jobs[job] = claim
            self._ordinary += _is_ordinary(claim)
            job.add_done_callback(self._finish)
        self._metrics.in_flight.set(len(self._jobs))

    def _finish(self, job: asyncio.Task[None]) -> None:
        claim = self._jobs.pop(job)
        self._ordinary -= _is_ordinary(claim)
        if not job.cancelled() and (error := job.exception()) is not None:
            # Not even its failure could be recorded: the next sweep gives the claim back.
            _log.error("claim.dropped", delivery=claim.delivery.id, error=type(error).__name__)
        self._finished += 1
        self._metrics.in_flight.set(len(self._jobs))
        if not self._jobs or self._finished % max(self._places // _BATCH_SHARE, 1) == 0:
            self._wake.ring()

    async def _beat(self) -> None:
        await asyncio.sleep(_BEAT_SECONDS)
        if not await self._leases.beat(self._id):
            # Others held us for dead: our claims are theirs now, and the fence keeps our writes out.
            _log.warning("worker.struck_off", worker=self._id)
            await self._join()
        self._dispatcher.share_limits(await self._leases.count())

    async def _sweep(self) -> None:
        await asyncio.sleep(_SWEEP_SECONDS)
        await self.sweep()

    async def _join(self) -> None:
        joined = WorkerId(ids.make_id(ids.WORKER, self._clock.now()))
        await self._leases.join(joined)
        self._id = joined


def _is_ordinary(claim: Claim) -> bool:
    return claim.message.lane > Lane.HIGH
