"""What policy says of one delivery, with the trace of every rule that spoke."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from gateway.domain.ids import MessageId
from gateway.domain.preferences import Category, Consent, Suppression, SuppressionReason
from gateway.domain.recipients import Channel, JsonValue, Recipient
from gateway.domain.rules import NO_RULES, RuleSet
from gateway.domain.slots import SlotNeed
from gateway.domain.spending import SpendingFacts
from gateway.domain.values import Value, field


class TraceStep(Value, frozen=True, kw_only=True):
    """One rule consulted: its verdict and the values it saw, with where they came from."""

    rule: str
    verdict: Literal["pass", "hold", "suppress", "expire"]
    saw: Mapping[str, JsonValue]


class Send(Value, frozen=True, kw_only=True):
    """It may go now, through these providers in this order."""

    route: tuple[str, ...]
    trace: tuple[TraceStep, ...]
    slots: tuple[SlotNeed, ...] = ()
    """What it needs of each cap that speaks of it."""


class Hold(Value, frozen=True, kw_only=True):
    """It may not go before an instant; `rule` names what holds it."""

    not_before: datetime
    reason: str
    rule: str
    trace: tuple[TraceStep, ...]


class Suppress(Value, frozen=True, kw_only=True):
    """It may never go on this channel; under `first` the next channel is tried."""

    reason: str
    rule: str
    trace: tuple[TraceStep, ...]
    falls_through: bool = True
    """False where the message is dropped: no other channel is tried."""


class Expire(Value, frozen=True, kw_only=True):
    """Its time is over, or no allowed instant is left before it is."""

    reason: str
    rule: str
    trace: tuple[TraceStep, ...]


Decision = Send | Hold | Suppress | Expire


class Facts(Value, frozen=True, kw_only=True):
    """All that policy looks at for one delivery; read in one go just before the decision."""

    category: Category
    topic: str | None
    channel: Channel
    message_id: MessageId | None = None
    """The message, where there is one already: a STOP lets its own answer pass."""
    recipient: Recipient
    """What is stored, with the message's inline values on top."""
    send_at: datetime | None
    expires_at: datetime
    consents: tuple[Consent, ...]
    """The recipient's history for this topic on any channel, in no particular order."""
    suppressions: tuple[Suppression, ...]
    """Those of the recipient's addresses on this channel, expired ones included."""
    route: tuple[str, ...]
    """Providers that serve such a delivery, in order; empty when there is none."""
    country: str | None = None
    """By which they were chosen: of a text its number's, else the recipient's."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """By provider: what part of the traffic it gets, in proportion; empty: the first that is well gets all."""
    rules: RuleSet = NO_RULES
    """Those in force that may speak of it, the recipient's own wishes among them."""
    slots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By the counter of a cap: when this person's slots were taken, newest first, `limit` of them at most; as
    `to_micros` counts."""
    waiting: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    """By the counter of a cap: when deliveries of a higher priority that wait for this person may go."""
    spending: SpendingFacts | None = None
    """What it may cost; None where no limit may speak of it."""
    default_timezone: str = "UTC"
    """Of a person of whom no zone can be told."""
    consent_on_any_channel: bool = False
    """Whether a grant for the topic on another channel is enough."""
    overridden: frozenset[SuppressionReason] = frozenset()
    """The suppressions that a `critical` message may pass; never a STOP."""
