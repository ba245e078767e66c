"""The seams of what comes in: webhooks that a provider verifies and reads, and the store that keeps the texts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from gateway.domain.ids import DeliveryId, RecipientId, ServiceId
from gateway.domain.inbound import Inbound, InboundText
from gateway.domain.messages import Event, Message
from gateway.domain.preferences import Suppression
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel
from gateway.domain.values import Value
from gateway.ports.accepting import NewMessage
from gateway.ports.reading import Page


class WebhookRequest(Value, frozen=True, kw_only=True):
    """A call to `/webhooks/{provider}`, as it came."""

    url: str
    """As the provider addressed it: public, with its query."""
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes
    """The raw bytes: signatures are made of these."""
    received_at: datetime


@runtime_checkable
class WebhookReceiver(Protocol):
    """A provider that calls us; what it says is believed only once it is verified."""

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether the call is the provider's own and fresh: of the raw bytes, and in constant time.

        Raises Unavailable where that cannot be said now, such as while a certificate is not to be had.
        """

    def parse(self, request: WebhookRequest) -> Sequence[Inbound | Receipt]:
        """What a verified call tells: texts, and what became of messages.

        Words and members that are not known are kept or passed over. Raises InvalidRequest where it holds nothing
        that can be kept.
        """


@runtime_checkable
class Confirming(Protocol):
    """A receiver whose provider wants to be called back before it tells more."""

    async def confirm(self, request: WebhookRequest) -> None:
        """Call back where a verified call asks for it, once what it tells is kept.

        Raises Unavailable where that did not come about and the provider shall ask again.
        """


class Acquaintance(Value, frozen=True, kw_only=True):
    """What is known of who texts."""

    service_id: ServiceId
    recipient_id: RecipientId | None
    locale: str | None
    """What the person reads, else the language of the last message."""
    live: bool
    last: Message | None
    """The last message to this address."""
    delivery_id: DeliveryId | None
    """Its delivery there."""


class InboundQuery(Value, frozen=True, kw_only=True):
    """Which texts; None says nothing."""

    meaning: str | None = None
    sender: str | None = None
    """Whose they are: the whole number."""
    limit: int = 50
    cursor: str | None = None


class Intake(Value, frozen=True, kw_only=True):
    """A text, and what follows from it; all of it in one transaction, or nothing where the text was known."""

    text: InboundText
    suppression: Suppression | None = None
    """The address is never to be written to again."""
    lifts: bool = False
    """Take back what earlier texts from this address suppressed, and nothing else."""
    reply: NewMessage | None = None
    """The one answer. To a STOP and a START it is stored only where they changed something."""
    replied: Event | None = None
    """For the timeline of the last message to that address; None where there is none."""
    changed: Event | None = None
    """The same, stored only where the text changed something."""


class InboundStore(Protocol):
    """The texts that came in."""

    async def acquaintance(self, channel: Channel, address: str) -> Acquaintance | None:
        """Whom we last wrote to there, else who has that address; None for a stranger."""

    async def take_in(self, intake: Intake) -> InboundText | None:
        """Keep a text and do what follows, durably; as it is kept, or None for one that was told before.

        Once it returns no provider call to a suppressed address is begun.
        """

    async def list_inbound(self, query: InboundQuery) -> Page[InboundText]:
        """Those that match, newest first."""
