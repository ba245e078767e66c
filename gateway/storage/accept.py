"""Where a 202 becomes true: messages, their deliveries and events, in one durable transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final

from gateway.domain.encoding import encode
from gateway.domain.ids import MessageId, ServiceId
from gateway.domain.messages import Lane
from gateway.domain.values import Value
from gateway.ports import AcceptOutcome, Clock, Idempotency, Mismatched, NewMessage, Replayed, Stored
from gateway.storage import tables
from gateway.storage.commit import GroupCommit
from gateway.storage.documents import load
from gateway.storage.driver import ConstraintBroken, Driver
from gateway.storage.engine import Database
from gateway.storage.recipients import remember
from gateway.storage.rows import attachment_rows, delivery_row, event_row, message_row
from gateway.storage.statements import Insert, Row
from gateway.storage.tables import from_micros, to_micros

IDEMPOTENCY_RETENTION: Final = timedelta(hours=72)
"""How long a key is kept at least; it outlives this while its message is not final."""

_RETENTION_MICROS: Final = IDEMPOTENCY_RETENTION // timedelta(microseconds=1)
insert_deliveries: Final = Insert(tables.deliveries, skip=frozenset({"claims", "subject"}))
insert_events: Final = Insert(tables.events, skip=frozenset({"seq"}))
_messages: Final = Insert(tables.messages)
_attachments: Final = Insert(tables.attachments)
_tags: Final = Insert(tables.message_tags, suffix=" ON CONFLICT DO NOTHING")
_keys: Final = Insert(tables.idempotency_keys, suffix=' ON CONFLICT DO NOTHING RETURNING service_id, "key"')
_ANSWER: Final = 'UPDATE idempotency_keys SET answer = ? WHERE service_id = ? AND "key" = ?'
_SELECT_KEYS: Final = (
    'WITH k AS ({keys}) SELECT t.service_id, t."key", t.fingerprint, t.answer FROM k CROSS JOIN idempotency_keys t'
    ' WHERE t.service_id = k.column1 AND t."key" = k.column2'
)
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

    async def accept(self, new: NewMessage) -> AcceptOutcome:
        """Store one message durably; concurrent calls share a commit. Raises Unavailable when it cannot."""
        return await self._commit.write(_accept_all, _prepare(new))

    async def accept_batch(
        self,
        service_id: ServiceId,
        items: Sequence[NewMessage],
        request: Idempotency | None,
        compose: Callable[[Sequence[AcceptOutcome]], bytes],
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
        rows = await self._database.lookups.run(lambda driver: driver.select_in(_SELECT_KEYS, [(service_id, key)]))
        return None if not rows else Idempotency(key=key, fingerprint=rows[0][2], answer=_answer(rows[0][3]))

    async def oldest_due(self, now: datetime) -> datetime | None:
        """When the longest-waiting claimable delivery fell due; None when nothing waits."""
        due = await self._database.lookups.run(first_due)
        return due if due is not None and due <= now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    service_id: ServiceId
    entries: list[_Entry]
    request: Idempotency | None
    compose: Callable[[Sequence[AcceptOutcome]], bytes]
    now: datetime


async def _accept_batches(
    driver: Driver, batches: Sequence[_Batch]
) -> Sequence[tuple[Sequence[AcceptOutcome], AcceptOutcome]]:
    return [await _accept_batch(driver, batch) for batch in batches]


async def _accept_batch(driver: Driver, batch: _Batch) -> tuple[Sequence[AcceptOutcome], AcceptOutcome]:
    request = batch.request
    if request is None:
        return await _accept_all(driver, batch.entries), Stored()
    # Taken before there is an answer, so that of two requests with one key the second waits for it.
    earlier = await _insert_keys(driver, [_key_row(batch.service_id, request, None, batch.now)])
    for kept in earlier.values():
        return (), _repeated(request, *kept)
    outcomes = await _accept_all(driver, batch.entries)
    await driver.execute(_ANSWER, (batch.compose(outcomes).decode(), batch.service_id, request.key))
    return outcomes, Stored()


async def _accept_all(driver: Driver, entries: Sequence[_Entry]) -> Sequence[AcceptOutcome]:
    outcomes = await _take_keys(driver, entries)
    fresh = [entry for entry, outcome in zip(entries, outcomes, strict=True) if isinstance(outcome, Stored)]
    await driver.insert_all(
        (_messages, [entry.message for entry in fresh]),
        (insert_deliveries, [row for entry in fresh for row in entry.deliveries]),
        (insert_events, [row for entry in fresh for row in entry.events]),
        (_tags, [(entry.new.message.id, tag) for entry in fresh for tag in entry.new.message.tags]),
        (_attachments, [row for entry in fresh for row in attachment_rows(entry.new.message)]),
    )
    # In a fixed order, since each takes its person's lock until the end.
    people = [
        (entry.new.message.service_id, person.id or "", person, entry.new.message.created_at)
        for entry in fresh
        if (person := entry.new.remember) is not None
    ]
    for service_id, _, person, at in sorted(people, key=_SERVICE_AND_KEY):
        await remember(driver, service_id, person, at)
    return outcomes


async def _take_keys(driver: Driver, entries: Sequence[_Entry]) -> list[AcceptOutcome]:
    """Which entries are new: the first one with its key, here or in the table, and every one without a key."""
    first: dict[tuple[str, str], _Entry] = {}
    for entry in entries:
        if entry.new.idempotency is not None:
            first.setdefault(_key_of(entry, entry.new.idempotency), entry)
    earlier = await _insert_keys(driver, [_entry_key_row(entry) for entry in first.values()]) if first else {}
    outcomes: list[AcceptOutcome] = []
    for entry in entries:
        idempotency = entry.new.idempotency
        if idempotency is None or (first[key := _key_of(entry, idempotency)] is entry and key not in earlier):
            outcomes.append(Stored())
        elif key in earlier:
            outcomes.append(_repeated(idempotency, *earlier[key]))
        else:
            holder = first[key].new.idempotency
            assert holder is not None
            outcomes.append(_repeated(idempotency, holder.fingerprint, holder.answer))
    return outcomes


_SERVICE_AND_KEY: Final = itemgetter(0, 1)
_Kept = Mapping[tuple[str, str], tuple[str, bytes]]
"""Fingerprint and answer of each (service, key)."""


async def _insert_keys(driver: Driver, rows: Sequence[Row]) -> _Kept:
    """Insert the keys that are free; what those stand for that are not.

    Who inserts has the key: whoever else tries meanwhile waits for that transaction to end. In the order of the
    keys, so that two who insert the same ones do not wait for each other.
    """
    inserted = {(row[0], row[1]) for row in await driver.insert(_keys, sorted(rows, key=_SERVICE_AND_KEY))}
    if len(inserted) == len(rows):
        return {}
    taken = [(row[0], row[1]) for row in rows if (row[0], row[1]) not in inserted]
    earlier = {(row[0], row[1]): (row[2], _answer(row[3])) for row in await driver.select_in(_SELECT_KEYS, taken)}
    if len(earlier) < len(taken):
        raise ConstraintBroken("an idempotency key ended just now")
    return earlier


def _key_of(entry: _Entry, idempotency: Idempotency) -> tuple[str, str]:
    return (entry.new.message.service_id, idempotency.key)


def _answer(kept: str) -> bytes:
    """The answer that a key's row keeps, compact again: PostgreSQL spaces out what it kept."""
    return encode(load(kept))


def _repeated(idempotency: Idempotency, fingerprint: str, answer: bytes) -> AcceptOutcome:
    return Replayed(answer=answer) if fingerprint == idempotency.fingerprint else Mismatched()


def _entry_key_row(entry: _Entry) -> Row:
    message, idempotency = entry.new.message, entry.new.idempotency
    assert idempotency is not None
    return _key_row(message.service_id, idempotency, message.id, message.created_at)


def _key_row(service_id: ServiceId, idempotency: Idempotency, message_id: MessageId | None, now: datetime) -> Row:
    kept_from = to_micros(now)
    return (
        service_id,
        idempotency.key,
        idempotency.fingerprint,
        message_id,
        idempotency.answer.decode(),
        kept_from,
        kept_from + _RETENTION_MICROS,
    )
