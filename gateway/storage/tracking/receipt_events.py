"""What receipts add to the timeline: each new one an event, whether it moves the delivery or not."""

from datetime import datetime
from typing import Final

from gateway.domain.ids import EVENT, EventId, make_id
from gateway.domain.instants import rfc3339_or_none
from gateway.domain.messages import Event
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import JsonValue
from gateway.domain.tracking import is_anomaly
from gateway.storage.tracking.tracking import Tracked

RECEIPT: Final = "delivery.receipt"
"""A provider's word that moves no status: repeated in other words, late, or not known."""


def events_of(of: Tracked, told: tuple[str, int, Receipt], *, moves: bool, now: datetime) -> list[Event]:
    """The events of one receipt, of which `told` says the provider, the attempt and the words."""
    provider, number, receipt = told
    data: dict[str, JsonValue] = {
        "channel": of.delivery.channel.value,
        "reason": of.delivery.reason if moves else None,
        "provider": provider,
        "attempt": number,
        "told": receipt.status,
        "code": receipt.code,
        "detail": receipt.detail,
        "provider_time": rfc3339_or_none(receipt.at),
        "anomaly": True if moves and is_anomaly(of.own, of.delivery.status) else None,
    }
    kinds = [f"delivery.{of.delivery.status.value}"] if moves else []
    if receipt.reaction is not None:
        kinds.append(f"delivery.{receipt.reaction.value}")
    return [
        Event(
            id=EventId(make_id(EVENT, now)),
            message_id=of.message.id,
            delivery_id=of.delivery.id,
            type=kind,
            at=now,
            data={name: value for name, value in data.items() if value is not None},
        )
        for kind in kinds or [RECEIPT]
    ]
