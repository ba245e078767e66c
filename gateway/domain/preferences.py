"""What a person wants and what forbids writing to them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.domain.audit import Actor
from gateway.domain.ids import ConsentId, MessageId, RecipientId, ServiceId, SuppressionId
from gateway.domain.recipients import Channel, JsonValue, comparable
from gateway.domain.values import Value


class Category(StrEnum):
    """Why we may write at all; from the most urgent to the most restricted."""

    CRITICAL = "critical"
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"

    @property
    def needs_consent(self) -> bool:
        """Only marketing waits for a grant; the others respect suppressions alone."""
        return self is Category.MARKETING


class ConsentState(StrEnum):
    """What a person last said of a (channel, topic)."""

    GRANTED = "granted"
    DENIED = "denied"
    PENDING = "pending"
    """A double opt-in was started and not yet confirmed: not a grant."""


class Consent(Value, frozen=True, kw_only=True):
    """One line of the consent history; never changed, only followed by another."""

    id: ConsentId
    service_id: ServiceId
    recipient_id: RecipientId
    channel: Channel
    topic: str
    state: ConsentState
    source: str
    """Where it was said, such as `signup-form`, `one-click`, `preference-centre`, `api`."""
    wording: str | None = None
    """The sentence that the person agreed to, as shown."""
    wording_version: str | None = None
    """Which edition of that sentence it was."""
    locale: str | None = None
    """In which language it was shown."""
    evidence: Mapping[str, JsonValue] | None = None
    actor: Actor | None = None
    """Who had it recorded; None in lines of versions that did not ask."""
    at: datetime
    """When the person said it; may lie before `recorded_at`."""
    recorded_at: datetime
    requested_at: datetime | None = None
    """When the double opt-in began that this grant ends."""
    confirmed_at: datetime | None = None
    """When the person followed its link and said yes."""


_STRICTNESS: Final = {ConsentState.GRANTED: 0, ConsentState.PENDING: 1, ConsentState.DENIED: 2}
"""Of two lines said at one instant the stricter one holds."""


def current_consent(history: Iterable[Consent]) -> Consent | None:
    """The line of one (channel, topic) that holds: the latest `at`, and at one instant the strictest."""
    return max(history, key=lambda consent: (consent.at, _STRICTNESS[consent.state]), default=None)


def consents_at(
    history: Iterable[Consent], at: datetime | None = None, *, known_at: datetime | None = None
) -> list[Consent]:
    """The line of each (channel, topic) that held at that instant, by channel and topic; None stands for now.

    What was recorded later counts from when it was said; with `known_at` only what was recorded by then.
    """
    said: dict[tuple[Channel, str], list[Consent]] = {}
    for line in history:
        if (at is None or line.at <= at) and (known_at is None or line.recorded_at <= known_at):
            said.setdefault((line.channel, line.topic), []).append(line)
    return [standing for about in sorted(said) if (standing := current_consent(said[about]))]


ASKED_AGAIN_AFTER: Final = timedelta(hours=1)
"""Whoever types another person's address into a form over and over has one message sent an hour."""


def may_ask(standing: Consent | None, line: Consent) -> bool:
    """Whether a person may be asked for confirmation once more, `standing` being what holds before the line."""
    if standing is None or standing.state is not ConsentState.PENDING:
        return True
    return line.recorded_at - standing.recorded_at >= ASKED_AGAIN_AFTER


class SuppressionReason(StrEnum):
    """Why an address is never to be written to."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    STOP = "stop"
    MANUAL = "manual"

    @property
    def may_end(self) -> bool:
        """Whether time alone may lift it; what a person said stands until the person says otherwise."""
        return self in _PASSING


_PASSING: Final = frozenset({SuppressionReason.BOUNCE, SuppressionReason.MANUAL})


BY_TEXT: Final = "text"
"""The member `by` of the evidence of a STOP that came by text: what alone a later START lifts."""
SPARES: Final = "spares"
"""The member of a STOP's evidence that names the one message which it lets pass: its own answer."""


class Suppression(Value, frozen=True, kw_only=True):
    """An address that must not be written to on a channel, gateway-wide."""

    id: SuppressionId
    channel: Channel
    address: str | None
    """Its readable form; None once the person was erased: then only a keyed hash still says which address it is."""
    reason: SuppressionReason
    scope: str = "all"
    """`all`, a category (`marketing`) or `topic:<name>`: which messages it forbids."""
    evidence: Mapping[str, JsonValue] | None = None
    created_at: datetime
    expires_at: datetime | None = None

    def is_of(self, channel: Channel, address: str) -> bool:
        """Whether it speaks of this address; one that cannot be read speaks of none until the store has matched it."""
        return (
            self.channel is channel
            and self.address is not None
            and comparable(channel, self.address) == comparable(channel, address)
        )

    def spares(self, message_id: MessageId | None) -> bool:
        """Whether that message is the one answer that a STOP lets pass."""
        answer = (self.evidence or {}).get(SPARES) if self.reason is SuppressionReason.STOP else None
        return answer is not None and answer == message_id

    def forbids(self, category: Category, topic: str | None, now: datetime) -> bool:
        """Whether this suppression speaks against such a message at that instant."""
        if self.expires_at is not None and self.expires_at <= now:
            return False
        return self.scope in ("all", category.value, f"topic:{topic}")
