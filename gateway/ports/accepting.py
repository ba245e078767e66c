"""Where a 202 becomes true: new messages and the keys that make a repeat harmless."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.ids import ServiceId
from gateway.domain.messages import Delivery, Event, Message
from gateway.domain.recipients import Recipient
from gateway.domain.values import Value


class Idempotency(Value, frozen=True, kw_only=True):
    """A caller's key with what it stands for."""

    key: str
    fingerprint: str
    """SHA-256 of the canonical JSON of the body, hex."""
    answer: bytes
    """The 202 body that a replay repeats, in JSON."""


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
    """The key was used before for the same body: this was the answer; nothing new was stored."""

    answer: bytes
    """In JSON; as the store keeps it, so members may stand in another order than then."""


class Mismatched(Value, frozen=True, kw_only=True):
    """The key was used before for another body; nothing was stored."""


AcceptOutcome = Stored | Replayed | Mismatched


class AcceptStore(Protocol):
    """Where a 202 becomes true."""

    async def accept(self, new: NewMessage) -> AcceptOutcome:
        """Store one message durably; concurrent calls share a commit. Raises Unavailable when it cannot."""

    async def accept_batch(
        self,
        service_id: ServiceId,
        items: Sequence[NewMessage],
        request: Idempotency | None,
        compose: Callable[[Sequence[AcceptOutcome]], bytes],
    ) -> tuple[Sequence[AcceptOutcome], AcceptOutcome]:
        """Store many in one transaction: each item's outcome, and the request's own.

        With a `request` key its answer is composed from the items' outcomes inside the transaction
        (`request.answer` is ignored). When the request is Replayed or Mismatched no item is stored and the
        item outcomes are empty.
        """

    async def recall(self, service_id: ServiceId, key: str) -> Idempotency | None:
        """What a key was used for; so that a repeat is answered although its body would be refused by now."""

    async def oldest_due(self, now: datetime) -> datetime | None:
        """When the longest-waiting claimable delivery fell due; None when nothing waits. For load shedding."""
