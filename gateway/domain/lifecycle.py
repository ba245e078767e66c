"""The life of a delivery: its statuses, the edges between them, and the status that a set of facts amounts to.

Two views of one table. `advance` guards the gateway's own steps; `resolve` turns everything known of a
delivery, in whatever order and however often it was told, into the one status that is true.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.recipients import Channel
from gateway.domain.values import Value


class DeliveryStatus(StrEnum):
    """Where a message is on one channel."""

    ACCEPTED = "accepted"
    """On disk; policy has not spoken yet. Set by accept."""
    SCHEDULED = "scheduled"
    """On disk for a later instant that the caller chose. Set by accept."""
    HELD = "held"
    """Policy said: not before an instant. Costs no attempt. Set at hand-off."""
    QUEUED = "queued"
    """Allowed, waiting for a provider: a retry is due, or none is free. Set at hand-off."""
    SENDING = "sending"
    """The intent to call a provider is on disk; the call may be under way. Set by reserve."""
    SENT = "sent"
    """A provider took it; where none gives receipts this is the honest end."""
    DELIVERED = "delivered"
    """A provider says that it arrived."""
    UNDELIVERED = "undelivered"
    """A provider took it and later said that it did not arrive: bounce, carrier refusal, expiry there."""
    UNKNOWN = "unknown"
    """The provider's answer was lost after the request left; a blind resend might send it twice."""
    FAILED = "failed"
    """Refused for good before anyone took it, or retries spent."""
    SUPPRESSED = "suppressed"
    """Policy refused it."""
    EXPIRED = "expired"
    """Its time ran out before it could go."""
    CANCELLED = "cancelled"
    """The caller took it back before any provider was called."""

    @property
    def is_final(self) -> bool:
        """No step of our own follows; only a provider's later word may still change it."""
        return self in _FINAL


_FINAL: Final = frozenset(
    {
        DeliveryStatus.DELIVERED,
        DeliveryStatus.UNDELIVERED,
        DeliveryStatus.FAILED,
        DeliveryStatus.SUPPRESSED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.CANCELLED,
    }
)

ANSWER_LOST: Final = "answer_lost"
"""The reason on a delivery whose provider was called and gave no answer that tells anything."""
WORKER_LOST: Final = "worker_lost"
"""The reason on a delivery whose worker died, or lost sight of it, during the call."""
POISON: Final = "poison"
"""The reason on a delivery that failed since claims of it kept ending with their worker before any call."""
LOST_ANSWERS: Final = frozenset({ANSWER_LOST, WORKER_LOST})
"""Reasons of a queued delivery that may have been taken: only who was asked, and repeats nothing, is asked again."""

_S = DeliveryStatus
WAITING: Final = frozenset({_S.ACCEPTED, _S.SCHEDULED, _S.HELD, _S.QUEUED})
"""Statuses in which no provider call is under way and the delivery can be claimed."""

_STOPS: Final = {
    _S.SUPPRESSED: "policy refused it",
    _S.EXPIRED: "its time ran out",
    _S.CANCELLED: "the caller took it back in time",
    _S.FAILED: "it cannot be rendered or has no usable address or provider",
}


def _after_all(held_for: str) -> Mapping[DeliveryStatus, str]:
    """A provider speaks of a call that we held for not taken: an anomaly for ops."""
    return {
        _S.DELIVERED: f"a receipt for what was held {held_for}",
        _S.UNDELIVERED: f"a bounce of what was held {held_for}: it was taken after all",
    }


_TOLD_MEANWHILE: Final = {
    # What waits for another try may have been taken at the last one, whatever its answer said.
    _S.SENT: "a callback shows that an earlier call was taken: no further one is made",
    _S.DELIVERED: "a receipt of an earlier call",
    _S.UNDELIVERED: "a bounce or a refusal of an earlier call",
}
_DENIED: Final = {
    # A callback came before the answer, and the answer says otherwise: only a receipt outweighs it.
    _S.FAILED: "the answer refuses what a callback had announced",
    _S.EXPIRED: "the answer denies what a callback had announced, and the time ran out",
    _S.SUPPRESSED: "the answer denies what a callback had announced, and policy refused the rest",
}

TRANSITIONS: Final[Mapping[DeliveryStatus, Mapping[DeliveryStatus, str]]] = MappingProxyType(
    {
        _S.ACCEPTED: {
            _S.HELD: "policy set an earliest instant",
            _S.QUEUED: "allowed, but no provider is free or healthy now",
            # The common way: a free worker hands over at once, so the waiting statuses are skipped.
            _S.SENDING: "allowed and handed over at once",
            **_STOPS,
        },
        _S.SCHEDULED: {
            _S.HELD: "due, but policy set an earliest instant",
            _S.QUEUED: "due, but no provider is free or healthy now",
            _S.SENDING: "due and handed over",
            **_STOPS,
        },
        _S.HELD: {
            # Decided again at hand-off: a zone changed or a cap filled up while it was held.
            _S.HELD: "policy moved the earliest instant",
            _S.QUEUED: "released, but no provider is free or healthy now",
            _S.SENDING: "released and handed over",
            **_STOPS,
            **_TOLD_MEANWHILE,
        },
        _S.QUEUED: {
            # A retry that falls into quiet hours is held like any other message.
            _S.HELD: "policy set an earliest instant for the retry",
            _S.QUEUED: "still no provider is free or healthy",
            _S.SENDING: "handed over",
            **_STOPS,
            **_TOLD_MEANWHILE,
        },
        _S.SENDING: {
            _S.SENT: "the provider took it",
            _S.DELIVERED: "the provider took it and says at once that it arrived (mailbox)",
            _S.QUEUED: "known not taken; a retry or another provider is due",
            _S.UNKNOWN: "the answer was lost after the request left",
            _S.FAILED: "refused for good, or retries spent",
            _S.EXPIRED: "known not taken, and its time ran out before a retry",
            _S.SUPPRESSED: "known not taken: the provider's own list forbids the address",
            # A callback may overtake the answer to the call that it speaks of.
            _S.UNDELIVERED: "the provider's callback overtook its answer",
        },
        _S.SENT: {
            _S.DELIVERED: "a receipt",
            _S.UNDELIVERED: "a bounce, a carrier's refusal, or expiry at the provider",
            **_DENIED,
        },
        _S.UNKNOWN: {
            _S.SENT: "a look-up or an event shows that it was taken",
            _S.DELIVERED: "a receipt",
            _S.UNDELIVERED: "a bounce or a refusal",
            _S.FAILED: "a look-up shows that it was never taken, and no try is left",
            _S.QUEUED: "shown not taken, or the category says resend",
            _S.EXPIRED: "shown not taken, and its time ran out",
        },
        # Late words of providers; each may contradict what we held for final.
        _S.DELIVERED: {_S.UNDELIVERED: "a late bounce after a receipt"},
        _S.UNDELIVERED: {
            _S.DELIVERED: "a late receipt after a failure report",
            _S.SENT: "another call, whose answer was lost, is shown to be taken",
        },
        _S.FAILED: _after_all("failed"),
        _S.EXPIRED: _after_all("expired"),
        _S.CANCELLED: _after_all("cancelled"),
        _S.SUPPRESSED: _after_all("suppressed"),
    }
)
"""Every edge of the contract's diagram, with its reason. An edge that is not here does not exist."""


def can_advance(current: DeliveryStatus, target: DeliveryStatus) -> bool:
    """Whether the table has this edge."""
    return target in TRANSITIONS[current]


def advance(current: DeliveryStatus, target: DeliveryStatus) -> DeliveryStatus:
    """The status after a step: `target` where the table allows it, else `current`: late words change nothing."""
    return target if can_advance(current, target) else current


class Evidence(StrEnum):
    """What one attempt is known to have come to; each is a fact that was told, not a state."""

    STARTED = "started"
    """The intent was committed; the call may have left."""
    NOT_TAKEN = "not_taken"
    """The provider did not take it, and it may be tried again."""
    REFUSED = "refused"
    """The provider refused it for good."""
    LOST = "lost"
    """The answer was lost after the request left."""
    TAKEN = "taken"
    """The provider took it."""
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    """Taken, then a permanent negative: hard bounce, carrier refusal."""
    UNDELIVERED = "undelivered"
    """Taken, then a negative that is not permanent: retries at the provider spent, expiry there."""
    RECALLED = "recalled"
    """Taken, and taken back from the provider before it was passed on."""


class Fact(Value, frozen=True, kw_only=True):
    """One thing told about one attempt, by us or by the provider."""

    attempt: int
    """Which attempt, from 1."""
    evidence: Evidence
    provider_time: datetime | None = None
    """The provider's own instant; used only to order an SMS receipt against a permanent refusal."""


_PROGRESS: Final = (
    # Weakest first; later evidence of one attempt stands above earlier, whatever the order of arrival.
    (Evidence.STARTED, DeliveryStatus.SENDING),
    (Evidence.LOST, DeliveryStatus.UNKNOWN),
    (Evidence.NOT_TAKEN, DeliveryStatus.QUEUED),
    (Evidence.REFUSED, DeliveryStatus.FAILED),
    (Evidence.TAKEN, DeliveryStatus.SENT),
    (Evidence.RECALLED, DeliveryStatus.UNDELIVERED),
    (Evidence.UNDELIVERED, DeliveryStatus.UNDELIVERED),
    (Evidence.BOUNCED, DeliveryStatus.UNDELIVERED),
)


def resolve_attempt(channel: Channel, facts: Collection[Fact]) -> DeliveryStatus:
    """What one attempt came to: a pure function of the set of its facts.

    For e-mail a permanent bounce beats a receipt (a relay may bounce after it said 250); for SMS and push the
    receipt wins, unless the permanent refusal carries a later provider time than every receipt.
    """
    told = {fact.evidence for fact in facts}
    if Evidence.DELIVERED in told:
        return _delivered_or_bounced(channel, facts, told)
    status = DeliveryStatus.SENDING
    for evidence, meaning in _PROGRESS:
        if evidence in told:
            status = meaning
    return status


def _delivered_or_bounced(channel: Channel, facts: Collection[Fact], told: set[Evidence]) -> DeliveryStatus:
    if Evidence.BOUNCED not in told:
        return DeliveryStatus.DELIVERED
    if channel is Channel.EMAIL:
        return DeliveryStatus.UNDELIVERED
    receipts = [fact.provider_time for fact in facts if fact.evidence is Evidence.DELIVERED]
    bounces = [fact.provider_time for fact in facts if fact.evidence is Evidence.BOUNCED and fact.provider_time]
    known = [time for time in receipts if time is not None]
    if bounces and len(known) == len(receipts) and max(bounces) > max(known):
        return DeliveryStatus.UNDELIVERED
    return DeliveryStatus.DELIVERED


_BEST: Final = (
    # Best first: what reached the person, then what may still, then what did not.
    DeliveryStatus.DELIVERED,
    DeliveryStatus.SENT,
    DeliveryStatus.SENDING,
    DeliveryStatus.UNKNOWN,
    DeliveryStatus.QUEUED,
    DeliveryStatus.UNDELIVERED,
    DeliveryStatus.FAILED,
)


def resolve(channel: Channel, facts: Iterable[Fact]) -> DeliveryStatus | None:
    """The status that a set of facts amounts to: each attempt first, then the best attempt; None without facts."""
    by_attempt: dict[int, list[Fact]] = {}
    for fact in facts:
        by_attempt.setdefault(fact.attempt, []).append(fact)
    if not by_attempt:
        return None
    return min((resolve_attempt(channel, group) for group in by_attempt.values()), key=_BEST.index)


_ADVANCED: Final = (
    DeliveryStatus.DELIVERED,
    DeliveryStatus.SENT,
    DeliveryStatus.UNKNOWN,
    DeliveryStatus.SENDING,
    DeliveryStatus.QUEUED,
    DeliveryStatus.HELD,
    DeliveryStatus.SCHEDULED,
    DeliveryStatus.ACCEPTED,
    DeliveryStatus.UNDELIVERED,
    DeliveryStatus.FAILED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.SUPPRESSED,
    DeliveryStatus.CANCELLED,
)
"""Most advanced first: reached, on the way, not reached."""


class Strategy(StrEnum):
    """How a message uses its channels."""

    FIRST = "first"
    """One after the other, until one is confirmed."""
    ALL = "all"
    """On each."""


def next_channel(strategy: Strategy, channels: Sequence[Channel], channel: Channel) -> Channel | None:
    """The channel after this one under `first`; None when there is none, or under `all`."""
    if strategy is not Strategy.FIRST or channel not in channels:
        return None
    following = channels[channels.index(channel) + 1 :]
    return following[0] if following else None


def message_status(strategy: Strategy, statuses: Collection[DeliveryStatus]) -> DeliveryStatus:
    """A message's status: its best delivery's under `first`, its least advanced one's under `all`."""
    if not statuses:
        return DeliveryStatus.ACCEPTED
    rank = _ADVANCED.index
    return min(statuses, key=rank) if strategy is Strategy.FIRST else max(statuses, key=rank)
