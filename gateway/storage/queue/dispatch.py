"""The queue of record, as the dispatcher sees it: its calls, batched with everybody else's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog

from gateway.domain.ids import DeliveryId, WorkerId
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Lane
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.values import replace
from gateway.errors import InvalidRequest
from gateway.ports import Claim, Clock, Reservation, Step, StoredFacts
from gateway.storage.documents import UNREADABLE
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.driver import Driver, Engine
from gateway.storage.engines.engine import Database
from gateway.storage.queue.accept import first_due
from gateway.storage.queue.claims import Demand, take
from gateway.storage.queue.reservations import reserve_all
from gateway.storage.queue.results import record_all
from gateway.storage.queue.spending import Refunds, look_again_at_held
from gateway.storage.queue.stored_facts import FactsReader
from gateway.storage.tracking.tracking import Stamped

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Dispatch:
    """`gateway.ports.DispatchStore`."""

    def __init__(
        self, database: Database, commit: GroupCommit, facts: FactsReader, pseudonyms: Pseudonyms, clock: Clock
    ) -> None:
        self._database = database
        self._commit = commit
        self._facts = facts
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._places = 0
        self._refunds = Refunds()

    async def claim(self, worker: WorkerId, limit: int, now: datetime, lowest: Lane = Lane.LOW) -> Sequence[Claim]:
        """Take up to `limit` due deliveries with their facts; none while the worker is not in the book of workers."""
        demand = Demand(worker=worker, limit=limit, now=now, lowest=lowest)
        try:
            return await self._commit.write(self._claim_with_facts, demand)
        except InvalidRequest as error:
            # The database refuses what one of them has to be looked up by; that undid the claim.
            _log.warning("claims.without_facts", error=type(error).__name__)
            return await self._commit.write(self._claim_all, demand)

    async def facts(
        self,
        claims: Sequence[Claim],
        *,
        slots: bool = False,
    ) -> Mapping[DeliveryId, StoredFacts]:
        """Recipients, consents and suppressions for all claims, in a few queries; slots where caps may apply."""
        return await self._facts.ask(claims, slots=slots)

    async def reserve(self, reservation: Reservation) -> bool:
        """Mark `sending` and write the attempt; False when the claim is lost, a suppression or the person's word came
        between, or a cap is used up."""
        return await self._commit.write(self._reserve_all, reservation)

    async def record(self, step: Step) -> bool:
        """Write a step and give the claim back; False when it is no longer ours (nothing was written)."""
        return await self._commit.write(self._record_all, Stamped(step=step, now=to_micros(self._clock.now())))

    async def note_failed_claims(self, claim: Claim, count: int) -> None:
        """Write down how many claims of it count as failed; nothing happens where the claim is lost."""
        row = (count, claim.delivery.id, claim.fence)
        await self._database.writer.run(lambda driver: driver.execute(_NOTE_FAILED_CLAIMS, row))

    async def next_due(self) -> datetime | None:
        """When the next waiting delivery falls due; None when nothing waits."""
        return await self._database.lookups.run(first_due)

    async def catch_up(self, now: datetime, latest: datetime) -> int:
        """After the wall clock was set back: what waits for nothing is due now, no retry later than `latest`."""
        return await self._database.writer.run(lambda driver: _catch_up(driver, to_micros(now), to_micros(latest)))

    async def look_again_at_held(self, now: datetime) -> int:
        """`gateway.ports.RefundStore`: those that are held for want of room under a limit, as far as there is some."""
        count = self._refunds.take()
        if not count:
            return 0
        return await self._database.writer.run(lambda driver: look_again_at_held(driver, count, to_micros(now)))

    async def _reserve_all(self, driver: Driver, reservations: Sequence[Reservation]) -> Sequence[bool]:
        return await reserve_all(driver, reservations, self._pseudonyms)

    async def _record_all(self, driver: Driver, stamped: Sequence[Stamped]) -> Sequence[bool]:
        self._refunds.note(item.step for item in stamped)
        return await record_all(driver, stamped, self._pseudonyms)

    async def _claim_all(self, driver: Driver, demands: Sequence[Demand]) -> Sequence[Sequence[Claim]]:
        claims = []
        for demand in demands:
            taken = await take(driver, demand, self._places)
            self._places += len(taken)
            claims.append(taken)
        return claims

    async def _claim_with_facts(self, driver: Driver, demands: Sequence[Demand]) -> Sequence[Sequence[Claim]]:
        taken = await self._claim_all(driver, demands)
        try:
            facts = await self._facts.read(driver, [claim for claims in taken for claim in claims])
        except Exception as error:
            # A file goes on after a SELECT that failed; on a server that has undone the claim.
            if driver.engine is Engine.POSTGRESQL and not isinstance(error, UNREADABLE):
                raise
            # Each job asks for its own, and only who cannot be read is set aside.
            _log.warning("claims.without_facts", error=type(error).__name__)
            return taken
        return [[replace(claim, facts=facts[claim.delivery.id]) for claim in claims] for claims in taken]


_NOTE_FAILED_CLAIMS: Final = "UPDATE deliveries SET claims = ? WHERE id = ? AND fence = ? AND lease_owner IS NOT NULL"
_CATCH_UP: Final = "UPDATE deliveries SET due_at = ? WHERE status = ? AND due_at > ? AND lease_owner IS NULL"


async def _catch_up(driver: Driver, now: int, latest: int) -> int:
    accepted = await driver.execute(_CATCH_UP, (now, DeliveryStatus.ACCEPTED.value, now))
    retried = await driver.execute(_CATCH_UP, (latest, DeliveryStatus.QUEUED.value, latest))
    return accepted + retried
