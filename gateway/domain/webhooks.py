"""Where a service hears what becomes of its messages: endpoints, what each wants to hear, and how they are signed.

A notice is one event for one endpoint. It is signed by Standard Webhooks (standardwebhooks.com, symmetric `v1`): the
HMAC-SHA256 over id, timestamp and body, joined by full stops, once for each secret that counts.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from gateway.domain.ids import EndpointId, EventId, MessageId, ReplayId, ServiceId
from gateway.domain.values import Discreet, Value

EVERY_DELIVERY: Final = ("delivery.*",)
"""What an endpoint hears that names no types: all that becomes of deliveries."""
_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


class DisabledReason(StrEnum):
    """Why an endpoint is not called."""

    BY_HAND = "by_hand"
    """Somebody turned it off."""
    FAILING = "failing"
    """It took nothing for days."""
    GONE = "gone"
    """It answered 410."""
    REMOVED = "removed"
    """Its service sees it no more; what waits for it is still being dropped."""


class EndpointFilter(Value, frozen=True, kw_only=True):
    """Which events an endpoint wants: those that every member allows. An empty one allows all."""

    types: tuple[str, ...] = EVERY_DELIVERY
    """`delivery.delivered`, `delivery.*` or `*`."""
    channels: tuple[str, ...] = ()
    """Of deliveries; what tells of a message as a whole has none, and is kept back by any."""
    categories: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """The message has one of them."""

    def wants(self, kind: str, channel: str | None, message: "Traits") -> bool:
        """Whether it allows an event of this type, on this channel, of this message."""
        return (
            any(_fits(pattern, kind) for pattern in self.types)
            and (not self.channels or channel in self.channels)
            and (not self.categories or message.category in self.categories)
            and (not self.topics or message.topic in self.topics)
            and (not self.templates or message.template in self.templates)
            and (not self.tags or not set(self.tags).isdisjoint(message.tags))
        )


class Traits(Value, frozen=True, kw_only=True):
    """What filters look at of a message."""

    template: str
    category: str
    topic: str | None
    tags: tuple[str, ...]


def _fits(pattern: str, kind: str) -> bool:
    return kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern


class Secret(Discreet, frozen=True, kw_only=True):
    """One secret of an endpoint."""

    unshown: ClassVar = frozenset({"text"})

    text: str
    """`whsec_` and the bytes in base64, as its receiver keeps it."""
    until: datetime | None = None
    """While secrets are changed: no longer used from then on. The newest has none."""


class Failure(Value, frozen=True, kw_only=True):
    """What a call that failed came to."""

    at: datetime
    status: int | None
    """Of the answer; None where there was none."""
    detail: str
    """A sentence, without anything of the answer's own."""


class Endpoint(Value, frozen=True, kw_only=True):
    """An address of a service's own that wants to hear of its messages."""

    id: EndpointId
    service_id: ServiceId
    url: str
    description: str | None
    filters: EndpointFilter
    secrets: tuple[Secret, ...]
    """The newest first."""
    enabled: bool
    disabled_reason: DisabledReason | None
    created_at: datetime
    changed_at: datetime
    failures: int = 0
    """Calls in a row that failed."""
    failing_since: datetime | None = None
    not_before: datetime | None = None
    """It is left alone until then, and tried with one call before others follow."""
    failure: Failure | None = None
    """The last one, whatever came after it."""

    def signing(self, now: datetime) -> list[str]:
        """The secrets that count at an instant."""
        return [one.text for one in self.secrets if one.until is None or now < one.until]


class Notice(Value, frozen=True, kw_only=True):
    """One event that one endpoint is to hear of."""

    endpoint_id: EndpointId
    event_id: EventId
    message_id: MessageId
    attempts: int
    """Calls begun, this one included."""
    created_at: datetime


class Replay(Value, frozen=True, kw_only=True):
    """What an endpoint hears once more: all that it wants of the events of a time."""

    id: ReplayId
    endpoint_id: EndpointId
    since: datetime
    until: datetime
    """The first instant that is left out."""
    created_at: datetime


def make_secret() -> str:
    """A fresh secret of 256 bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def rotated(known: Sequence[Secret], fresh: str, now: datetime, overlap: timedelta) -> tuple[Secret, ...]:
    """The secrets once a fresh one is in use: those before it count for `overlap` longer, none longer than it would."""
    ends = now + overlap
    kept = [
        Secret(text=one.text, until=ends if one.until is None else min(one.until, ends))
        for one in known
        if one.until is None or one.until > now
    ]
    return (Secret(text=fresh), *(one for one in kept if one.until is not None and one.until > now))


def sign(texts: Sequence[str], notice_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers that say who calls and when: a signature for each secret, of which the receiver needs to know one.

    Raises ValueError for what is no secret.
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join([notice_id.encode(), timestamp.encode(), body])
    signatures = [base64.b64encode(hmac.digest(_key(text), signed, hashlib.sha256)).decode() for text in texts]
    return {
        "webhook-id": notice_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _key(text: str) -> bytes:
    """The bytes of a secret, whose padding others may have cut off."""
    encoded = text.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError as error:
        raise ValueError("a secret is whsec_ and base64") from error
    if not key:
        raise ValueError("a secret must not be empty")
    return key
