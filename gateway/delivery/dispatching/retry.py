"""What a provider's answer means for a delivery: a pure decision over the answer, the try and the clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.lifecycle import ANSWER_LOST, DeliveryStatus
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How hard delivery tries."""

    attempts: int
    """Provider calls for one delivery, over all its providers."""
    first: timedelta
    """Longest wait before the second try; it doubles with each further one."""
    longest: timedelta
    """Where the doubling ends."""


class Settled(Value, frozen=True, kw_only=True):
    """No step of ours follows on this channel."""

    status: DeliveryStatus
    reason: str | None = None


class Again(Value, frozen=True, kw_only=True):
    """Known not taken, or safe to repeat: it is due again at an instant."""

    at: datetime
    reason: str


Verdict = Settled | Again


class Try(Value, frozen=True, kw_only=True):
    """The attempt that the answer belongs to, and what else there is to try."""

    number: int
    """From 1."""
    now: datetime
    expires_at: datetime
    idempotent: bool
    """The provider sends nothing twice for one delivery id."""
    receipts: bool
    """The provider later tells what became of it."""
    another_provider: bool
    """The route has a provider that was not tried and may be called at once."""
    outage: bool = False
    """All providers of the route are left alone: what they do not take waits for them, and its tries are not spent."""


_SETTLED: Final[Mapping[Outcome, Settled]] = {
    Outcome.DELIVERED: Settled(status=DeliveryStatus.DELIVERED),
    Outcome.REJECTED: Settled(status=DeliveryStatus.FAILED, reason="rejected"),
    Outcome.INVALID_RECIPIENT: Settled(status=DeliveryStatus.FAILED, reason="invalid_recipient"),
    Outcome.OPTED_OUT: Settled(status=DeliveryStatus.SUPPRESSED, reason="opted_out"),
}
"""Answers that mean the same for every try."""


def decide(result: SendResult, attempt: Try, policy: RetryPolicy, chance: float) -> Verdict:
    """Say what follows from an answer; `chance` in [0, 1) spreads the retries (full jitter)."""
    if result.outcome in _SETTLED:
        return _SETTLED[result.outcome]
    if result.outcome is Outcome.SENT:
        return Settled(status=DeliveryStatus.SENT, reason=None if attempt.receipts else "no_receipts")
    if result.outcome is Outcome.UNKNOWN and not attempt.idempotent:
        return Settled(status=DeliveryStatus.UNKNOWN, reason=ANSWER_LOST)
    return _again(result, attempt, policy, chance)


def _again(result: SendResult, attempt: Try, policy: RetryPolicy, chance: float) -> Verdict:
    """Try again: another provider at once, else the same after a while; unless tries or time are spent."""
    lost = result.outcome is Outcome.UNKNOWN
    reason = ANSWER_LOST if lost else result.outcome.value
    if attempt.number >= policy.attempts and (lost or not attempt.outage):
        # A lost answer stays one: of a spent delivery nobody may say that it was not taken.
        return Settled(
            status=DeliveryStatus.UNKNOWN if lost else DeliveryStatus.FAILED,
            reason=reason if lost else "retries_spent",
        )
    at = attempt.now
    if lost or not attempt.another_provider:
        at += retry_delay(attempt.number, policy, chance, result.retry_after_seconds)
    if at >= attempt.expires_at:
        return Settled(status=DeliveryStatus.UNKNOWN if lost else DeliveryStatus.EXPIRED, reason=reason)
    return Again(at=at, reason=reason)


def retry_delay(number: int, policy: RetryPolicy, chance: float, retry_after_seconds: float | None) -> timedelta:
    """Wait before the try after `number`: full jitter under a doubling ceiling, and never before Retry-After.

    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. The jitter comes on top of Retry-After, so that
    those who were sent away together do not come back together.
    """
    ceiling = min(policy.longest, policy.first * 2.0 ** min(number - 1, 30))
    wait: timedelta = ceiling * chance
    if retry_after_seconds is not None:
        wait += timedelta(seconds=min(max(retry_after_seconds, 0.0), timedelta(days=1).total_seconds()))
    return wait
