"""One message on its way: what was asked, what it became on each channel, and each try to send it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import ClassVar, Final

from gateway.domain.ids import AttemptId, DeliveryId, EventId, MessageId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, JsonValue, PushDevice, Recipient
from gateway.domain.values import Discreet, Value, field

MASK: Final = "••••"
"""What stands for a secret value wherever people or programs may read it."""


class Priority(StrEnum):
    """What the caller says of the hurry; `critical` templates go before all of these."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Lane(IntEnum):
    """The order of claiming: a lower lane is always served first."""

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


_LANES: Final = {Priority.HIGH: Lane.HIGH, Priority.NORMAL: Lane.NORMAL, Priority.LOW: Lane.LOW}


def lane_of(category: Category, priority: Priority) -> Lane:
    """The lane of a message: one-time codes before everything, then the caller's priority."""
    if category is Category.CRITICAL:
        return Lane.CRITICAL
    return _LANES[priority]


class Attachment(Value, frozen=True, kw_only=True):
    """A file that goes with an e-mail."""

    filename: str
    content_type: str
    content: bytes
    inline_id: str | None = None
    """Content-ID that the HTML names as `cid:…`; None for an ordinary attachment."""


class LocalTime(Value, frozen=True, kw_only=True):
    """A wall-clock instant in the recipient's or a named zone."""

    local: datetime
    """Naive wall time."""
    timezone: str
    """An IANA zone, or `recipient`."""


class SendRequest(Discreet, frozen=True, kw_only=True):
    """What a service asked for, checked for shape; content and addresses are checked by accept."""

    unshown: ClassVar = frozenset({"data"})

    template: str
    to: Recipient
    """Inline values, and the id under which the gateway may know more."""
    remember: bool = False
    """Keep the inline values as the recipient's own."""
    channels: tuple[Channel, ...] | None = None
    strategy: Strategy | None = None
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    """Secret values among them are not set apart yet."""
    send_at: datetime | LocalTime | None = None
    expires_at: datetime | None = None
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    sender: str | None = None
    """The JSON field `from`: a sender identity that the service owns."""
    attachments: tuple[Attachment, ...] = ()
    traceparent: str | None = None


class Message(Discreet, frozen=True, kw_only=True):
    """One send of one template to one recipient, as accepted."""

    unshown: ClassVar = frozenset({"secrets"})

    id: MessageId
    service_id: ServiceId
    live: bool
    """False for a test key: everything happens, and only the mailbox gets it."""
    template: str
    category: Category
    topic: str | None
    strategy: Strategy
    channels: tuple[Channel, ...]
    """In the order in which they are tried, or all at once."""
    to: Recipient
    """The inline values only; what is stored of the recipient is read anew at hand-off."""
    data: Mapping[str, JsonValue]
    """The template's variables, secret ones shown as ••••."""
    secrets: Mapping[str, JsonValue]
    """The secret variables' values; empty once the message is final."""
    priority: Priority
    tags: tuple[str, ...]
    metadata: Mapping[str, JsonValue]
    sender: str | None
    attachments: tuple[Attachment, ...]
    fallback_after: timedelta | None
    created_at: datetime
    send_at: datetime | None
    expires_at: datetime
    locale: str | None = None
    """The resolved locale, known once it was rendered."""
    traceparent: str | None = None

    @property
    def lane(self) -> Lane:
        """Where it stands in the order of claiming."""
        return lane_of(self.category, self.priority)


class EmailContent(Value, frozen=True, kw_only=True, omit_defaults=True, tag_field="channel", tag="email"):
    """An e-mail as its reader gets it."""

    subject: str
    preheader: str
    html: str
    text: str
    locale: str
    """The resolved locale (Content-Language)."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers, such as List-Unsubscribe; From, To, Date and Message-ID are added at hand-off."""


class SmsContent(Value, frozen=True, kw_only=True, omit_defaults=True, tag_field="channel", tag="sms"):
    """A text message and what it costs."""

    text: str
    encoding: str
    """`gsm-7` or `ucs-2`."""
    units: int
    """Septets or UTF-16 code units."""
    segments: int
    locale: str


class PushContent(Value, frozen=True, kw_only=True, omit_defaults=True, tag_field="channel", tag="push"):
    """A notification as the device shows it."""

    title: str
    body: str
    locale: str
    bytes: int
    """UTF-8 size of the largest platform's payload."""
    action: str | None = None
    """URL that a tap opens."""
    image: str | None = None
    badge: int | None = None
    collapse_key: str | None = None
    ttl_seconds: int | None = None


Content = EmailContent | SmsContent | PushContent


class Versions(Value, frozen=True, kw_only=True):
    """Which texts a message was rendered from."""

    template: str
    catalogs: str
    requested_locale: str | None = None
    resolved_locale: str
    missing: tuple[str, ...] = ()
    """Strings that the better languages lacked, as `locale: msgid`; the reason of a fallback."""


class Delivery(Value, frozen=True, kw_only=True):
    """One message on one channel; it carries the status."""

    id: DeliveryId
    message_id: MessageId
    channel: Channel
    status: DeliveryStatus
    reason: str | None = None
    """Why it is held, suppressed, expired or failed; `no_receipts` on a `sent` that is the end."""
    not_before: datetime | None = None
    """The instant until which it is held or scheduled, or at which a retry is due."""
    provider: str | None = None
    provider_message_id: str | None = None
    attempts: int = 0
    """How many provider calls were begun."""
    created_at: datetime
    updated_at: datetime


def accepted_delivery(delivery_id: DeliveryId, message: Message, channel: Channel, at: datetime) -> Delivery:
    """A delivery that waits for its first decision: at once, or at the instant that the caller chose."""
    later = message.send_at if message.send_at is not None and message.send_at > at else None
    return Delivery(
        id=delivery_id,
        message_id=message.id,
        channel=channel,
        status=DeliveryStatus.ACCEPTED if later is None else DeliveryStatus.SCHEDULED,
        not_before=later,
        created_at=at,
        updated_at=at,
    )


class Outcome(StrEnum):
    """How a provider's answer to one call is classified."""

    SENT = "sent"
    DELIVERED = "delivered"
    """Taken and known to have arrived at once; only the mailbox says so."""
    REJECTED = "rejected"
    """This message, for good: content, size, policy."""
    INVALID_RECIPIENT = "invalid_recipient"
    """This address, for good; it is suppressed."""
    OPTED_OUT = "opted_out"
    """The provider holds the address's own STOP."""
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    MISCONFIGURED = "misconfigured"
    """Our credentials, sender or account: another message would fare no better."""
    UNKNOWN = "unknown"
    """The answer was lost after the request left."""


class DeviceResult(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one device of a push delivery."""

    platform: str
    status: str
    reason: str | None = None
    provider_message_id: str | None = None


class SendResult(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A provider's classified answer to one call."""

    outcome: Outcome
    provider_message_id: str | None = None
    code: str | None = None
    """The provider's raw code, such as `550 5.1.1`."""
    detail: str | None = None
    """The provider's words, without addresses or secrets."""
    retry_after_seconds: float | None = None
    devices: tuple[DeviceResult, ...] = ()


class Attempt(Value, frozen=True, kw_only=True):
    """One call to one provider for one delivery."""

    id: AttemptId
    delivery_id: DeliveryId
    number: int
    provider: str
    started_at: datetime
    finished_at: datetime | None = None
    result: SendResult | None = None
    """None while the call is under way, or when its answer was lost with the process."""


class Event(Value, frozen=True, kw_only=True):
    """A fact in the timeline of a message; append-only."""

    id: EventId
    message_id: MessageId
    delivery_id: DeliveryId | None
    type: str
    """`message.accepted`, `delivery.<status>`, `delivery.decided`, `attempt.started`, `attempt.finished`, …"""
    at: datetime
    data: Mapping[str, JsonValue]
    """Decision and trace, reason, provider, code; never template data or a whole address."""


class Envelope(Discreet, frozen=True, kw_only=True):
    """All that a provider needs for one call, and nothing else."""

    unshown: ClassVar = frozenset({"content", "mime"})

    delivery_id: DeliveryId
    attempt_id: AttemptId
    channel: Channel
    live: bool
    sender: str
    to: str
    """The one address; empty for push."""
    devices: tuple[PushDevice, ...] = ()
    content: Content
    """With the secret values, as is `mime`."""
    mime: bytes | None = None
    """The whole e-mail, for providers that take raw MIME."""
    attachments: tuple[Attachment, ...] = ()
    message_id_header: str | None = None
    """RFC 5322 Message-ID, the same for every try of a delivery."""
    expires_at: datetime
    deadline_seconds: float
    """How long the call may take in all."""
