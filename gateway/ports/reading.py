"""The delivery log as one reads and steers it, a page at a time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import DeliveryId, MessageId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attempt, Content, Delivery, Event, Message, Versions
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.values import Value
from gateway.ports.accepting import NewDelivery

T = TypeVar("T")


class Page(Value, Generic[T], frozen=True, kw_only=True):
    """One page of a list, newest first unless said otherwise."""

    items: tuple[T, ...]
    next_cursor: str | None


class DeliveryRecord(Value, frozen=True, kw_only=True):
    """A delivery as one reads it: with its attempts and what was sent."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    content: Content | None
    """None until it was rendered, and after retention."""
    address: str | None
    """The one address it went or goes to; None for push and where none is known yet."""


class MessageRecord(Value, frozen=True, kw_only=True):
    """A message as one reads it."""

    message: Message
    status: DeliveryStatus
    deliveries: tuple[DeliveryRecord, ...]
    versions: Versions | None


class MessageQuery(Value, frozen=True, kw_only=True):
    """Which messages of the delivery log; every field that is None says nothing."""

    service_id: ServiceId | None = None
    """Only this service's; None for ops."""
    status: DeliveryStatus | None = None
    channel: Channel | None = None
    recipient: str | None = None
    """The recipient's id or one whole address."""
    template: str | None = None
    topic: str | None = None
    category: Category | None = None
    provider: str | None = None
    locale: str | None = None
    tag: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    text: str | None = None
    """Free text: found in ids, addresses, template, tags, metadata and subjects."""
    limit: int = 50
    cursor: str | None = None


class LogStore(Protocol):
    """The delivery log: what was sent, to whom, why not."""

    async def read(self, message_id: MessageId, service_id: ServiceId | None) -> MessageRecord:
        """One message with all that is known of it. Raises NotFound, also for another service's."""

    async def read_delivery(self, delivery_id: DeliveryId) -> MessageRecord:
        """The message that a delivery belongs to, whoever's it is; for links that name a delivery. Raises NotFound."""

    async def search(self, query: MessageQuery) -> Page[MessageRecord]:
        """Messages that match, newest first. Raises InvalidRequest for a cursor that is not ours."""

    async def events(
        self, message_id: MessageId, service_id: ServiceId | None, limit: int, cursor: str | None
    ) -> Page[Event]:
        """The timeline, oldest first. Raises NotFound."""

    async def summary(self, since: datetime) -> Mapping[tuple[str, Channel, str, DeliveryStatus], int]:
        """How many deliveries by (template, channel, locale, status) were created since then."""


class SteeringStore(Protocol):
    """What people do to messages by hand; each with who and why in the timeline and in the audit trail."""

    async def cancel(
        self, message_id: MessageId, service_id: ServiceId | None, event: Event, entry: AuditEntry | None = None
    ) -> MessageRecord:
        """Cancel every delivery of the message; each has a `delivery.cancelled` with the event's instant and data.

        The entry is kept with it, unless there was nothing left to cancel.

        Raises NotFound, and Conflict `too_late` when a provider was or may be called.
        """

    async def retry(
        self,
        message_id: MessageId,
        service_id: ServiceId | None,
        new: NewDelivery,
        event: Event,
        entry: AuditEntry | None = None,
    ) -> None:
        """Add a delivery for another try, with its entry.

        Raises Conflict unless the last one on that channel failed for good.
        """


class StoreCondition(Value, frozen=True, kw_only=True):
    """How a store is, as of a commit that it has just made."""

    revision: str
    """Of its tables."""
    is_current: bool
    """Whether that is the revision that this code needs."""
    engine: str
    """Such as `SQLite 3.51.3`."""
    warnings: tuple[str, ...]
    """What operators should know of it."""


class ConditionStore(Protocol):
    """Asks a store how it is."""

    async def probe(self) -> StoreCondition:
        """Make one durable commit. Raises Unavailable when it cannot commit."""
