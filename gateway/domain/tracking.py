"""What receipts make of a delivery: a pure function of what we did ourselves and of all that was ever told.

A delivery's own status is the one that our own steps led to. Beside it stand the facts of its attempts: how each
call was answered, and what receipts told of it, early or late, once or fifty times.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.domain.lifecycle import DeliveryStatus, Evidence, Fact, next_channel, resolve_attempt
from gateway.domain.messages import Attempt, Message, Outcome
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel

RECALLED: Final = "recalled"
"""The reason on a delivery that somebody had taken back from its provider: no other channel takes its place."""

_S = DeliveryStatus
_ANSWERED: Final[Mapping[Outcome, Evidence]] = MappingProxyType(
    {
        Outcome.SENT: Evidence.TAKEN,
        Outcome.DELIVERED: Evidence.DELIVERED,
        Outcome.REJECTED: Evidence.REFUSED,
        Outcome.INVALID_RECIPIENT: Evidence.REFUSED,
        Outcome.OPTED_OUT: Evidence.REFUSED,
        Outcome.THROTTLED: Evidence.NOT_TAKEN,
        Outcome.TRANSIENT: Evidence.NOT_TAKEN,
        Outcome.MISCONFIGURED: Evidence.NOT_TAKEN,
        Outcome.UNKNOWN: Evidence.LOST,
    }
)
"""What an answer says of its attempt."""
_STOPPED: Final = frozenset({_S.FAILED, _S.EXPIRED, _S.SUPPRESSED, _S.CANCELLED})
"""Ends of our own making, in which we hold that nobody took it."""
_LATER_WORDS: Final[Mapping[Evidence, Evidence]] = MappingProxyType(
    {
        Evidence.TAKEN: Evidence.TAKEN,
        Evidence.DELIVERED: Evidence.DELIVERED,
        Evidence.UNDELIVERED: Evidence.UNDELIVERED,
        Evidence.BOUNCED: Evidence.BOUNCED,
        Evidence.RECALLED: Evidence.RECALLED,
        # Who speaks later of a message had it: it was taken, whatever became of it then.
        Evidence.REFUSED: Evidence.BOUNCED,
    }
)
"""What a receipt may say of an attempt; how the call itself went is for its answer to say."""


def facts_of(attempts: Iterable[Attempt], told: Iterable[tuple[int, Receipt]]) -> Iterator[Fact]:
    """Everything known of the attempts: that each was begun, its answer, and what receipts said of it by number."""
    for attempt in attempts:
        yield Fact(attempt=attempt.number, evidence=Evidence.STARTED)
        if attempt.result is not None:
            yield Fact(attempt=attempt.number, evidence=_ANSWERED[attempt.result.outcome])
    for number, receipt in told:
        if receipt.evidence is not None and receipt.evidence in _LATER_WORDS:
            evidence = _LATER_WORDS[receipt.evidence]
            yield Fact(attempt=number, evidence=evidence, provider_time=receipt.at)


def settle(own: DeliveryStatus, channel: Channel, facts: Iterable[Fact]) -> DeliveryStatus:
    """The delivery's status, from the one that our own steps led to and the set of facts of its attempts.

    Each attempt first, then the best one; a call that is under way is waited for, unless it or another is known to
    have arrived. What we held for ended yields only to word that it arrived, or that it was taken and did not.
    """
    by_attempt: dict[int, list[Fact]] = {}
    for fact in facts:
        by_attempt.setdefault(fact.attempt, []).append(fact)
    fates = {number: resolve_attempt(channel, told) for number, told in by_attempt.items()}
    if _S.DELIVERED in fates.values():
        return _S.DELIVERED
    if any(_was_revoked(by_attempt[number]) for number in by_attempt):
        return _S.UNDELIVERED
    telling = {fates[max(fates)]} if own is _S.SENDING and fates else {*fates.values()}
    if _S.SENT in telling and own not in _STOPPED:
        return _S.SENT
    return _S.UNDELIVERED if _S.UNDELIVERED in telling else own


def _was_revoked(told: Sequence[Fact]) -> bool:
    """Whether an arrival was told, which a bounce outweighs where no attempt counts as delivered."""
    return any(fact.evidence is Evidence.DELIVERED for fact in told)


def is_anomaly(own: DeliveryStatus, status: DeliveryStatus) -> bool:
    """Whether a provider's word contradicts an end of our own making: somebody should look."""
    return own in _STOPPED and status is not own


def due_after(status: DeliveryStatus, message: Message, channel: Channel, now: datetime) -> datetime | None:
    """When the delivery is to be looked at again after receipts moved it to `status`; None when never.

    What was taken has its time to be confirmed; what did not arrive has its next channel tried at once.
    """
    match status:
        case _S.SENT:
            return confirmation_due(message, channel, now)
        case _S.UNDELIVERED if now < message.expires_at and next_channel(message.strategy, message.channels, channel):
            return now
        case _:
            return None


def confirmation_due(message: Message, channel: Channel, sent_at: datetime) -> datetime | None:
    """Until when a delivery should be confirmed before the next channel is tried; None where nothing follows."""
    if message.fallback_after is None or next_channel(message.strategy, message.channels, channel) is None:
        return None
    due = sent_at + message.fallback_after
    return due if due < message.expires_at else None


def reason_of(status: DeliveryStatus, facts: Iterable[Fact]) -> str | None:
    """Why a delivery did not arrive, from all that was told; None for the other statuses."""
    if status is not _S.UNDELIVERED:
        return None
    told = {fact.evidence for fact in facts}
    if Evidence.BOUNCED in told:
        return "bounced"
    return RECALLED if Evidence.RECALLED in told else "not_delivered"


def attempt_of_receipt(attempts: Sequence[Attempt], provider: str, receipt: Receipt) -> Attempt | None:
    """The call that a provider speaks of; None where it was not the one that was called.

    By the attempt's own id, else by the provider's id for the message, else the last call to that provider.
    """
    own = [attempt for attempt in attempts if attempt.provider == provider]
    for attempt in own:
        if attempt.id == receipt.attempt_id:
            return attempt
    for attempt in own:
        known = None if attempt.result is None else attempt.result.provider_message_id
        if known is not None and known == receipt.provider_message_id:
            return attempt
    return own[-1] if own else None
