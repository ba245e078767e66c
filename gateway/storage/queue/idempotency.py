"""Keys that make a repeat harmless: who has one, and what a repeat of it is answered.

A key's row names its message and keeps no copy of it: the answer of then follows from the message, and what is
erased or forgotten of that is gone from the answer too.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final

from gateway.domain.ids import DeliveryId, MessageId, ServiceId
from gateway.domain.instants import to_micros
from gateway.domain.messages import Message, accepted_delivery
from gateway.domain.recipients import Channel
from gateway.domain.values import Value
from gateway.ports import BatchReplayed, Idempotency, Mismatched, NewMessage, Replayed
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.documents import load
from gateway.storage.engines.driver import ConstraintBroken, Driver
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.queue.standing import select_attachments
from gateway.storage.rows import message_of

RETENTION: Final = timedelta(hours=72)
"""How long a key is kept at least; it outlives this while its message is not final."""

_RETENTION_MICROS: Final = RETENTION // timedelta(microseconds=1)
_insert: Final = Insert(tables.idempotency_keys, suffix=" ON CONFLICT DO NOTHING")
_OUTLINE: Final = 'UPDATE idempotency_keys SET answer = ? WHERE service_id = ? AND "key" = ?'
_SELECT: Final = (
    'WITH k AS ({keys}) SELECT t.service_id, t."key", t.fingerprint, t.message_id, t.answer'
    ' FROM k CROSS JOIN idempotency_keys t WHERE t.service_id = k.column1 AND t."key" = k.column2'
)
_MESSAGES: Final = f"SELECT {names(tables.messages)} FROM messages WHERE id IN ({{keys}})"  # noqa: S608 - our own
_DELIVERIES: Final = "SELECT message_id, id, channel, created_at FROM deliveries WHERE message_id IN ({keys})"

_column = tables.messages.columns.keys().index
_ATTACHMENTS: Final = _column("attachments")
_CREATED_AT: Final = _column("created_at")

Key = tuple[str, str]
"""A service's id and its key."""
by_key: Final = itemgetter(0, 1)


class Kept(Value, frozen=True, kw_only=True):
    """What the table holds of a key."""

    fingerprint: str
    message_id: MessageId | None
    outline: Any
    """Of a batch: its answer, with nothing but the ids of its messages."""

    def message_ids(self) -> list[str]:
        """The messages that the key stands for."""
        if self.message_id is not None:
            return [self.message_id]
        return [item["message"]["id"] for item in self.outline["items"] if "message" in item]


def row_of_message(new: NewMessage, idempotency: Idempotency) -> Row:
    """The row that gives a key to a message."""
    message = new.message
    at = to_micros(message.created_at)
    return message.service_id, idempotency.key, idempotency.fingerprint, message.id, None, at, at + _RETENTION_MICROS


def row_of_batch(service_id: ServiceId, idempotency: Idempotency, at: int) -> Row:
    """The row that gives a key to a batch whose outline is not known yet."""
    return service_id, idempotency.key, idempotency.fingerprint, None, '{"items":[]}', at, at + _RETENTION_MICROS


async def take(driver: Driver, rows: Sequence[Row]) -> Mapping[Key, Kept]:
    """Insert the keys that are free; what those stand for that are not.

    Who inserts has the key: whoever else tries meanwhile waits for that transaction to end. In the order of the
    keys, so that two who insert the same ones do not wait for each other.
    """
    if await driver.insert_new(_insert, sorted(rows, key=by_key)) == len(rows):
        return {}
    kept = await find(driver, [by_key(row) for row in rows])
    if len(kept) < len(rows):
        raise ConstraintBroken("an idempotency key ended just now")
    ours = {by_key(row) for row in rows if row[3] is not None and row[3] == kept[by_key(row)].message_id}
    return {key: of for key, of in kept.items() if key not in ours}


async def find(driver: Driver, keys: Sequence[Key]) -> Mapping[Key, Kept]:
    """What these keys stand for; those that are free are left out."""
    return {
        by_key(row): Kept(fingerprint=row[2], message_id=row[3], outline=None if row[4] is None else load(row[4]))
        for row in await driver.select_in(_SELECT, keys)
    }


async def outline(driver: Driver, service_id: ServiceId, key: str, answer: bytes) -> None:
    """Keep what a batch was answered."""
    await driver.execute(_OUTLINE, (answer.decode(), service_id, key))


async def replay(driver: Driver, kept: Kept, fingerprint: str) -> Replayed | BatchReplayed | Mismatched:
    """What the repeat of a key comes to."""
    if kept.fingerprint != fingerprint:
        return Mismatched()
    messages = await _as_accepted(driver, kept.message_ids())
    if kept.message_id is None:
        return BatchReplayed(outline=kept.outline, messages=messages)
    if kept.message_id not in messages:
        raise ConstraintBroken("an idempotency key ended just now")
    return messages[kept.message_id]


async def _as_accepted(driver: Driver, ids: Iterable[str]) -> dict[MessageId, Replayed]:
    """These messages with their first deliveries, as they were when they were accepted."""
    keys = [(message_id,) for message_id in ids]
    rows = await driver.select_in(_MESSAGES, keys)
    files = await select_attachments(driver, [row[0] for row in rows if row[_ATTACHMENTS]])
    first: dict[tuple[str, int], dict[Channel, DeliveryId]] = {}
    for message_id, delivery_id, channel, created_at in await driver.select_in(_DELIVERIES, keys):
        first.setdefault((message_id, created_at), {})[Channel(channel)] = DeliveryId(delivery_id)
    replayed = {}
    for row in rows:
        message = message_of(row, files.get(row[0], ()))
        replayed[message.id] = _replayed(message, first.get((message.id, row[_CREATED_AT]), {}))
    return replayed


def _replayed(message: Message, deliveries: Mapping[Channel, DeliveryId]) -> Replayed:
    return Replayed(
        message=message,
        deliveries=tuple(
            accepted_delivery(deliveries[channel], message, channel, message.created_at)
            for channel in message.channels
            if channel in deliveries
        ),
    )
