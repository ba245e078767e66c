"""Messages, deliveries, content, decisions and events as JSON: one shape for the API, the pages and the command line.

Secret values never get here: records hold them masked. Addresses are the caller's own and are shown whole,
except in events and traces, which outlive them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from gateway.domain.decisions import TraceStep
from gateway.domain.devices import SKIPPED
from gateway.domain.encoding import encode
from gateway.domain.instants import rfc3339, rfc3339_or_none
from gateway.domain.lifecycle import DeliveryStatus, message_status
from gateway.domain.messages import (
    Attachment,
    Attempt,
    Content,
    Delivery,
    DeviceResult,
    EmailContent,
    Event,
    Message,
    PushContent,
    SmsContent,
    Versions,
)
from gateway.domain.recipients import JsonValue, PushDevice, Recipient
from gateway.ports import DeliveryRecord, MessageRecord

JsonObject = dict[str, JsonValue]


def message_json(record: MessageRecord, decisions: Mapping[str, JsonObject] | None = None) -> JsonObject:
    """The message with its deliveries, attempts and content, and the decision on each delivery where it is given."""
    message, decisions = record.message, decisions or {}

    def order(one: DeliveryRecord) -> tuple[datetime, int]:
        return one.delivery.created_at, message.channels.index(one.delivery.channel)

    return {
        "id": message.id,
        "status": record.status.value,
        "template": message.template,
        "category": message.category.value,
        "topic": message.topic,
        "strategy": message.strategy.value,
        "channels": [channel.value for channel in message.channels],
        "priority": message.priority.value,
        "test": not message.live,
        "recipient": recipient_json(message.to),
        "locale": message.locale,
        "versions": None if record.versions is None else versions_json(record.versions),
        "data": dict(message.data),
        "from": message.sender,
        "attachments": [_attachment_json(attachment) for attachment in message.attachments],
        "created_at": rfc3339(message.created_at),
        "send_at": rfc3339_or_none(message.send_at),
        "expires_at": rfc3339(message.expires_at),
        "deliveries": [
            delivery_json(one, decisions.get(one.delivery.id)) for one in sorted(record.deliveries, key=order)
        ],
        "tags": list(message.tags),
        "metadata": dict(message.metadata),
    }


def accepted_json(message: Message, deliveries: Sequence[Delivery]) -> bytes:
    """`message_json` as text of a message that was just accepted, its deliveries in the order of its channels.

    Nothing was tried, so most of it is null; instants must be in UTC. Raises UnicodeEncodeError for text that is
    none.
    """
    to = message.to
    shown: dict[str, object] = {
        "id": message.id,
        "status": message_status(message.strategy, [delivery.status for delivery in deliveries]),
        "template": message.template,
        "category": message.category,
        "topic": message.topic,
        "strategy": message.strategy,
        "channels": message.channels,
        "priority": message.priority,
        "test": not message.live,
        "recipient": {
            "id": to.id,
            "email": to.email,
            "phone": to.phone,
            "push": to.push,
            "locale": to.locale,
            "timezone": to.timezone,
            "country": to.country,
            "region": to.region,
            "attributes": to.attributes,
        },
        "locale": None,
        "versions": None,
        "data": message.data,
        "from": message.sender,
        "attachments": [_attachment_json(attachment) for attachment in message.attachments],
        "created_at": message.created_at,
        "send_at": message.send_at,
        "expires_at": message.expires_at,
        "deliveries": [
            {
                "id": delivery.id,
                "channel": delivery.channel,
                "status": delivery.status,
                "reason": None,
                "not_before": delivery.not_before,
                "unknown_since": None,
                "provider": None,
                "provider_message_id": None,
                "address": to.address(delivery.channel),
                "attempts": (),
                "content": None,
                "created_at": delivery.created_at,
                "updated_at": delivery.updated_at,
            }
            for delivery in deliveries
        ],
        "tags": message.tags,
        "metadata": message.metadata,
    }
    return encode(shown)


def delivery_json(record: DeliveryRecord, decision: JsonObject | None = None) -> JsonObject:
    """One channel of a message; `attempts` lists each call to a provider."""
    delivery = record.delivery
    shown: JsonObject = {
        "id": delivery.id,
        "channel": delivery.channel.value,
        "status": delivery.status.value,
        "reason": delivery.reason,
        "not_before": rfc3339_or_none(delivery.not_before),
        "unknown_since": rfc3339(delivery.updated_at) if delivery.status is DeliveryStatus.UNKNOWN else None,
        "provider": delivery.provider,
        "provider_message_id": delivery.provider_message_id,
        "address": record.address,
        "attempts": [attempt_json(attempt) for attempt in record.attempts],
        "content": None if record.content is None else content_json(record.content),
        "created_at": rfc3339(delivery.created_at),
        "updated_at": rfc3339(delivery.updated_at),
    }
    if decision is not None:
        shown["decision"] = decision
    if devices := _devices(record.attempts):
        shown["devices"] = [
            {
                "platform": device.platform,
                "status": device.status,
                "reason": device.reason,
                "provider_message_id": device.provider_message_id,
            }
            for device in devices
        ]
    return shown


def _devices(attempts: Sequence[Attempt]) -> list[DeviceResult]:
    """Each device of a push delivery as it was last told of; calls at the same time tell each of their own."""
    latest: dict[str, list[DeviceResult]] = {}
    for attempt in attempts:
        told = () if attempt.result is None else attempt.result.devices
        for platform in {device.platform: None for device in told}:
            devices = [device for device in told if device.platform == platform]
            if platform not in latest or any(device.status != SKIPPED for device in devices):
                latest[platform] = devices
    return [device for devices in latest.values() for device in devices]


def decisions_json(events: Iterable[Event]) -> dict[str, JsonObject]:
    """What policy last said of each delivery, by delivery id, from a timeline in its order."""
    latest: dict[str, JsonObject] = {}
    for event in events:
        if event.delivery_id is not None and "decision" in event.data:
            latest[event.delivery_id] = {
                "at": rfc3339(event.at),
                **{name: event.data.get(name) for name in ("decision", "reason", "rule", "not_before")},
                **{name: event.data.get(name, []) for name in ("route", "trace")},
            }
    return latest


def attempt_json(attempt: Attempt) -> JsonObject:
    """One call to a provider; `outcome` is null while it is under way or when its answer was lost."""
    result = attempt.result
    return {
        "id": attempt.id,
        "number": attempt.number,
        "provider": attempt.provider,
        "started_at": rfc3339(attempt.started_at),
        "finished_at": rfc3339_or_none(attempt.finished_at),
        "outcome": None if result is None else result.outcome.value,
        "code": None if result is None else result.code,
        "detail": None if result is None else result.detail,
        "provider_message_id": None if result is None else result.provider_message_id,
    }


def content_json(content: Content) -> JsonObject:
    """What the reader gets, as `explain` and a message show it."""
    match content:
        case EmailContent():
            return {
                "subject": content.subject,
                "preheader": content.preheader,
                "html": content.html,
                "text": content.text,
                "headers": dict(content.headers),
            }
        case SmsContent():
            return {
                "text": content.text,
                "encoding": content.encoding,
                "units": content.units,
                "segments": content.segments,
            }
        case PushContent():
            return {
                "title": content.title,
                "body": content.body,
                "action": content.action,
                "image": content.image,
                "badge": content.badge,
                "collapse_key": content.collapse_key,
                "ttl": content.ttl_seconds,
                "bytes": content.bytes,
            }
        case never:
            assert_never(never)


def recipient_json(recipient: Recipient) -> JsonObject:
    """A person, shaped as `to` in a send request; what is not known is null."""
    return {
        "id": recipient.id,
        "email": recipient.email,
        "phone": recipient.phone,
        "push": [_device_json(device) for device in recipient.push],
        "locale": recipient.locale,
        "timezone": recipient.timezone,
        "country": recipient.country,
        "region": recipient.region,
        "attributes": dict(recipient.attributes),
    }


def kept_recipient_json(recipient: Recipient) -> JsonObject:
    """A person as kept, with what the person chose beside what the service said."""
    own = recipient.preferences
    return {**recipient_json(recipient), "preferences": None if own is None else dict(own)}


def _device_json(device: PushDevice) -> JsonObject:
    if device.subscription is not None:
        return {"platform": device.platform.value, "subscription": dict(device.subscription)}
    return {"platform": device.platform.value, "token": device.token}


def _attachment_json(attachment: Attachment) -> JsonObject:
    return {
        "filename": attachment.filename,
        "content_type": attachment.content_type,
        "inline_id": attachment.inline_id,
        "bytes": len(attachment.content),
    }


def versions_json(versions: Versions) -> JsonObject:
    """Which texts it was rendered from, and why no better language was used."""
    return {
        "template": versions.template,
        "catalogs": versions.catalogs,
        "requested_locale": versions.requested_locale,
        "resolved_locale": versions.resolved_locale,
        "missing": list(versions.missing),
    }


def event_json(event: Event) -> JsonObject:
    """One fact of the timeline."""
    return {
        "id": event.id,
        "type": event.type,
        "at": rfc3339(event.at),
        "delivery_id": event.delivery_id,
        "data": dict(event.data),
    }


def trace_json(trace: Iterable[TraceStep]) -> list[JsonValue]:
    """Every rule consulted, in order."""
    return [{"rule": step.rule, "verdict": step.verdict, "saw": dict(step.saw)} for step in trace]
