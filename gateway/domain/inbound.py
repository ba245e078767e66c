"""What people send to us: texts, and what each asked for."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from gateway.domain.ids import InboundId
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import Value


class Inbound(Value, frozen=True, kw_only=True):
    """A text as a provider tells it; adapters make it from their webhooks."""

    event_id: str
    """The provider's own id of the text: told twice, it counts once."""
    channel: Channel = Channel.SMS
    sender: str
    """Whose text it is, as the provider writes the number."""
    recipient: str = ""
    """Our own number or sender name that it was sent to; empty where the provider does not say."""
    text: str
    sent_at: datetime | None = None
    """When the provider says that it was sent."""
    live: bool = True
    """False for a text that only tries things out: an answer to a number we never wrote to goes to the mailbox."""


class InboundText(Value, frozen=True, kw_only=True):
    """A text that came in, as it is kept."""

    id: InboundId
    provider: str
    """The configured name."""
    event_id: str
    channel: Channel
    sender: str
    """In the spelling that addresses are kept in (E.164)."""
    recipient: str
    text: str
    meaning: str
    """`stop`, `start`, `help`, `unclear` (a person has to look), or `other`."""
    at: datetime
    """When it came in."""
    handled: Mapping[str, JsonValue]
    """The words that were found in it, and what followed."""


class StopCovers(StrEnum):
    """What a STOP ends."""

    EVERYTHING = "everything"
    """Every message to that number, one-time codes among them."""
    MARKETING = "marketing"
    TOPIC = "topic"
    """The topic of the last message to that number; everything where it had none."""
