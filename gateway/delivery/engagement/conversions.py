"""Tying what a service tells of (an order, a sign-up) to the message that led to it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.domain.engagement import Conversion, Engagement
from gateway.domain.ids import DeliveryId, MessageId, RecipientId, ServiceId
from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value
from gateway.errors import FieldProblem, InvalidRequest
from gateway.metrics import Metrics
from gateway.ports import Clock, EngagementStore


class Happened(Value, frozen=True, kw_only=True):
    """What a service tells of, and exactly one way to find the message."""

    name: str
    reference: str | None = None
    at: datetime | None = None
    """None: now."""
    value: Mapping[str, JsonValue] | None = None
    metadata: Mapping[str, JsonValue]
    message_id: MessageId | None = None
    delivery_id: DeliveryId | None = None
    recipient_id: RecipientId | None = None


class Converter:
    """Takes conversions in."""

    def __init__(self, *, store: EngagementStore, within: timedelta, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._within = within
        self._clock = clock
        self._metrics = metrics

    async def convert(self, service_id: ServiceId, happened: Happened) -> tuple[Engagement, bool]:
        """Keep it with the message that led to it; False where it was told before.

        Raises InvalidRequest, NotFound where no message of the service led to it, Conflict `not_sent`, and
        Unavailable.
        """
        now = self._clock.now()
        _check(happened, now)
        told: dict[str, JsonValue] = {
            "name": happened.name,
            "reference": happened.reference,
            "value": None if happened.value is None else dict(happened.value),
            "metadata": dict(happened.metadata) or None,
        }
        conversion = Conversion(
            service_id=service_id,
            name=happened.name,
            reference=happened.reference,
            at=happened.at or now,
            told_at=now,
            data={name: value for name, value in told.items() if value is not None},
            message_id=happened.message_id,
            delivery_id=happened.delivery_id,
            recipient_id=happened.recipient_id,
        )
        engagement, is_new = await self._store.convert(conversion, self._within)
        if is_new:
            self._metrics.engagements.labels(engagement.kind.value, engagement.made_by.value).inc()
        return engagement, is_new


def _check(happened: Happened, now: datetime) -> None:
    problems: list[FieldProblem] = []
    ways = (happened.message_id, happened.delivery_id, happened.recipient_id)
    if sum(way is not None for way in ways) != 1:
        message = "Give one of message_id, delivery_id and recipient_id."
        problems.append(FieldProblem(pointer="", code="not_one_of", message=message))
    if happened.at is not None and happened.at > now:
        problems.append(FieldProblem(pointer="/at", code="in_the_future", message="Give an instant that has been."))
    if problems:
        raise InvalidRequest("The conversion has wrong values.", problems)
