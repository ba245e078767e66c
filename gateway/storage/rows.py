"""Rows of messages and what belongs to them, to and from domain values, column for column in the order of `tables`."""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from gateway.domain.ids import AttemptId, DeliveryId, EventId, MessageId, ServiceId
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.lifecycle import DeliveryStatus, Strategy, message_status
from gateway.domain.messages import Attachment, Attempt, Delivery, Event, Message, Priority
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.ports import NewDelivery, NewMessage
from gateway.storage import tables
from gateway.storage.columns import instant_or_none, micros_or_none
from gateway.storage.documents import dump, load, load_result, recipient_of
from gateway.storage.engines.statements import Row

_SEARCH_LENGTH: Final = 2_000
_MICROSECOND: Final = timedelta(microseconds=1)

MESSAGE_WIDTH: Final = len(tables.messages.columns)


def _dump(value: Any, empty: str) -> str:
    return dump(value) if value else empty


@lru_cache(maxsize=64)
def _channels(channels: tuple[Channel, ...]) -> str:
    return dump(channels)


def _searchable(new: NewMessage, metadata: str) -> str:
    """The words that the log's free-text filter finds a message by; `metadata` is its JSON text."""
    message = new.message
    to = message.to
    ids = [delivery.delivery.id for delivery in new.deliveries]
    kept = metadata if message.metadata else None
    words = (message.id, *ids, message.template, to.id, to.email, to.phone, *message.tags, kept)
    return " ".join(filter(None, words)).lower()[:_SEARCH_LENGTH]


def message_row(new: NewMessage) -> Row:
    """The row of a message that is being accepted."""
    message = new.message
    status = message_status(message.strategy, [delivery.delivery.status for delivery in new.deliveries])
    metadata = _dump(message.metadata, "{}")
    return (
        message.id,
        message.service_id,
        message.live,
        message.template,
        str(message.category),
        message.topic,
        str(message.strategy),
        _channels(message.channels),
        message.to.id,
        dump(message.to),
        _dump(message.data, "{}"),
        dump(message.secrets) if message.secrets else None,
        False,
        str(message.priority),
        _dump(message.tags, "[]"),
        metadata,
        message.sender,
        len(message.attachments),
        None if message.fallback_after is None else message.fallback_after // _MICROSECOND,
        to_micros(message.created_at),
        micros_or_none(message.send_at),
        to_micros(message.expires_at),
        message.locale,
        message.traceparent,
        str(status),
        None,
        _searchable(new, metadata),
    )


def message_of(row: Row, attachments: Sequence[Attachment]) -> Message:
    """The message of a row."""
    (
        message_id, service_id, live, template, category, topic, strategy, channels, _recipient_id, recipient, data,
        secrets, _dropped, priority, tags, metadata, sender, _attachments, fallback_after, created_at, send_at,
        expires_at, locale, traceparent, _status, _versions, _search,
    ) = row  # fmt: skip
    return Message(
        id=MessageId(message_id),
        service_id=ServiceId(service_id),
        live=bool(live),
        template=template,
        category=Category(category),
        topic=topic,
        strategy=Strategy(strategy),
        channels=tuple(Channel(channel) for channel in load(channels)),
        to=recipient_of(load(recipient)),
        data=load(data),
        secrets={} if secrets is None else load(secrets),
        priority=Priority(priority),
        tags=tuple(load(tags)),
        metadata=load(metadata),
        sender=sender,
        attachments=tuple(attachments),
        fallback_after=None if fallback_after is None else timedelta(microseconds=fallback_after),
        created_at=from_micros(created_at),
        send_at=instant_or_none(send_at),
        expires_at=from_micros(expires_at),
        locale=locale,
        traceparent=traceparent,
    )


def delivery_row(new: NewDelivery, message: Message) -> Row:
    """The row of a delivery that nobody has claimed yet."""
    delivery = new.delivery
    addresses = () if delivery.channel is Channel.PUSH else message.to.addresses(delivery.channel)
    return (
        delivery.id,
        delivery.message_id,
        str(delivery.channel),
        str(delivery.status),
        delivery.reason,
        micros_or_none(delivery.not_before),
        int(message.lane),
        to_micros(new.due_at),
        None,
        0,
        delivery.provider,
        delivery.provider_message_id,
        delivery.attempts,
        addresses[0] if addresses else None,
        None,
        to_micros(delivery.created_at),
        to_micros(delivery.updated_at),
        message.service_id,
    )


def delivery_of(row: Row) -> Delivery:
    """The delivery of a row."""
    (
        delivery_id, message_id, channel, status, reason, not_before, _lane, _due_at, _lease_owner, _fence, provider,
        provider_message_id, attempts, _address, _sender, created_at, updated_at, *_rest
    ) = row  # fmt: skip
    return Delivery(
        id=DeliveryId(delivery_id),
        message_id=MessageId(message_id),
        channel=Channel(channel),
        status=DeliveryStatus(status),
        reason=reason,
        not_before=instant_or_none(not_before),
        provider=provider,
        provider_message_id=provider_message_id,
        attempts=attempts,
        created_at=from_micros(created_at),
        updated_at=from_micros(updated_at),
    )


def event_row(event: Event) -> Row:
    """The row of an event, without the number that its table gives it."""
    return (event.id, event.message_id, event.delivery_id, event.type, to_micros(event.at), _dump(event.data, "{}"))


def event_of(row: Row) -> Event:
    """The event of a row that starts with its number."""
    _seq, event_id, message_id, delivery_id, kind, at, data = row
    return Event(
        id=EventId(event_id),
        message_id=MessageId(message_id),
        delivery_id=None if delivery_id is None else DeliveryId(delivery_id),
        type=kind,
        at=from_micros(at),
        data=load(data),
    )


def attempt_row(attempt: Attempt) -> Row:
    """The row of an attempt, under way or finished."""
    result = attempt.result
    return (
        attempt.delivery_id,
        attempt.number,
        attempt.id,
        attempt.provider,
        to_micros(attempt.started_at),
        micros_or_none(attempt.finished_at),
        None if result is None else result.outcome.value,
        None if result is None else dump(result),
    )


def attempt_of(row: Row) -> Attempt:
    """The attempt of a row."""
    delivery_id, number, attempt_id, provider, started_at, finished_at, _outcome, result = row
    return Attempt(
        id=AttemptId(attempt_id),
        delivery_id=DeliveryId(delivery_id),
        number=number,
        provider=provider,
        started_at=from_micros(started_at),
        finished_at=instant_or_none(finished_at),
        result=None if result is None else load_result(result),
    )


def attachment_rows(message: Message) -> list[Row]:
    """The rows of a message's attachments, in their order."""
    return [
        (message.id, position, part.filename, part.content_type, part.inline_id, part.content)
        for position, part in enumerate(message.attachments)
    ]


def attachment_of(row: Row) -> Attachment:
    """The attachment of a row."""
    _message_id, _position, filename, content_type, inline_id, content = row
    return Attachment(filename=filename, content_type=content_type, content=content, inline_id=inline_id)
