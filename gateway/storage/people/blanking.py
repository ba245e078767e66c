"""Messages of which nothing shall be left but that they were: template, category, times and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.domain.ids import EVENT, DeliveryId, EventId, MessageId, make_id
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import DeliveryStatus, can_advance
from gateway.domain.messages import Event
from gateway.storage.engines.driver import Driver, Engine, each_key
from gateway.storage.events import write_events
from gateway.storage.queue.standing import refresh_status
from gateway.storage.rows import event_row
from gateway.storage.tracking.tracking import forget_words

_SELECT: Final = "SELECT id, message_id, status, lease_owner FROM deliveries WHERE message_id IN ({keys})"
_DELIVERIES: Final = {Engine.SQLITE: _SELECT, Engine.POSTGRESQL: f"{_SELECT} ORDER BY id FOR NO KEY UPDATE"}
_CANCEL: Final = "UPDATE deliveries SET status = 'cancelled', updated_at = ? WHERE id = ?"
_BLANK_DELIVERY: Final = (
    "UPDATE deliveries SET reason = CASE WHEN status = 'cancelled' THEN 'erased' ELSE reason END, address = NULL,"
    " subject = NULL, due_at = NULL, not_before = NULL, lease_owner = NULL, fence = fence + 1 WHERE id = ?"
)
_OF_DELIVERY: Final = (
    _BLANK_DELIVERY,
    "DELETE FROM contents WHERE delivery_id = ?",
    "DELETE FROM mailbox WHERE delivery_id = ?",
    "UPDATE attempts SET result = NULL WHERE delivery_id = ?",
)
_OF_MESSAGE: Final = (
    "DELETE FROM message_tags WHERE message_id = ?",
    "DELETE FROM attachments WHERE message_id = ?",
    "UPDATE idempotency_keys SET answer = NULL WHERE message_id = ? AND answer IS NOT NULL",
    "UPDATE messages SET recipient_id = NULL, recipient = '{}', data = '{}', secrets = NULL, secrets_dropped = TRUE,"
    " tags = '[]', metadata = '{}', search = '', traceparent = NULL, attachments = 0 WHERE id = ?",
    # Last: who keeps and tells a click has the message's row, which is ours by now.
    "DELETE FROM engagements WHERE message_id = ?",
    "UPDATE events SET data = '{}' WHERE message_id = ?",
)
CANCELLED: Final = "delivery.cancelled"
ERASED: Final = "message.erased"
_REASON: Final = {"reason": "erased"}


async def blank_messages(driver: Driver, message_ids: Sequence[str], now: datetime) -> int:
    """Take back what has not gone yet, and blank the messages; how many.

    Those that a provider is being given right now are left for a later time: the answer still has to be written.
    """
    keys = each_key(message_ids)
    rows = await driver.select_in(_DELIVERIES[driver.engine], keys)
    under_way = {
        message_id for _, message_id, status, holder in rows if status == DeliveryStatus.SENDING and holder is not None
    }
    blanked = [key for key in keys if key[0] not in under_way]
    deliveries = [(row[0], row[1], DeliveryStatus(row[2])) for row in rows if row[1] not in under_way]
    waiting = [one for one in deliveries if can_advance(one[2], DeliveryStatus.CANCELLED)]
    at = to_micros(now)
    await driver.execute_many(_CANCEL, [(at, delivery_id) for delivery_id, _, _ in waiting])
    for statement in _OF_DELIVERY:
        await driver.execute_many(statement, [(delivery_id,) for delivery_id, _, _ in deliveries])
    await forget_words(driver, [(delivery_id,) for delivery_id, _, _ in deliveries])
    for statement in _OF_MESSAGE:
        await driver.execute_many(statement, blanked)
    told = [_event(message_id, delivery_id, CANCELLED, now) for delivery_id, message_id, _ in waiting]
    told += [_event(message_id, None, ERASED, now) for (message_id,) in blanked]
    await write_events(driver, [event_row(event) for event in told])
    await refresh_status(driver, [message_id for (message_id,) in blanked])
    return len(blanked)


def _event(message_id: str, delivery_id: str | None, kind: str, now: datetime) -> Event:
    return Event(
        id=EventId(make_id(EVENT, now)),
        message_id=MessageId(message_id),
        delivery_id=None if delivery_id is None else DeliveryId(delivery_id),
        type=kind,
        at=now,
        data=_REASON,
    )
