"""What people do to messages by hand: take one back, or send it once more."""

from datetime import datetime

from gateway.delivery import events
from gateway.delivery.accepting.drafting import new_delivery
from gateway.delivery.tracking.recalling import Recaller
from gateway.domain import ids
from gateway.domain.audit import AuditAction, By, make_entry
from gateway.domain.ids import EventId, MessageId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Event
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import Conflict
from gateway.ports import AuditStore, Clock, DeliveryRecord, LogStore, MessageRecord, SteeringStore, Wake

_RETRIED = frozenset({DeliveryStatus.FAILED, DeliveryStatus.UNDELIVERED})


class Steering:
    """Cancel and retry, each with who and why in the timeline and in the audit trail.

    A `service_id` of None is ops, who may steer all.
    """

    def __init__(
        self,
        *,
        store: SteeringStore,
        log: LogStore,
        audit: AuditStore,
        recaller: Recaller,
        wake: Wake,
        clock: Clock,
    ) -> None:
        self._store = store
        self._log = log
        self._audit = audit
        self._recaller = recaller
        self._wake = wake
        self._clock = clock

    async def cancel(self, message_id: MessageId, service_id: ServiceId | None, by: By) -> MessageRecord:
        """Take a message back: when it returns, no provider was or will be called.

        Raises NotFound, and Conflict `too_late` when a provider was or may be called; where that provider can take it
        back from its own queue, it was asked to.
        """
        now = self._clock.now()
        told: dict[str, JsonValue] = {"by": by.actor, "reason": by.reason}
        event = _event(message_id, "message.cancelled", now, told)
        entry = make_entry(AuditAction.CANCEL, message_id, by, now)
        try:
            return await self._store.cancel(message_id, service_id, event, entry)
        except Conflict as error:
            if not await self._recaller.recall(await self._log.read(message_id, service_id)):
                raise
            await self._audit.add_audit(entry, _event(message_id, "message.recalled", now, told))
            why = "It cannot be cancelled: a provider was called already. What it had not passed on yet it took back."
            raise Conflict(why, error.conflict_code) from error

    async def retry(
        self,
        message_id: MessageId,
        service_id: ServiceId | None,
        by: By,
        *,
        channel: Channel | None = None,
    ) -> MessageRecord:
        """Try a message again on the channel on which it failed last, or on the one named: a new delivery.

        It goes through the whole policy again. Raises NotFound, and Conflict `not_failed`, `expired`, or
        `secrets_dropped` when its text is not known any more.
        """
        record = await self._log.read(message_id, service_id)
        failed = _last_failed(record, channel)
        now = self._clock.now()
        if now >= record.message.expires_at:
            raise Conflict("The message has expired; send a new one.", "expired")
        new = new_delivery(record.message, failed.delivery.channel, now)
        told: dict[str, JsonValue] = {
            "channel": new.delivery.channel.value,
            "retry_of": failed.delivery.id,
            "by": by.actor,
            "reason": by.reason,
        }
        event = events.delivery_became(new.delivery.status, message_id, new.delivery.id, now, told)
        entry = make_entry(AuditAction.RETRY, message_id, by, now, {"channel": new.delivery.channel.value})
        await self._store.retry(message_id, service_id, new, event, entry)
        self._wake.ring()
        return await self._log.read(message_id, service_id)


def _event(message_id: MessageId, kind: str, now: datetime, data: dict[str, JsonValue]) -> Event:
    known = {name: value for name, value in data.items() if value is not None}
    made = EventId(ids.make_id(ids.EVENT, now))
    return Event(id=made, message_id=message_id, delivery_id=None, type=kind, at=now, data=known)


def _last_failed(record: MessageRecord, channel: Channel | None) -> DeliveryRecord:
    latest = {one.delivery.channel: one for one in record.deliveries}
    candidates = [one for one in latest.values() if channel in (None, one.delivery.channel)]
    failed = [one for one in candidates if one.delivery.status in _RETRIED]
    if not failed:
        raise Conflict("Nothing of this message failed for good; there is nothing to try again.", "not_failed")
    return failed[-1]
