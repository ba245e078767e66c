"""Where a 202 becomes true: messages, their deliveries and events, in one durable transaction."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final

from gateway.domain.ids import ServiceId
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.messages import Lane
from gateway.domain.values import Value
from gateway.ports import (
    AcceptOutcome,
    BatchOutcome,
    BatchReplayed,
    Clock,
    Idempotency,
    Mismatched,
    NewMessage,
    Replayed,
    Stored,
)
from gateway.storage import tables
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.events import write_events
from gateway.storage.people.recipients import remember
from gateway.storage.queue import idempotency
from gateway.storage.rows import attachment_rows, delivery_row, event_row, message_row

insert_deliveries: Final = Insert(tables.deliveries, skip=frozenset({"claims", "subject", "own_status"}))
_messages: Final = Insert(tables.messages)
_attachments: Final = Insert(tables.attachments)
_tags: Final = Insert(tables.message_tags, suffix=" ON CONFLICT DO NOTHING")
_OLDEST_DUE: Final = " UNION ALL ".join(
    "SELECT * FROM (SELECT due_at FROM deliveries WHERE lane = "  # noqa: S608 - numbers of our own
    f"{lane.value} AND lease_owner IS NULL AND due_at IS NOT NULL ORDER BY due_at LIMIT 1) AS l{lane.value}"
    for lane in Lane
)


async def first_due(driver: Driver) -> datetime | None:
    """The earliest due time of all that can be claimed: one look into the index per lane."""
    due = [micros for (micros,) in await driver.fetch(_OLDEST_DUE)]
    return from_micros(min(due)) if due else None


class _Entry(Value, frozen=True, kw_only=True):
    """A new message with its rows, made ready outside the transaction."""

    new: NewMessage
    message: Row
    deliveries: list[Row]
    events: list[Row]


def _prepare(new: NewMessage) -> _Entry:
    return _Entry(
        new=new,
        message=message_row(new),
        deliveries=[delivery_row(delivery, new.message) for delivery in new.deliveries],
        events=[event_row(event) for event in new.events],
    )


class Accepting:
    """`gateway.ports.AcceptStore`."""

    def __init__(self, database: Database, commit: GroupCommit, clock: Clock) -> None:
        self._database = database
        self._commit = commit
        self._clock = clock

    def accept(self, new: NewMessage) -> Awaitable[AcceptOutcome]:
        """Store one message durably; concurrent calls share a commit. Raises Unavailable when it cannot."""
        return self._commit.write(_accept_all, _prepare(new))

    async def accept_batch(
        self,
        service_id: ServiceId,
        items: Sequence[NewMessage],
        request: Idempotency | None,
        outline: Callable[[Sequence[AcceptOutcome]], bytes],
    ) -> tuple[Sequence[AcceptOutcome], BatchOutcome]:
        """Store many in one transaction; `outline` is called in the writer's thread and must only compute."""
        batch = _Batch(
            service_id=service_id,
            entries=[_prepare(new) for new in items],
            request=request,
            outline=outline,
            now=self._clock.now(),
        )
        return await self._commit.write(_accept_batches, batch)

    async def recall(self, service_id: ServiceId, asked: Idempotency) -> Replayed | BatchReplayed | Mismatched | None:
        """What a repeat comes to; so that it is answered although its body would be refused by now."""
        return await self._database.lookups.run(lambda driver: _recall(driver, (service_id, asked.key), asked))

    async def oldest_due(self, now: datetime) -> datetime | None:
        """When the longest-waiting claimable delivery fell due; None when nothing waits."""
        due = await self._database.lookups.run(first_due)
        return due if due is not None and due <= now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    service_id: ServiceId
    entries: list[_Entry]
    request: Idempotency | None
    outline: Callable[[Sequence[AcceptOutcome]], bytes]
    now: datetime


async def _recall(
    driver: Driver, key: idempotency.Key, asked: Idempotency
) -> Replayed | BatchReplayed | Mismatched | None:
    for kept in (await idempotency.find(driver, [key])).values():
        return await idempotency.replay(driver, kept, asked.fingerprint)
    return None


async def _accept_batches(
    driver: Driver, batches: Sequence[_Batch]
) -> Sequence[tuple[Sequence[AcceptOutcome], BatchOutcome]]:
    return [await _accept_batch(driver, batch) for batch in batches]


async def _accept_batch(driver: Driver, batch: _Batch) -> tuple[Sequence[AcceptOutcome], BatchOutcome]:
    request = batch.request
    if request is None:
        return await _accept_all(driver, batch.entries), Stored()
    # Taken before there is an answer, so that of two requests with one key the second waits for it.
    row = idempotency.row_of_batch(batch.service_id, request, to_micros(batch.now))
    for kept in (await idempotency.take(driver, [row])).values():
        outcome = await idempotency.replay(driver, kept, request.fingerprint)
        # One key for a batch and for a single message: their bodies differ.
        return (), Mismatched() if isinstance(outcome, Replayed) else outcome
    outcomes = await _accept_all(driver, batch.entries)
    await idempotency.outline(driver, batch.service_id, request.key, batch.outline(outcomes))
    return outcomes, Stored()


async def _accept_all(driver: Driver, entries: Sequence[_Entry]) -> Sequence[AcceptOutcome]:
    outcomes = await _take_keys(driver, entries)
    fresh = [entry for entry, outcome in zip(entries, outcomes, strict=True) if isinstance(outcome, Stored)]
    await write_events(
        driver,
        [row for entry in fresh for row in entry.events],
        (_messages, [entry.message for entry in fresh]),
        (insert_deliveries, [row for entry in fresh for row in entry.deliveries]),
        (_tags, [(entry.new.message.id, tag) for entry in fresh for tag in entry.new.message.tags]),
        (_attachments, [row for entry in fresh for row in attachment_rows(entry.new.message)]),
    )
    # In a fixed order, since each takes its person's lock until the end.
    people = [
        (entry.new.message.service_id, person.id or "", person, entry.new.message.created_at)
        for entry in fresh
        if (person := entry.new.remember) is not None
    ]
    for service_id, _, person, at in sorted(people, key=itemgetter(0, 1)):
        await remember(driver, service_id, person, at)
    return outcomes


async def accept_within(driver: Driver, new: Sequence[NewMessage]) -> None:
    """Store messages that no key names, in the transaction of what they tell of."""
    await _accept_all(driver, [_prepare(message) for message in new])


async def _take_keys(driver: Driver, entries: Sequence[_Entry]) -> list[AcceptOutcome]:
    """Which entries are new: the first one with its key, here or in the table, and every one without a key."""
    first: dict[idempotency.Key, _Entry] = {}
    rows: list[Row] = []
    for entry in entries:
        asked = entry.new.idempotency
        if asked is not None and first.setdefault(_key_of(entry, asked), entry) is entry:
            rows.append(idempotency.row_of_message(entry.new, asked))
    earlier = await idempotency.take(driver, rows) if rows else {}
    outcomes: list[AcceptOutcome] = []
    for entry in entries:
        asked = entry.new.idempotency
        if asked is None or (first[key := _key_of(entry, asked)] is entry and key not in earlier):
            outcomes.append(Stored())
        elif key in earlier:
            outcome = await idempotency.replay(driver, earlier[key], asked.fingerprint)
            # One key for a single message and for a batch: their bodies differ.
            outcomes.append(Mismatched() if isinstance(outcome, BatchReplayed) else outcome)
        else:
            outcomes.append(_repeated(first[key].new, asked))
    return outcomes


def _repeated(holder: NewMessage, asked: Idempotency) -> AcceptOutcome:
    """Two with one key in one transaction: the first one has it."""
    if holder.idempotency is None or holder.idempotency.fingerprint != asked.fingerprint:
        return Mismatched()
    return Replayed(message=holder.message, deliveries=tuple(each.delivery for each in holder.deliveries))


def _key_of(entry: _Entry, asked: Idempotency) -> idempotency.Key:
    return (entry.new.message.service_id, asked.key)
