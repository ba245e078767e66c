"""Where a 202 becomes true: new messages and the keys that make a repeat harmless."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.domain.ids import MessageId, ServiceId
from gateway.domain.messages import Delivery, Event, Message
from gateway.domain.recipients import Recipient
from gateway.domain.values import Value


class Idempotency(Value, frozen=True, kw_only=True):
    """A caller's key with what it stands for."""

    key: str
    fingerprint: str
    """SHA-256 of the canonical JSON of the body, hex."""


class NewDelivery(Value, frozen=True, kw_only=True):
    """A delivery to store, and when it may first be claimed."""

    delivery: Delivery
    due_at: datetime


class NewMessage(Value, frozen=True, kw_only=True):
    """All that one accepted message writes, in one transaction."""

    message: Message
    deliveries: tuple[NewDelivery, ...]
    events: tuple[Event, ...]
    idempotency: Idempotency | None = None
    remember: Recipient | None = None
    """Inline values to keep as the recipient's own."""


class Stored(Value, frozen=True, kw_only=True):
    """It is on disk."""


class Replayed(Value, frozen=True, kw_only=True):
    """The key was used before for the same body: it stands for this message; nothing new was stored."""

    message: Message
    deliveries: tuple[Delivery, ...]
    """Its first ones, as they were when it was accepted."""


class BatchReplayed(Value, frozen=True, kw_only=True):
    """The key was used before for the same batch; nothing new was stored."""

    outline: Any
    """What was kept of the answer, from JSON: it names the messages by their ids."""
    messages: Mapping[MessageId, Replayed]
    """Those that are still kept."""


class Mismatched(Value, frozen=True, kw_only=True):
    """The key was used before for another body; nothing was stored."""


AcceptOutcome = Stored | Replayed | Mismatched
BatchOutcome = Stored | BatchReplayed | Mismatched


class AcceptStore(Protocol):
    """Where a 202 becomes true."""

    def accept(self, new: NewMessage) -> Awaitable[AcceptOutcome]:
        """Store one message durably; concurrent calls share a commit. Raises Unavailable when it cannot."""

    async def accept_batch(
        self,
        service_id: ServiceId,
        items: Sequence[NewMessage],
        request: Idempotency | None,
        outline: Callable[[Sequence[AcceptOutcome]], bytes],
    ) -> tuple[Sequence[AcceptOutcome], BatchOutcome]:
        """Store many in one transaction: each item's outcome, and the request's own.

        With a `request` key the outline of its answer is made from the items' outcomes inside the transaction: JSON
        with `{"items": [{"message": {"id"}}, …]}` for messages. When the request is BatchReplayed or Mismatched no
        item is stored and the item outcomes are empty.
        """

    async def recall(self, service_id: ServiceId, asked: Idempotency) -> Replayed | BatchReplayed | Mismatched | None:
        """What a repeat comes to; so that it is answered although its body would be refused by now."""

    async def oldest_due(self, now: datetime) -> datetime | None:
        """When the longest-waiting claimable delivery fell due; None when nothing waits. For load shedding."""
