"""Who is alive, without trusting a clock: a worker that stops beating loses its claims."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.ids import EVENT, DeliveryId, EventId, MessageId, WorkerId, make_id
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import WORKER_LOST, DeliveryStatus
from gateway.domain.messages import Event
from gateway.ports import Clock
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.locks import skipping_locked
from gateway.storage.engines.statements import Row
from gateway.storage.events import write_events
from gateway.storage.queue.standing import refresh_status
from gateway.storage.rows import event_row

SILENCE_SECONDS: Final = 30.0
"""How long the sweeper's own clock lets a worker be silent."""

_FIRST_LOOK: Final = timedelta(seconds=10)
"""After a call was found to have ended with its worker."""

_JOIN: Final = (
    "INSERT INTO workers (id, beat, joined_at) VALUES (?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET beat = workers.beat + 1, joined_at = excluded.joined_at"
)
_LOST_CLAIMS: Final = skipping_locked(
    "SELECT id, message_id, status, provider FROM deliveries"
    " WHERE lease_owner IS NOT NULL AND lease_owner NOT IN (SELECT id FROM workers)"
)
"""Without those that their late owner or another sweep has in hand: the next sweep finds them."""
_CLAIMS_OF: Final = skipping_locked("SELECT id, message_id, status, provider FROM deliveries WHERE lease_owner = ?")
_LEASED: Final = "SELECT id FROM deliveries WHERE lease_owner = ?"
_RELEASE_OF_DEAD: Final = (
    "UPDATE deliveries SET lease_owner = NULL, fence = fence + 1, claims = CASE claims WHEN 0 THEN 1 ELSE claims END"
    " WHERE id = ?"
)
"""It may have killed its worker, as may any of its neighbours: how often it did is counted while it is tried alone."""
_RELEASE_FORGOTTEN: Final = (
    "UPDATE deliveries SET lease_owner = NULL, fence = fence + 1, claims = claims + 1 WHERE id = ?"
)
"""Its own job ended before its time."""
_SETTLE: Final = (
    "UPDATE deliveries SET lease_owner = NULL, fence = fence + 1, status = ?, reason = ?, due_at = ?, not_before = ?,"
    " updated_at = ? WHERE id = ?"
)
_UNDER_WAY: Final = (
    "SELECT provider FROM attempts WHERE delivery_id = ? AND started_at ="
    " (SELECT max(started_at) FROM attempts WHERE delivery_id = ?)"
)
"""Devices of several platforms are called for at the same time, each at its own provider."""


@dataclass(frozen=True, slots=True)
class _Seen:
    beat: int
    at: float


class Leases:
    """`gateway.ports.LeaseStore`.

    `idempotent_providers` names those whose repeated call sends nothing twice: what was under way at one of them
    is queued again; elsewhere it becomes `unknown`, and is soon looked after: some providers can be asked.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        idempotent_providers: Collection[str],
        unknown_after: timedelta,
    ) -> None:
        self._writer = database.writer
        self._reader = database.lookups
        self._signs = database.signs
        self._clock = clock
        self._idempotent = frozenset(idempotent_providers)
        self._unknown_after = unknown_after
        self._seen: dict[WorkerId, _Seen] = {}

    async def join(self, worker: WorkerId) -> None:
        """Enter the book of workers."""
        row = (worker, 0, to_micros(self._clock.now()))
        await self._writer.run(lambda driver: driver.execute(_JOIN, row))
        await self._signs.show(worker)

    async def beat(self, worker: WorkerId) -> bool:
        """Say that it lives; False when it was struck off meanwhile and must stop and join anew."""
        statement = "UPDATE workers SET beat = beat + 1 WHERE id = ?"
        return await self._writer.run(lambda driver: driver.execute(statement, (worker,))) == 1

    async def leave(self, worker: WorkerId) -> None:
        """Give back every claim that is not `sending` and strike it off."""
        await self._writer.run(lambda driver: _leave(driver, worker))
        await self._signs.hide(worker)

    async def count(self) -> int:
        """How many workers are in the book."""
        return len(await self._reader.run(lambda driver: driver.fetch("SELECT id FROM workers")))

    async def release_dead(self, worker: WorkerId, now: datetime) -> int:
        """Strike off workers that died, as `worker` sees them; how many claims were released."""
        book = await self._reader.run(lambda driver: driver.fetch("SELECT id, beat FROM workers"))
        missing = await self._signs.missing()
        dead = [
            (other, beat)
            for other, beat in book
            if other != worker and (self._is_silent(WorkerId(other), beat) or other in missing)
        ]
        self._seen = {other: seen for other, seen in self._seen.items() if any(other == row[0] for row in book)}
        released, struck = await self._writer.run(lambda driver: self._strike(driver, dead, now))
        for other in struck:
            await self._signs.hide(other)
        return released

    async def release_forgotten(self, worker: WorkerId, held: Collection[DeliveryId], now: datetime) -> int:
        """Release the claims of `worker` on all but the `held` deliveries, as those of a dead one; how many."""

        async def are_there(driver: Driver) -> bool:
            return any(row[0] not in held for row in await driver.fetch(_LEASED, (worker,)))

        async def release(driver: Driver) -> int:
            claims = await driver.fetch(_CLAIMS_OF[driver.engine], (worker,))
            forgotten = [row for row in claims if row[0] not in held]
            return await self._release(driver, _RELEASE_FORGOTTEN, forgotten, now)

        if not await self._reader.run(are_there):
            return 0
        return await self._writer.run(release)

    def _is_silent(self, other: WorkerId, beat: int) -> bool:
        monotonic = self._clock.monotonic()
        seen = self._seen.get(other)
        if seen is None or seen.beat != beat:
            seen = self._seen[other] = _Seen(beat, monotonic)
        return monotonic - seen.at >= SILENCE_SECONDS

    async def _strike(
        self, driver: Driver, dead: Sequence[tuple[WorkerId, int]], now: datetime
    ) -> tuple[int, list[WorkerId]]:
        struck = [
            other
            for other, beat in dead
            # One that beat since we looked is alive after all.
            if await driver.execute("DELETE FROM workers WHERE id = ? AND beat = ?", (other, beat))
        ]
        lost = await driver.fetch(_LOST_CLAIMS[driver.engine])
        return await self._release(driver, _RELEASE_OF_DEAD, lost, now), struck

    async def _release(self, driver: Driver, release: str, lost: Sequence[Row], now: datetime) -> int:
        for delivery_id, message_id, status, provider in lost:
            if status == DeliveryStatus.SENDING:
                await self._settle(driver, delivery_id, message_id, provider, now)
            else:
                await driver.execute(release, (delivery_id,))
        await refresh_status(driver, [row[1] for row in lost])
        return len(lost)

    async def _settle(
        self, driver: Driver, delivery_id: DeliveryId, message_id: MessageId, provider: str, now: datetime
    ) -> None:
        calls = await driver.fetch(_UNDER_WAY, (delivery_id, delivery_id))
        if provider in self._idempotent and all(called in self._idempotent for (called,) in calls):
            status, due, not_before = DeliveryStatus.QUEUED, now, to_micros(now)
        else:
            status, due, not_before = DeliveryStatus.UNKNOWN, now + min(self._unknown_after, _FIRST_LOOK), None
        await driver.execute(
            _SETTLE, (status.value, WORKER_LOST, to_micros(due), not_before, to_micros(now), delivery_id)
        )
        event = Event(
            id=EventId(make_id(EVENT, now)),
            message_id=message_id,
            delivery_id=delivery_id,
            type=f"delivery.{status.value}",
            at=now,
            data={"reason": WORKER_LOST, "provider": provider},
        )
        await write_events(driver, [event_row(event)])


async def _leave(driver: Driver, worker: WorkerId) -> None:
    await driver.execute(
        "UPDATE deliveries SET lease_owner = NULL, fence = fence + 1 WHERE lease_owner = ? AND status <> 'sending'",
        (worker,),
    )
    await driver.execute("DELETE FROM workers WHERE id = ?", (worker,))
