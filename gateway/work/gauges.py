"""Gauges of what waits, read from the store by every process: where no worker lives, those that accept still tell."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from gateway.delivery.upkeep.spending import SpendingReport, Standing
from gateway.errors import Unavailable
from gateway.metrics import Metrics
from gateway.ports import Clock, Waiting, WatchStore

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

READ_SECONDS: Final = 10.0
ENDPOINT_STATES: Final = ("working", "failing", "disabled", "off")
AGES: Final = {
    "under_15m": timedelta(minutes=15),
    "under_1h": timedelta(hours=1),
    "under_1d": timedelta(days=1),
    "older": timedelta.max,
}
"""How long ago an answer was lost; within `unknown_after`, 15 minutes unless set, receipts may still settle it."""


class Gauges:
    """Reads what waits while its block is open, every ten seconds, and shows it to Prometheus."""

    def __init__(
        self, *, store: WatchStore, clock: Clock, metrics: Metrics, spending: SpendingReport | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._spending = spending
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._keep_reading())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self.read()
            except Unavailable as error:
                # They stay as they were: whether the store is there is told by readiness.
                _log.warning("store.unavailable", loop="gauges", error=error.message)
            await asyncio.sleep(READ_SECONDS)

    async def read(self) -> None:
        """Read and show once. Raises Unavailable."""
        now = self._clock.now()
        self._show(await self._store.waiting(now), now)
        if self._spending is not None:
            self._show_spending(await self._spending.standing())

    def _show(self, waiting: Waiting, now: datetime) -> None:
        metrics = self._metrics
        # What no longer waits must not go on showing its last age.
        metrics.oldest_due_seconds.clear()
        for (channel, lane), due_at in waiting.oldest_due.items():
            seconds = max((now - due_at).total_seconds(), 0.0)
            metrics.oldest_due_seconds.labels(channel.value, lane.name.lower()).set(seconds)
        metrics.held.clear()
        for reason, count in waiting.held.items():
            metrics.held.labels(reason).set(count)
        counts = Counter(age_of(now - since) for since in waiting.unknown_since)
        for state in ENDPOINT_STATES:
            metrics.webhook_endpoints.labels(state).set(waiting.endpoints.get(state, 0))
        metrics.webhook_notices.set(waiting.notices)
        for age in AGES:
            metrics.unknown.labels(age).set(counts[age])

    def _show_spending(self, standing: Standing) -> None:
        metrics = self._metrics
        metrics.spending_used.clear()
        # Of each limit the fullest comes first.
        for one in reversed(standing.used):
            metrics.spending_used.labels(one.limit.name).set(one.share)
        metrics.complaint_rate.set(max([one.rate for one in standing.complained if one.is_telling], default=0.0))


def age_of(passed: timedelta) -> str:
    """The first of `AGES` that this is within."""
    return next(name for name, limit in AGES.items() if passed < limit)
