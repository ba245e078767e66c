"""What an endpoint is sent: one event as a CloudEvent (CloudEvents 1.0, JSON event format, structured content mode)."""

from datetime import datetime
from typing import Final

from gateway.delivery.presentation import JsonObject
from gateway.domain.encoding import encode
from gateway.domain.ids import EndpointId
from gateway.domain.instants import rfc3339
from gateway.domain.messages import Delivery, Message
from gateway.domain.recipients import JsonValue
from gateway.ports import Told

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
TEST: Final = "webhook.test"
"""The type of what is sent to try an endpoint out."""
_OURS: Final = frozenset({"trace", "by"})
"""Members of an event that explain it to those who run the gateway."""


def body_of(told: Told, source: str) -> bytes:
    """The event; of the message it names what its service gave it, and no address and no template's data."""
    event, message, delivery = told.event, told.message, told.delivery
    data: dict[str, JsonValue] = {
        "message": _message(message),
        "delivery": None if delivery is None else _delivery(delivery),
        **{name: value for name, value in event.data.items() if name not in _OURS},
    }
    attributes = _attributes(event.id, source, event.type, event.at)
    # An extension of CloudEvents' own: of one message's events the later one has the greater text.
    attributes |= {"subject": event.delivery_id or event.message_id, "sequence": f"{told.number:020}"}
    return encode({**attributes, "data": data})


def test_body(event_id: str, endpoint_id: EndpointId, source: str, at: datetime) -> bytes:
    """An event that nothing happened for."""
    data: JsonObject = {"endpoint_id": endpoint_id}
    return encode({**_attributes(event_id, source, TEST, at), "subject": endpoint_id, "data": data})


def _attributes(event_id: str, source: str, kind: str, at: datetime) -> JsonObject:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "time": rfc3339(at),
        "datacontenttype": "application/json",
    }


def _message(message: Message) -> JsonObject:
    return {
        "id": message.id,
        "template": message.template,
        "category": message.category.value,
        "topic": message.topic,
        "recipient_id": message.to.id,
        "test": not message.live,
        "tags": list(message.tags),
        "metadata": dict(message.metadata),
    }


def _delivery(delivery: Delivery) -> JsonObject:
    return {
        "id": delivery.id,
        "channel": delivery.channel.value,
        "provider": delivery.provider,
        "provider_message_id": delivery.provider_message_id,
    }
