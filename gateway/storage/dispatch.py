"""The queue of record: claims under a lease, facts for a batch of claims, fenced reservations and results."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.domain.ids import DeliveryId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus, advance, can_advance
from gateway.domain.messages import Content, Lane
from gateway.domain.recipients import Channel
from gateway.ports import Claim, Clock, Reservation, Step, StoredFacts
from gateway.storage import tables
from gateway.storage.accept import first_due, insert_deliveries, insert_events
from gateway.storage.batcher import Batcher
from gateway.storage.commit import GroupCommit
from gateway.storage.documents import content_document, dump, result_document, versions_document
from gateway.storage.engine import Database
from gateway.storage.facts import SUPPRESSIONS, read_facts
from gateway.storage.lanes import share
from gateway.storage.rows import (
    MESSAGE_WIDTH,
    attempt_row,
    delivery_of,
    delivery_row,
    event_row,
    message_of,
    names,
    suppression_of,
    suppression_row,
)
from gateway.storage.standing import refresh_status, select_attachments
from gateway.storage.statements import Insert, Row, select_in
from gateway.storage.tables import to_micros

_DUE: Final = (
    "SELECT id FROM deliveries WHERE lane = ? AND due_at <= ? AND lease_owner IS NULL AND due_at IS NOT NULL"
    " ORDER BY due_at, id LIMIT ?"
)
_TAKE: Final = "UPDATE deliveries SET lease_owner = ?, fence = fence + 1 WHERE id = ?"
_CLAIMED: Final = (
    f"SELECT {names(tables.messages, 'm.')}, {names(tables.deliveries, 'd.')}"  # noqa: S608 - our own names
    " FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.id IN ({keys})"
)
_HELD: Final = "SELECT id, fence, status FROM deliveries WHERE lease_owner IS NOT NULL AND id IN ({keys})"
_RESERVE: Final = (
    "UPDATE deliveries SET status = 'sending', reason = NULL, not_before = NULL, provider = ?, attempts = ?,"
    " address = ?, sender = ?, updated_at = ? WHERE id = ?"
)
_RENDERED: Final = (
    "UPDATE messages SET locale = ?, versions = ?,"
    " search = CASE WHEN instr(search, ?) THEN search ELSE search || ' ' || ? END WHERE id = ?"
)
_RECORD: Final = (
    "UPDATE deliveries SET status = ?, reason = ?, due_at = ?, not_before = ?,"
    " provider_message_id = coalesce(?, provider_message_id), lease_owner = NULL, updated_at = ? WHERE id = ?"
)
_FINISH: Final = "UPDATE attempts SET finished_at = ?, outcome = ?, result = ? WHERE delivery_id = ? AND number = ?"
_DROP_SECRETS: Final = (
    "UPDATE messages SET secrets = NULL, secrets_dropped = 1 WHERE id = ? AND secrets IS NOT NULL AND NOT EXISTS"
    # Under `all` another channel may still have to be rendered.
    " (SELECT 1 FROM deliveries WHERE message_id = messages.id AND due_at IS NOT NULL)"
)
_insert_contents: Final = Insert(
    tables.contents, suffix=" ON CONFLICT (delivery_id) DO UPDATE SET content = excluded.content"
)
_insert_attempts: Final = Insert(tables.attempts)
_insert_suppressions: Final = Insert(
    tables.suppressions,
    # What stands already and lasts as long stays as it is, with its own evidence.
    suffix=" ON CONFLICT (channel, address, reason, scope) DO UPDATE SET evidence = excluded.evidence,"
    " expires_at = excluded.expires_at WHERE expires_at IS NOT NULL"
    " AND (excluded.expires_at IS NULL OR excluded.expires_at > expires_at)",
)

_WAITING: Final = frozenset(
    {DeliveryStatus.ACCEPTED, DeliveryStatus.SCHEDULED, DeliveryStatus.HELD, DeliveryStatus.QUEUED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demand:
    worker: WorkerId
    limit: int
    now: datetime
    lowest: Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamped:
    """A step with the instant at which it is written."""

    step: Step
    now: int


class Dispatch:
    """`gateway.ports.DispatchStore` on SQLite."""

    def __init__(self, database: Database, commit: GroupCommit, facts: "FactsBatcher", clock: Clock) -> None:
        self._database = database
        self._commit = commit
        self._facts = facts
        self._clock = clock
        self._places = 0

    async def claim(self, worker: WorkerId, limit: int, now: datetime, lowest: Lane = Lane.LOW) -> Sequence[Claim]:
        """Take up to `limit` due deliveries; none while the worker is not in the book of workers."""
        demand = _Demand(worker=worker, limit=limit, now=now, lowest=lowest)
        return await self._commit.write(self._claim_all, demand)

    async def facts(
        self,
        claims: Sequence[Claim],
        now: datetime,  # noqa: ARG002 - what has expired is policy's to judge
    ) -> Mapping[DeliveryId, StoredFacts]:
        """Recipients, consents and suppressions for all claims, in a few queries."""
        return await self._facts.submit(claims)

    async def reserve(self, reservation: Reservation) -> bool:
        """Mark `sending` and write the attempt; False when the claim is lost or a suppression came between."""
        return await self._commit.write(_reserve_all, reservation)

    async def record(self, step: Step) -> bool:
        """Write a step and give the claim back; False when it is no longer ours (nothing was written)."""
        return await self._commit.write(_record_all, _Stamped(step=step, now=to_micros(self._clock.now())))

    async def next_due(self) -> datetime | None:
        """When the next waiting delivery falls due; None when nothing waits."""
        return await self._database.lookups.run(first_due)

    def _claim_all(self, driver: sqlite3.Connection, demands: Sequence[_Demand]) -> Sequence[Sequence[Claim]]:
        claims = []
        for demand in demands:
            taken = _take(driver, demand, self._places)
            self._places += len(taken)
            claims.append(taken)
        return claims


FactsBatcher = Batcher[Sequence[Claim], Mapping[DeliveryId, StoredFacts]]


def make_facts_batcher(database: Database) -> FactsBatcher:
    """Callers who ask for facts at the same time share the queries."""

    async def flush(asked: Sequence[Sequence[Claim]]) -> Sequence[Mapping[DeliveryId, StoredFacts]]:
        claims = [claim for group in asked for claim in group]
        found = await database.lookups.run(lambda driver: read_facts(driver, claims))
        return [{claim.delivery.id: found[claim.delivery.id] for claim in group} for group in asked]

    return Batcher(flush)


def _take(driver: sqlite3.Connection, demand: _Demand, turn: int) -> list[Claim]:
    if not driver.execute("SELECT 1 FROM workers WHERE id = ?", (demand.worker,)).fetchone():
        return []
    now = to_micros(demand.now)
    lanes = [lane for lane in Lane if lane <= demand.lowest]
    due = {lane: [row[0] for row in driver.execute(_DUE, (lane.value, now, demand.limit))] for lane in lanes}
    ids = share(due, demand.limit, turn)
    if not ids:
        return []
    driver.executemany(_TAKE, [(demand.worker, delivery_id) for delivery_id in ids])
    rows = select_in(driver, _CLAIMED, [(delivery_id,) for delivery_id in ids])
    files = select_attachments(driver, [row[0] for row in rows if row[_ATTACHMENTS]])
    claims = {
        row[MESSAGE_WIDTH]: Claim(
            message=message_of(row[:MESSAGE_WIDTH], files.get(row[0], ())),
            delivery=delivery_of(row[MESSAGE_WIDTH:]),
            fence=row[MESSAGE_WIDTH + _FENCE],
        )
        for row in rows
    }
    return [claims[delivery_id] for delivery_id in ids]


_ATTACHMENTS: Final = tables.messages.columns.keys().index("attachments")
_FENCE: Final = tables.deliveries.columns.keys().index("fence")


def _still_held(driver: sqlite3.Connection, claims: Sequence[Claim]) -> list[DeliveryStatus | None]:
    """The present status of each claim's delivery; None when it is no longer its holder's.

    Of several writes for one delivery in a batch only the first is served: after it the claim is another's.
    """
    rows = select_in(driver, _HELD, [(delivery_id,) for delivery_id in {claim.delivery.id for claim in claims}])
    held = {(row[0], row[1]): DeliveryStatus(row[2]) for row in rows}
    return [held.pop((claim.delivery.id, claim.fence), None) for claim in claims]


def _reserve_all(driver: sqlite3.Connection, reservations: Sequence[Reservation]) -> Sequence[bool]:
    held = _still_held(driver, [reservation.claim for reservation in reservations])
    suppressed = _newly_suppressed(driver, reservations)
    granted = [
        status is not None
        and can_advance(status, DeliveryStatus.SENDING)
        and reservation.claim.delivery.id not in suppressed
        for status, reservation in zip(held, reservations, strict=True)
    ]
    taken = [reservation for reservation, yes in zip(reservations, granted, strict=True) if yes]
    driver.executemany(_RESERVE, [_reserve_row(reservation) for reservation in taken])
    driver.executemany(_RENDERED, [_rendered_row(reservation) for reservation in taken])
    _insert_attempts(driver, [attempt_row(reservation.attempt) for reservation in taken])
    _insert_contents(
        driver,
        [(reservation.claim.delivery.id, dump(content_document(reservation.content))) for reservation in taken],
    )
    insert_events(driver, [event_row(event) for reservation in taken for event in reservation.events])
    refresh_status(driver, [reservation.claim.message.id for reservation in taken])
    return granted


def _newly_suppressed(driver: sqlite3.Connection, reservations: Sequence[Reservation]) -> set[DeliveryId]:
    """Deliveries that a suppression forbids which their decision did not know."""
    keys = {
        (reservation.claim.delivery.channel.value, address)
        for reservation in reservations
        for address in reservation.addresses
    }
    by_address: dict[tuple[str, str], list[Row]] = {}
    for row in select_in(driver, SUPPRESSIONS, list(keys)):
        by_address.setdefault((row[1], row[2]), []).append(row)
    if not by_address:
        return set()
    return {
        reservation.claim.delivery.id
        for reservation in reservations
        for address in reservation.addresses
        for row in by_address.get((reservation.claim.delivery.channel.value, address), ())
        if _forbids(row, reservation)
    }


def _forbids(row: Row, reservation: Reservation) -> bool:
    suppression, message = suppression_of(row), reservation.claim.message
    return suppression.id not in reservation.suppressions_seen and suppression.forbids(
        message.category, message.topic, reservation.attempt.started_at
    )


def _reserve_row(reservation: Reservation) -> Row:
    attempt, delivery = reservation.attempt, reservation.claim.delivery
    address = None if delivery.channel is Channel.PUSH else next(iter(reservation.addresses), None)
    return (
        attempt.provider,
        attempt.number,
        address,
        reservation.sender,
        to_micros(attempt.started_at),
        delivery.id,
    )


def _rendered_row(reservation: Reservation) -> Row:
    versions, headline = reservation.versions, _headline(reservation.content).lower()
    return (
        versions.resolved_locale,
        dump(versions_document(versions)),
        headline,
        headline,
        reservation.claim.message.id,
    )


def _headline(content: Content) -> str:
    """What the log's free-text filter knows of a content."""
    return str(getattr(content, "subject", "") or getattr(content, "title", ""))


def _record_all(driver: sqlite3.Connection, stamped: Sequence[_Stamped]) -> Sequence[bool]:
    held = _still_held(driver, [item.step.claim for item in stamped])
    kept = [(item, status) for item, status in zip(stamped, held, strict=True) if status is not None]
    steps = [item.step for item, _ in kept]
    driver.executemany(_RECORD, [_record_row(item, status) for item, status in kept])
    driver.executemany(_FINISH, [row for step in steps for row in _finish_rows(step)])
    insert_events(driver, [event_row(event) for step in steps for event in step.events])
    insert_deliveries(
        driver,
        [delivery_row(step.next_delivery, step.claim.message) for step in steps if step.next_delivery is not None],
    )
    _insert_suppressions(driver, [suppression_row(step.suppression) for step in steps if step.suppression])
    driver.executemany(_DROP_SECRETS, [(step.claim.message.id,) for step in steps if step.drop_secrets])
    refresh_status(driver, [step.claim.message.id for step in steps])
    return [status is not None for status in held]


def _record_row(item: _Stamped, current: DeliveryStatus) -> Row:
    step = item.step
    status = advance(current, step.status)
    due_at = None if step.due_at is None else to_micros(step.due_at)
    return (
        status.value,
        step.reason,
        due_at,
        due_at if status in _WAITING else None,
        step.provider_message_id,
        item.now,
        step.claim.delivery.id,
    )


def _finish_rows(step: Step) -> list[Row]:
    attempt = step.attempt
    if attempt is None or attempt.finished_at is None:
        return []
    result: Any = attempt.result
    return [
        (
            to_micros(attempt.finished_at),
            None if result is None else result.outcome.value,
            None if result is None else dump(result_document(result)),
            attempt.delivery_id,
            attempt.number,
        )
    ]
