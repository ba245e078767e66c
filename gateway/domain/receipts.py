"""What a provider tells later of a message that it was given."""

from datetime import datetime
from enum import StrEnum

from gateway.domain.ids import AttemptId, DeliveryId
from gateway.domain.lifecycle import Evidence
from gateway.domain.preferences import SuppressionReason
from gateway.domain.values import Value


class Reaction(StrEnum):
    """What a person did with a message: an event, never a status."""

    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    """They called it spam."""
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"


class Receipt(Value, frozen=True, kw_only=True):
    """One thing told of one message; adapters make it from their webhooks and look-ups. No address is in it."""

    event_id: str
    """The same for each time that this is told: told twice, it counts once."""
    delivery_id: DeliveryId | None = None
    """Ours, where the call carried it and the provider gives it back."""
    attempt_id: AttemptId | None = None
    provider_message_id: str | None = None
    status: str
    """The provider's own word, as it came."""
    code: str | None = None
    detail: str | None = None
    """The provider's words, without addresses."""
    evidence: Evidence | None = None
    """What it says of the attempt; None for what moves no status, such as a word that we do not know."""
    reaction: Reaction | None = None
    suppress: SuppressionReason | None = None
    """The address is not to be written to again, for this reason."""
    at: datetime | None = None
    """The provider's own instant, where it gives one."""
