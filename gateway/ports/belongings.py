"""All that the store holds of one person, a portion at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.ids import MessageId, RecipientId, ServiceId
from gateway.domain.inbound import InboundText
from gateway.domain.values import Value


class Belonging(Value, frozen=True, kw_only=True):
    """Whose it is: a person by id, and the addresses that are theirs."""

    service_id: ServiceId
    recipient_id: RecipientId
    addresses: tuple[tuple[str, str], ...]
    """Each channel and address, as it was given and in its comparable spelling."""


class UsedSlots(Value, frozen=True, kw_only=True):
    """What was counted for the person under a frequency cap."""

    cap: str
    slots: tuple[datetime, ...]
    """Newest first."""


class BelongingsStore(Protocol):
    """What belongs to a person."""

    async def belonging(self, service_id: ServiceId, recipient_id: RecipientId) -> Belonging:
        """Whom a service means by an id, also one of whom only messages or consents are kept. Raises NotFound."""

    async def messages_of(self, whose: Belonging, after: str) -> tuple[Sequence[MessageId], str | None]:
        """Their messages among the next few thousand after an id, the oldest first, and where to go on.

        Theirs are those that name them, and those without an id that go to one of their addresses.
        """

    async def texts_of(self, whose: Belonging) -> Sequence[InboundText]:
        """What came in from their addresses."""

    async def slots_of(self, whose: Belonging) -> Sequence[UsedSlots]:
        """What was counted for them."""
