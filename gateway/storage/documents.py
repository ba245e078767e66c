"""JSON as the store keeps it: compact text, and the domain values that live inside a JSON column."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.domain.encoding import decode, encode
from gateway.domain.ids import RecipientId
from gateway.domain.messages import Content, SendResult, Versions
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import EmailAddress, PhoneNumber, PushDevice, PushPlatform, Recipient
from gateway.errors import InvalidRequest

UNREADABLE: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    msgspec.MsgspecError,
)
"""What reading a row of somebody else's writing may raise, once the database has given it."""


def dump(value: Any) -> str:
    """The column's text of a JSON value or a domain value; NaN and infinities, which JSON cannot say, become null.

    Raises InvalidRequest for lone surrogates and for values that are not JSON's.
    """
    try:
        return encode(value).decode()
    except (TypeError, UnicodeEncodeError) as error:
        raise InvalidRequest(f"a value cannot be kept as JSON: {error}") from error


def load(text: str | bytes) -> Any:
    """What `dump` was given, as plain JSON."""
    return decode(text)


load_content: Final = msgspec.json.Decoder(Content).decode
"""The content that was dumped."""
load_result: Final = msgspec.json.Decoder(SendResult).decode
"""The provider's answer that was dumped."""
load_receipt: Final = msgspec.json.Decoder(Receipt).decode
"""The receipt that was dumped."""
load_versions: Final = msgspec.json.Decoder(Versions).decode
"""The versions that were dumped."""


def device_of(document: Mapping[str, Any]) -> PushDevice:
    """The device that was dumped."""
    return PushDevice(
        platform=PushPlatform(document["platform"]),
        token=document.get("token"),
        subscription=document.get("subscription"),
    )


def recipient_of(document: Mapping[str, Any]) -> Recipient:
    """The person that was dumped; what is not known has no key."""
    recipient_id, email, phone = document.get("id"), document.get("email"), document.get("phone")
    return Recipient(
        id=None if recipient_id is None else RecipientId(recipient_id),
        email=None if email is None else EmailAddress(email),
        phone=None if phone is None else PhoneNumber(phone),
        push=tuple([device_of(device) for device in document.get("push", ())]),
        locale=document.get("locale"),
        timezone=document.get("timezone"),
        country=document.get("country"),
        region=document.get("region"),
        attributes=document.get("attributes", {}),
        preferences=document.get("preferences"),
    )
