"""What people do to a message by hand, decided and written in one transaction."""

from typing import Final

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import EVENT, EventId, MessageId, ServiceId, make_id
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import DeliveryStatus, Strategy, can_advance
from gateway.domain.messages import Event
from gateway.domain.values import replace
from gateway.errors import Conflict
from gateway.ports import MessageRecord, NewDelivery
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.locks import locked
from gateway.storage.events import write_events
from gateway.storage.queue.accept import insert_deliveries
from gateway.storage.queue.counters import lock_counters
from gateway.storage.queue.holds import look_again
from gateway.storage.queue.standing import refresh_status
from gateway.storage.reading.log import own_record
from gateway.storage.reading.records import load_records
from gateway.storage.rows import delivery_row, event_row
from gateway.storage.upkeep.audit import write_audit

_DELIVERIES: Final = locked("SELECT id FROM deliveries WHERE message_id = ?")
_MESSAGE: Final = locked("SELECT id FROM messages WHERE id = ?")
_CANCEL: Final = (
    "UPDATE deliveries SET status = 'cancelled', reason = ?, due_at = NULL, not_before = NULL, lease_owner = NULL,"
    " fence = fence + 1, updated_at = ? WHERE id = ?"
)
_FORGET: Final = "UPDATE messages SET secrets = NULL, secrets_dropped = TRUE WHERE id = ? AND secrets IS NOT NULL"
_MAY_HAVE_GONE: Final = frozenset(
    {
        DeliveryStatus.SENDING,
        DeliveryStatus.SENT,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.UNDELIVERED,
        DeliveryStatus.UNKNOWN,
    }
)
_SUBJECTS: Final = "SELECT DISTINCT subject FROM deliveries WHERE message_id = ? AND subject IS NOT NULL"
_CANCELLED: Final = "delivery.cancelled"
_FAILED: Final = frozenset({DeliveryStatus.FAILED, DeliveryStatus.UNDELIVERED})
_AT_WORK: Final = (
    "SELECT 1 FROM deliveries WHERE message_id = ? AND (due_at IS NOT NULL OR lease_owner IS NOT NULL) LIMIT 1"
)
_LOST: Final = _FAILED | {DeliveryStatus.SUPPRESSED, DeliveryStatus.EXPIRED, DeliveryStatus.CANCELLED}


class Steering:
    """`gateway.ports.SteeringStore`."""

    def __init__(self, database: Database) -> None:
        self._writer = database.writer

    async def cancel(
        self, message_id: MessageId, service_id: ServiceId | None, event: Event, entry: AuditEntry | None = None
    ) -> MessageRecord:
        """Cancel every delivery of the message; each has a `delivery.cancelled` with the event's instant and data.

        A message all of whose deliveries ended without a provider's help is answered as it stands, and leaves no
        entry. Raises NotFound, and Conflict `too_late` when a provider was or may be called.
        """
        return await self._writer.run(lambda driver: _cancel(driver, message_id, service_id, event, entry))

    async def retry(
        self,
        message_id: MessageId,
        service_id: ServiceId | None,
        new: NewDelivery,
        event: Event,
        entry: AuditEntry | None = None,
    ) -> None:
        """Add a delivery for another try, with its entry.

        Raises NotFound, and Conflict `not_failed` unless the last one on that channel failed for good,
        `secrets_dropped` when the message cannot be rendered again.
        """
        await self._writer.run(lambda driver: _retry(driver, message_id, service_id, (new, event, entry)))


async def _cancel(
    driver: Driver, message_id: MessageId, service_id: ServiceId | None, event: Event, entry: AuditEntry | None
) -> MessageRecord:
    await _lock_deliveries(driver, message_id)
    record = own_record(await load_records(driver, [message_id]), service_id)
    deliveries = [held.delivery for held in record.deliveries]
    if any(delivery.attempts or delivery.status in _MAY_HAVE_GONE for delivery in deliveries):
        raise Conflict("It cannot be cancelled: a provider was called already, or may have been.", "too_late")
    waiting = [delivery for delivery in deliveries if can_advance(delivery.status, DeliveryStatus.CANCELLED)]
    at = to_micros(event.at)
    for number, delivery in enumerate(waiting):
        await driver.execute(_CANCEL, (event.data.get("reason"), at, delivery.id))
        event_id = event.id if number == 0 else EventId(make_id(EVENT, event.at))
        told = replace(event, id=event_id, delivery_id=delivery.id, type=_CANCELLED)
        await write_events(driver, [event_row(told)])
    if waiting:
        await write_audit(driver, [entry] if entry else [])
        await driver.execute(_FORGET, (message_id,))
        await _let_others_go(driver, message_id, at)
        await refresh_status(driver, [message_id])
    return own_record(await load_records(driver, [message_id]), service_id)


async def _let_others_go(driver: Driver, message_id: MessageId, now: int) -> None:
    """Have looked at again what is held for the same person: a slot may have been kept for what was cancelled."""
    subjects = {row[0] for row in await driver.fetch(_SUBJECTS, (message_id,))}
    if subjects:
        await lock_counters(driver, subjects)
        await look_again(driver, subjects, now)


async def _lock_deliveries(driver: Driver, message_id: MessageId) -> None:
    """Have all deliveries of the message to ourselves, also those that their holders add while we wait."""
    known, found = -1, 0
    while found > known:
        known, found = found, len(await driver.fetch(_DELIVERIES[driver.engine], (message_id,)))


async def _retry(
    driver: Driver,
    message_id: MessageId,
    service_id: ServiceId | None,
    another: tuple[NewDelivery, Event, AuditEntry | None],
) -> None:
    new, event, entry = another
    await driver.fetch(_MESSAGE[driver.engine], (message_id,))
    record = own_record(await load_records(driver, [message_id]), service_id)
    before = [held.delivery for held in record.deliveries if held.delivery.channel is new.delivery.channel]
    if not before or before[-1].status not in _FAILED:
        raise Conflict("Only a delivery that failed can be tried again.", "not_failed")
    if record.message.strategy is Strategy.FIRST:
        if any(one.delivery.status not in _LOST for one in record.deliveries):
            raise Conflict("It arrived on another channel, or is on its way there.", "not_failed")
        # What did not arrive after all is looked after once more, for the sake of its next channel.
        if await driver.fetch(_AT_WORK, (message_id,)):
            raise Conflict("It is about to be tried on another channel.", "not_failed")
    ((dropped,),) = await driver.fetch("SELECT secrets_dropped FROM messages WHERE id = ?", (message_id,))
    if dropped:
        raise Conflict(
            "Its secret values were dropped, so it cannot be rendered again; send a new one.", "secrets_dropped"
        )
    await driver.insert(insert_deliveries, [delivery_row(new, record.message)])
    await write_events(driver, [event_row(event)])
    await write_audit(driver, [entry] if entry else [])
    await refresh_status(driver, [message_id])
