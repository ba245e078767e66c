"""Building the timeline: one event for each change of status, with what led to it in its data."""

from collections.abc import Mapping
from datetime import datetime

from gateway.delivery.presentation import JsonObject, trace_json
from gateway.domain import ids
from gateway.domain.decisions import Decision, Expire, Hold, Send, Suppress
from gateway.domain.ids import DeliveryId, EventId, MessageId
from gateway.domain.instants import rfc3339
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Delivery, Event, Message, SendResult
from gateway.domain.recipients import JsonValue

MESSAGE_ACCEPTED = "message.accepted"
MESSAGE_UNMASKED = "message.unmasked"
REPLIED = "delivery.replied"
UNSUBSCRIBED = "delivery.unsubscribed"
RESUBSCRIBED = "delivery.resubscribed"
CHOSE = "delivery.preferences_changed"
"""What its reader did: facts beside the delivery's status."""


def message_accepted(message: Message) -> Event:
    """The message is on disk."""
    return Event(
        id=EventId(ids.make_id(ids.EVENT, message.created_at)),
        message_id=message.id,
        delivery_id=None,
        type=MESSAGE_ACCEPTED,
        at=message.created_at,
        data={"template": message.template, "channels": [*message.channels]},
    )


def message_unmasked(message_id: MessageId, by: str, reason: str, at: datetime) -> Event:
    """Somebody looked at whole addresses, and said why."""
    return Event(
        id=EventId(ids.make_id(ids.EVENT, at)),
        message_id=message_id,
        delivery_id=None,
        type=MESSAGE_UNMASKED,
        at=at,
        data={"by": by, "reason": reason},
    )


def delivery_scheduled(delivery: Delivery) -> Event:
    """It waits for an instant that the caller chose."""
    not_before = None if delivery.not_before is None else rfc3339(delivery.not_before)
    return delivery_became(
        delivery.status, delivery.message_id, delivery.id, delivery.created_at, {"not_before": not_before}
    )


def delivery_became(
    status: DeliveryStatus,
    message_id: MessageId,
    delivery_id: DeliveryId,
    at: datetime,
    data: Mapping[str, JsonValue],
) -> Event:
    """The delivery has a new status; members of `data` that are null are left out."""
    return Event(
        id=EventId(ids.make_id(ids.EVENT, at)),
        message_id=message_id,
        delivery_id=delivery_id,
        type=f"delivery.{status.value}",
        at=at,
        data={name: value for name, value in data.items() if value is not None},
    )


def reader_did(kind: str, delivery: Delivery, at: datetime, data: Mapping[str, JsonValue]) -> Event:
    """What the reader of a delivery did."""
    return Event(
        id=EventId(ids.make_id(ids.EVENT, at)),
        message_id=delivery.message_id,
        delivery_id=delivery.id,
        type=kind,
        at=at,
        data={"channel": delivery.channel.value, **data},
    )


def decision_json(decision: Decision) -> JsonObject:
    """A decision with its trace, as events and `explain` show it."""
    trace = trace_json(decision.trace)
    match decision:
        case Send(route=route):
            return {"decision": "send", "route": list(route), "trace": trace}
        case Hold(reason=reason, rule=rule, not_before=not_before):
            return {
                "decision": "hold",
                "reason": reason,
                "rule": rule,
                "not_before": rfc3339(not_before),
                "trace": trace,
            }
        case Suppress(reason=reason, rule=rule):
            return {"decision": "suppress", "reason": reason, "rule": rule, "trace": trace}
        case Expire(reason=reason, rule=rule):
            return {"decision": "expire", "reason": reason, "rule": rule, "trace": trace}


def result_json(result: SendResult) -> JsonObject:
    """A provider's classified answer; null members mean that it said nothing of the kind."""
    return {"outcome": result.outcome.value, "code": result.code, "detail": result.detail}
