"""Where a 202 becomes true: messages, their deliveries and events, in one durable transaction."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.ids import MessageId, ServiceId
from gateway.domain.messages import Lane
from gateway.domain.recipients import JsonValue
from gateway.ports import AcceptOutcome, Clock, Idempotency, Mismatched, NewMessage, Replayed, Stored
from gateway.storage import tables
from gateway.storage.commit import GroupCommit
from gateway.storage.documents import dump, load
from gateway.storage.engine import Database
from gateway.storage.recipients import remember
from gateway.storage.rows import attachment_rows, delivery_row, event_row, message_row
from gateway.storage.statements import Insert, Row, select_in
from gateway.storage.tables import from_micros, to_micros

IDEMPOTENCY_RETENTION: Final = timedelta(hours=72)
"""How long a key is kept at least; it outlives this while its message is not final."""

insert_deliveries: Final = Insert(tables.deliveries)
insert_events: Final = Insert(tables.events, skip=frozenset({"seq"}))
_insert_messages: Final = Insert(tables.messages)
_insert_attachments: Final = Insert(tables.attachments)
_insert_tags: Final = Insert(tables.message_tags, suffix=" ON CONFLICT DO NOTHING")
_insert_keys: Final = Insert(tables.idempotency_keys, suffix=" ON CONFLICT DO NOTHING")
_SELECT_KEYS: Final = (
    'WITH k AS ({keys}) SELECT t.service_id, t."key", t.fingerprint, t.answer FROM k CROSS JOIN idempotency_keys t'
    ' ON t.service_id = k.column1 AND t."key" = k.column2'
)
_OLDEST_DUE: Final = " UNION ALL ".join(
    "SELECT * FROM (SELECT due_at FROM deliveries WHERE lane = "  # noqa: S608 - numbers of our own
    f"{lane.value} AND lease_owner IS NULL AND due_at IS NOT NULL ORDER BY due_at LIMIT 1)"
    for lane in Lane
)


def first_due(driver: sqlite3.Connection) -> datetime | None:
    """The earliest due time of all that can be claimed: one look into the index per lane."""
    due = [micros for (micros,) in driver.execute(_OLDEST_DUE)]
    return from_micros(min(due)) if due else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
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
    """`gateway.ports.AcceptStore` on SQLite."""

    def __init__(self, database: Database, commit: GroupCommit, clock: Clock) -> None:
        self._database = database
        self._commit = commit
        self._clock = clock

    async def accept(self, new: NewMessage) -> AcceptOutcome:
        """Store one message durably; concurrent calls share a commit. Raises Unavailable when it cannot."""
        return await self._commit.write(_accept_all, _prepare(new))

    async def accept_batch(
        self,
        service_id: ServiceId,
        items: Sequence[NewMessage],
        request: Idempotency | None,
        compose: Callable[[Sequence[AcceptOutcome]], Mapping[str, JsonValue]],
    ) -> tuple[Sequence[AcceptOutcome], AcceptOutcome]:
        """Store many in one transaction; `compose` is called in the writer's thread and must only compute."""
        batch = _Batch(
            service_id=service_id,
            entries=[_prepare(new) for new in items],
            request=request,
            compose=compose,
            now=self._clock.now(),
        )
        return await self._commit.write(_accept_batches, batch)

    async def recall(self, service_id: ServiceId, key: str) -> Idempotency | None:
        """What a key was used for; so that a repeat is answered although its body would be refused by now."""
        rows = await self._database.reader.run(lambda driver: select_in(driver, _SELECT_KEYS, [(service_id, key)]))
        return None if not rows else Idempotency(key=key, fingerprint=rows[0][2], answer=load(rows[0][3]))

    async def oldest_due(self, now: datetime) -> datetime | None:
        """When the longest-waiting claimable delivery fell due; None when nothing waits."""
        due = await self._database.lookups.run(first_due)
        return due if due is not None and due <= now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    service_id: ServiceId
    entries: list[_Entry]
    request: Idempotency | None
    compose: Callable[[Sequence[AcceptOutcome]], Mapping[str, JsonValue]]
    now: datetime


def _accept_batches(
    driver: sqlite3.Connection, batches: Sequence[_Batch]
) -> Sequence[tuple[Sequence[AcceptOutcome], AcceptOutcome]]:
    return [_accept_batch(driver, batch) for batch in batches]


def _accept_batch(driver: sqlite3.Connection, batch: _Batch) -> tuple[Sequence[AcceptOutcome], AcceptOutcome]:
    request = batch.request
    if request is None:
        return _accept_all(driver, batch.entries), Stored()
    earlier = select_in(driver, _SELECT_KEYS, [(batch.service_id, request.key)])
    if earlier:
        return (), _repeated(request, earlier[0][2], load(earlier[0][3]))
    outcomes = _accept_all(driver, batch.entries)
    answer = Idempotency(key=request.key, fingerprint=request.fingerprint, answer=batch.compose(outcomes))
    _insert_keys(driver, [_key_row(batch.service_id, answer, None, batch.now)])
    return outcomes, Stored()


def _accept_all(driver: sqlite3.Connection, entries: Sequence[_Entry]) -> Sequence[AcceptOutcome]:
    outcomes = _take_keys(driver, entries)
    fresh = [entry for entry, outcome in zip(entries, outcomes, strict=True) if isinstance(outcome, Stored)]
    _insert_messages(driver, [entry.message for entry in fresh])
    insert_deliveries(driver, [row for entry in fresh for row in entry.deliveries])
    insert_events(driver, [row for entry in fresh for row in entry.events])
    _insert_tags(driver, [(entry.new.message.id, tag) for entry in fresh for tag in entry.new.message.tags])
    _insert_attachments(driver, [row for entry in fresh for row in attachment_rows(entry.new.message)])
    for entry in fresh:
        if entry.new.remember is not None:
            remember(driver, entry.new.message.service_id, entry.new.remember, entry.new.message.created_at)
    return outcomes


def _take_keys(driver: sqlite3.Connection, entries: Sequence[_Entry]) -> list[AcceptOutcome]:
    """Which entries are new: the first one with its key, here or in the table, and every one without a key."""
    first: dict[tuple[str, str], _Entry] = {}
    for entry in entries:
        if entry.new.idempotency is not None:
            first.setdefault(_key_of(entry, entry.new.idempotency), entry)
    # Looked up first, not returned by the insert: the driver hands every row over in a step of its own.
    earlier = {
        (service_id, key): (fingerprint, load(answer))
        for service_id, key, fingerprint, answer in select_in(driver, _SELECT_KEYS, list(first))
    }
    fresh = {key: entry for key, entry in first.items() if key not in earlier}
    _insert_keys(driver, [_entry_key_row(entry) for entry in fresh.values()])
    outcomes: list[AcceptOutcome] = []
    for entry in entries:
        idempotency = entry.new.idempotency
        if idempotency is None or fresh.get(key := _key_of(entry, idempotency)) is entry:
            outcomes.append(Stored())
            continue
        holder = fresh[key].new.idempotency if key in fresh else None
        known = earlier[key] if holder is None else (holder.fingerprint, holder.answer)
        outcomes.append(_repeated(idempotency, *known))
    return outcomes


def _key_of(entry: _Entry, idempotency: Idempotency) -> tuple[str, str]:
    return (entry.new.message.service_id, idempotency.key)


def _repeated(idempotency: Idempotency, fingerprint: str, answer: Mapping[str, JsonValue]) -> AcceptOutcome:
    return Replayed(answer=answer) if fingerprint == idempotency.fingerprint else Mismatched()


def _entry_key_row(entry: _Entry) -> Row:
    message, idempotency = entry.new.message, entry.new.idempotency
    assert idempotency is not None
    return _key_row(message.service_id, idempotency, message.id, message.created_at)


def _key_row(service_id: ServiceId, idempotency: Idempotency, message_id: MessageId | None, now: datetime) -> Row:
    return (
        service_id,
        idempotency.key,
        idempotency.fingerprint,
        message_id,
        dump(idempotency.answer),
        to_micros(now),
        to_micros(now + IDEMPOTENCY_RETENTION),
    )
