"""The sweep: claims of workers that died, a ring for what was overlooked, early receipts, and what is past its time."""

from collections.abc import Collection

import structlog

from gateway.delivery.people.erasure import Eraser
from gateway.delivery.tracking.receipts import Tracker
from gateway.delivery.upkeep.retention import Forgetter
from gateway.domain.ids import DeliveryId, WorkerId
from gateway.metrics import Metrics
from gateway.ports import Clock, LeaseStore, RefundStore, Wake

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Sweeper:
    """Puts right what a crash left behind. Every process sweeps; two sweeps at once harm nothing."""

    def __init__(
        self,
        *,
        leases: LeaseStore,
        refunds: RefundStore,
        forgetter: Forgetter,
        eraser: Eraser,
        tracker: Tracker,
        wake: Wake,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._leases = leases
        self._refunds = refunds
        self._forgetter = forgetter
        self._eraser = eraser
        self._tracker = tracker
        self._wake = wake
        self._clock = clock
        self._metrics = metrics

    async def give_back(self, worker: WorkerId, held: Collection[DeliveryId]) -> None:
        """Release what `worker` has claimed and none of its jobs holds: a job may end without recording its step.

        No claim may be under way meanwhile. Raises Unavailable.
        """
        if forgotten := await self._leases.release_forgotten(worker, held, self._clock.now()):
            self._metrics.claims_released.inc(forgotten)
            _log.warning("claims.forgotten", count=forgotten)

    async def sweep(self, worker: WorkerId) -> None:
        """One round, on behalf of a living worker. Raises Unavailable."""
        now = self._clock.now()
        released = await self._leases.release_dead(worker, now)
        if released:
            self._metrics.claims_released.inc(released)
            _log.warning("claims.released", count=released)
        await self._refunds.look_again_at_held(now)
        self._wake.ring()
        await self._tracker.sweep()
        await self._eraser.sweep()
        await self._forgetter.sweep()
