"""JSON as the store keeps it: compact text, and the domain values that live inside a JSON column."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import PydanticSerializationError, from_json, to_json

from gateway.domain.ids import RecipientId
from gateway.domain.messages import (
    Content,
    DeviceResult,
    EmailContent,
    Outcome,
    PushContent,
    SendResult,
    SmsContent,
    Versions,
)
from gateway.domain.recipients import EmailAddress, JsonValue, PhoneNumber, PushDevice, PushPlatform, Recipient
from gateway.errors import InvalidRequest

Document = dict[str, Any]


def dump(value: Any) -> str:
    """The column's text; NaN and infinities, which JSON cannot say, become null.

    Raises InvalidRequest for lone surrogates and for values that are not JSON's.
    """
    try:
        return to_json(value, inf_nan_mode="null").decode()
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise InvalidRequest(f"a value cannot be kept as JSON: {error}") from error


def load(text: str | bytes) -> Any:
    """What `dump` was given."""
    return from_json(text)


def _fields(value: object, names: tuple[str, ...]) -> Document:
    return {name: field for name in names if (field := getattr(value, name)) is not None}


def device_document(device: PushDevice) -> Document:
    """`{platform, token}` or `{platform, subscription}`, as the API shows it."""
    return _fields(device, ("platform", "token", "subscription"))


def device_of(document: Mapping[str, Any]) -> PushDevice:
    """The device that `device_document` described."""
    return PushDevice(
        platform=PushPlatform(document["platform"]),
        token=document.get("token"),
        subscription=document.get("subscription"),
    )


_RECIPIENT_TEXTS: Final = ("id", "email", "phone", "locale", "timezone", "country", "region")


def recipient_document(recipient: Recipient) -> Document:
    """Only what is known of the person: absent values have no key."""
    document = _fields(recipient, _RECIPIENT_TEXTS)
    if recipient.push:
        document["push"] = [device_document(device) for device in recipient.push]
    if recipient.attributes:
        document["attributes"] = recipient.attributes
    return document


def recipient_of(document: Mapping[str, Any]) -> Recipient:
    """The person that `recipient_document` described."""
    recipient_id, email, phone = document.get("id"), document.get("email"), document.get("phone")
    return Recipient(
        id=None if recipient_id is None else RecipientId(recipient_id),
        email=None if email is None else EmailAddress(email),
        phone=None if phone is None else PhoneNumber(phone),
        push=tuple(device_of(device) for device in document.get("push", ())),
        locale=document.get("locale"),
        timezone=document.get("timezone"),
        country=document.get("country"),
        region=document.get("region"),
        attributes=document.get("attributes", {}),
    )


_EMAIL: Final = ("subject", "preheader", "html", "text", "locale", "headers")
_SMS: Final = ("text", "encoding", "units", "segments", "locale")
_PUSH: Final = ("title", "body", "locale", "bytes", "action", "image", "badge", "collapse_key", "ttl_seconds")


def content_document(content: Content) -> Document:
    """The content with its channel beside it."""
    match content:
        case EmailContent():
            return {"channel": "email", **_fields(content, _EMAIL)}
        case SmsContent():
            return {"channel": "sms", **_fields(content, _SMS)}
        case PushContent():
            return {"channel": "push", **_fields(content, _PUSH)}


def content_of(document: Mapping[str, Any]) -> Content:
    """The content that `content_document` described."""
    fields = {name: value for name, value in document.items() if name != "channel"}
    match document["channel"]:
        case "email":
            headers = tuple((name, value) for name, value in fields.pop("headers", ()))
            return EmailContent(**fields, headers=headers)
        case "sms":
            return SmsContent(**fields)
        case _:
            return PushContent(**fields)


_RESULT: Final = ("outcome", "provider_message_id", "code", "detail", "retry_after_seconds")
_DEVICE_RESULT: Final = ("platform", "status", "reason", "provider_message_id")


def result_document(result: SendResult) -> Document:
    """A provider's classified answer."""
    document = _fields(result, _RESULT)
    if result.devices:
        document["devices"] = [_fields(device, _DEVICE_RESULT) for device in result.devices]
    return document


def result_of(document: Mapping[str, Any]) -> SendResult:
    """The answer that `result_document` described."""
    fields = dict(document)
    outcome, devices = Outcome(fields.pop("outcome")), fields.pop("devices", ())
    return SendResult(outcome=outcome, devices=tuple(DeviceResult(**device) for device in devices), **fields)


_VERSIONS: Final = ("template", "catalogs", "requested_locale", "resolved_locale")


def versions_document(versions: Versions) -> Document:
    """Which texts a message was rendered from."""
    return {**_fields(versions, _VERSIONS), "missing": list(versions.missing)}


def versions_of(document: Mapping[str, JsonValue]) -> Versions:
    """The versions that `versions_document` described."""
    fields: Document = {"requested_locale": None, **document}
    return Versions(**{**fields, "missing": tuple(fields["missing"])})
