"""What the mailbox provider was given, for people to look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from gateway.domain.ids import DeliveryId
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import Value
from gateway.ports.reading import Page


class MailboxItem(Value, frozen=True, kw_only=True):
    """One thing that the mailbox was given, as its reader would get it."""

    delivery_id: DeliveryId
    channel: Channel
    sender: str
    to: str
    content: Mapping[str, JsonValue]
    """`{subject, …}`, `{text, …}` or `{title, …}`, shaped as the API shows content."""
    raw: bytes | None
    """The e-mail as it came over SMTP."""
    received_at: datetime


class MailboxStore(Protocol):
    """What the mailbox provider keeps for people to look at."""

    async def keep(self, item: MailboxItem) -> bool:
        """Keep it unless this delivery is there already; True when it is new. Durable on return."""

    async def get_item(self, delivery_id: DeliveryId) -> MailboxItem:
        """Raises NotFound."""

    async def list_items(self, channel: Channel | None, limit: int, cursor: str | None) -> Page[MailboxItem]:
        """Newest first, without `raw`."""
