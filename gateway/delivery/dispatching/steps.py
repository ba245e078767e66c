"""What a claim comes to, as one write: decisions and verdicts turned into steps with their events; all pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from gateway.delivery import events
from gateway.delivery.accepting.drafting import new_delivery
from gateway.delivery.dispatching.retry import Again, Settled, Verdict
from gateway.domain import ids, lifecycle
from gateway.domain.decisions import Expire, Hold, Suppress
from gateway.domain.ids import SuppressionId
from gateway.domain.instants import rfc3339
from gateway.domain.lifecycle import LOST_ANSWERS, DeliveryStatus
from gateway.domain.messages import Attempt, Event
from gateway.domain.preferences import Suppression, SuppressionReason
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import replace
from gateway.ports import Claim, NewDelivery, Step

NOT_TAKEN: Final = "not_taken"
"""The reason on a delivery whose answer was lost and whose provider turned out not to have it."""
_FALLS_BACK: Final = frozenset({DeliveryStatus.SUPPRESSED, DeliveryStatus.FAILED})
"""Under `first` these send the message to its next channel."""


def stop(claim: Claim, decision: Hold | Suppress | Expire, now: datetime, release: datetime | None = None) -> Step:
    """Policy does not let it go now, or ever; what is held is due at `release`, or else as soon as it may go."""
    told = events.decision_json(decision)
    match decision:
        case Hold(not_before=not_before, reason=reason):
            unchanged = claim.delivery.status is DeliveryStatus.HELD and claim.delivery.not_before == not_before
            step = _moved(claim, DeliveryStatus.HELD, reason, now, told)
            return replace(
                step, due_at=release or not_before, not_before=not_before, events=() if unchanged else step.events
            )
        case Suppress(reason=reason, falls_through=falls_through):
            return finish(claim, DeliveryStatus.SUPPRESSED, reason, now, told, falls_through=falls_through)
        case Expire(reason=reason):
            return finish(claim, DeliveryStatus.EXPIRED, reason, now, told)


def wait(claim: Claim, reason: str, due_at: datetime, now: datetime) -> Step:
    """It may go, but nobody can take it now; costs no attempt and, while nothing changes, no event."""
    step = take_back(claim, reason, due_at, now)
    still = claim.delivery.status is DeliveryStatus.QUEUED
    return replace(step, events=() if still else step.events)


def take_back(claim: Claim, reason: str, due_at: datetime, now: datetime) -> Step:
    """A call was reserved and not made after all: it waits as before, and costs no attempt."""
    due = min(due_at, claim.message.expires_at)
    step = _moved(claim, DeliveryStatus.QUEUED, _kept(claim, reason), now, {"not_before": rfc3339(due)})
    return replace(step, due_at=due)


def resend(claim: Claim, now: datetime) -> Step:
    """An answer stayed lost, and the category would rather arrive twice: due again at once."""
    step = _moved(claim, DeliveryStatus.QUEUED, "resent", now, {"not_before": rfc3339(now)})
    return replace(step, due_at=now)


def not_taken(claim: Claim, attempts: int, now: datetime) -> Step:
    """Its provider is known not to have what an answer was lost of: it is tried anew, if tries and time are left."""
    if now >= claim.message.expires_at:
        return finish(claim, DeliveryStatus.EXPIRED, NOT_TAKEN, now, {})
    if claim.delivery.attempts >= attempts:
        return finish(claim, DeliveryStatus.FAILED, "retries_spent", now, {})
    step = _moved(claim, DeliveryStatus.QUEUED, NOT_TAKEN, now, {"not_before": rfc3339(now)})
    return replace(step, due_at=now)


def stay(claim: Claim) -> Step:
    """It was looked after and stays where it is; nothing is left to do unless it is due again."""
    return Step(claim=claim, status=claim.delivery.status, reason=claim.delivery.reason, drop_secrets=True)


def finish(
    claim: Claim,
    status: DeliveryStatus,
    reason: str | None,
    now: datetime,
    told: Mapping[str, JsonValue],
    *,
    falls_through: bool = True,
) -> Step:
    """It ends here on this channel; under `first` the next one is tried, unless the whole message is dropped."""
    step = _moved(claim, status, reason, now, told)
    falls = falls_through and status in _FALLS_BACK
    return _followed_by(step, _next_delivery(claim, now) if falls else None, now)


def _followed_by(step: Step, fallback: NewDelivery | None, now: datetime) -> Step:
    """The step with the fallback that it brings about, or as the last one of its message."""
    claim = step.claim
    if fallback is None:
        return replace(step, drop_secrets=True)
    next_one = fallback.delivery
    started = events.delivery_became(
        next_one.status,
        claim.message.id,
        next_one.id,
        now,
        {"channel": next_one.channel.value, "fallback_from": claim.delivery.channel.value},
    )
    return replace(step, next_delivery=fallback, events=(*step.events, started))


def fall_back(claim: Claim, now: datetime) -> Step:
    """It was not confirmed in time, or did not arrive after all: the next channel is tried, and this one stays as it
    is."""
    step = Step(claim=claim, status=claim.delivery.status, reason=claim.delivery.reason)
    return _followed_by(step, _next_delivery(claim, now), now)


Condemned = tuple[str, SuppressionReason, Attempt]
"""An address, why it is not to be written to again, and the call whose answer says so."""


def answered(
    claim: Claim, attempts: Sequence[Attempt], verdict: Verdict, condemned: Sequence[Condemned], now: datetime
) -> Step:
    """Providers were called: their answers, that first which decides, what follows, and what is condemned by them."""
    attempt, *beside = attempts
    told = _told(attempt)
    if beside:
        told["beside"] = [_told(one) for one in beside]
    match verdict:
        case Again(at=at, reason=reason):
            due = min(at, claim.message.expires_at)
            told |= {"not_before": rfc3339(due)}
            step = _moved(claim, DeliveryStatus.QUEUED, _kept(claim, reason), now, told)
            step = replace(step, due_at=due)
        case Settled(status=status, reason=reason):
            step = finish(claim, status, reason, now, told)
    return replace(
        step,
        attempt=attempt,
        beside=tuple(beside),
        suppressions=tuple([_suppressed(claim, one, now) for one in condemned]),
        provider_message_id=None if attempt.result is None else attempt.result.provider_message_id,
    )


def _told(attempt: Attempt) -> dict[str, JsonValue]:
    answer = {} if attempt.result is None else events.result_json(attempt.result)
    return {"provider": attempt.provider, "attempt": attempt.number, **answer}


def next_channel(claim: Claim) -> Channel | None:
    """The channel after this one under `first`; None when there is none, or under `all`."""
    return lifecycle.next_channel(claim.message.strategy, claim.message.channels, claim.delivery.channel)


def _next_delivery(claim: Claim, now: datetime) -> NewDelivery | None:
    channel = next_channel(claim)
    if channel is None or now >= claim.message.expires_at:
        return None
    return new_delivery(claim.message, channel, now)


def _kept(claim: Claim, reason: str) -> str:
    """The reason of what waits for its next try; that an answer was lost outweighs all that came after."""
    known = claim.delivery.reason
    return known if known in LOST_ANSWERS else reason


def _moved(
    claim: Claim, status: DeliveryStatus, reason: str | None, now: datetime, told: Mapping[str, JsonValue]
) -> Step:
    return Step(
        claim=claim, status=status, reason=reason, events=(event(claim, status, now, {"reason": reason, **told}),)
    )


def event(claim: Claim, status: DeliveryStatus, now: datetime, told: Mapping[str, JsonValue]) -> Event:
    """The delivery's new status in the timeline."""
    data = {"channel": claim.delivery.channel.value, **told}
    return events.delivery_became(status, claim.message.id, claim.delivery.id, now, data)


def _suppressed(claim: Claim, condemned: Condemned, now: datetime) -> Suppression:
    address, reason, attempt = condemned
    evidence: dict[str, JsonValue] = {"delivery_id": claim.delivery.id, "provider": attempt.provider}
    if attempt.result is not None:
        evidence |= {"code": attempt.result.code, "detail": attempt.result.detail}
    return Suppression(
        id=SuppressionId(ids.make_id(ids.SUPPRESSION, now)),
        channel=claim.delivery.channel,
        address=address,
        reason=reason,
        evidence=evidence,
        created_at=now,
    )
