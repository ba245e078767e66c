"""What becomes of a delivery for which a provider was called, or may have been."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.delivery.dispatching import retry, steps
from gateway.delivery.dispatching.handovers import Handover
from gateway.delivery.dispatching.health import Health
from gateway.delivery.dispatching.retry import RetryPolicy, Settled, Try
from gateway.delivery.tracking.looks import LookRules
from gateway.domain.devices import decisive, together
from gateway.domain.lifecycle import ANSWER_LOST, DeliveryStatus
from gateway.domain.messages import Attempt, Outcome, SendResult
from gateway.domain.tracking import confirmation_due
from gateway.domain.values import replace
from gateway.ports import Claim, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchRules:
    """How hard delivery tries, from the settings."""

    retry: RetryPolicy
    looks: LookRules
    """When what a provider was given is looked after."""
    release_over: timedelta
    """How long an opening takes to let go what was held to it."""


class Judge:
    """Turns answers, and the want of them, into the step that follows."""

    def __init__(self, *, rules: DispatchRules, health: Health, chance: Callable[[], float]) -> None:
        self._rules = rules
        self._health = health
        self._chance = chance

    def answered(
        self,
        claim: Claim,
        ended: Sequence[Handover],
        route: Sequence[str],
    ) -> Step:
        """What calls that have ended ask for; `route` names the providers that could take the next try."""
        results, attempts = [one.result for one in ended], [one.attempt for one in ended]
        now = max(one.finished_at or one.started_at for one in attempts)
        number, called = max(one.number for one in attempts), {one.provider for one in attempts}
        well = [one for one in route if self._health.is_well(one)]
        attempt = Try(
            number=number,
            now=now,
            expires_at=claim.message.expires_at,
            idempotent=all(one.provider.capabilities.idempotent for one in ended),
            receipts=any(one.provider.capabilities.receipts for one in ended),
            another_provider=number < len(route) and any(other not in called for other in well),
            outage=not well,
        )
        verdict = retry.decide(together(results), attempt, self._rules.retry, self._chance())
        first = attempts.pop(decisive(results))
        condemned = [address for one in ended for address in one.condemned]
        return self._followed(steps.answered(claim, [first, *attempts], verdict, condemned, now), now)

    def crashed(self, claim: Claim, attempt: Attempt, now: datetime) -> Step:
        """After an error of ours in the midst of a call nobody knows what the provider did."""
        result = SendResult(outcome=Outcome.UNKNOWN, detail="internal error")
        lost = Settled(status=DeliveryStatus.UNKNOWN, reason=ANSWER_LOST)
        finished = replace(attempt, finished_at=now, result=result)
        return self._followed(steps.answered(claim, [finished], lost, (), now), now)

    def _followed(self, step: Step, now: datetime) -> Step:
        """What may yet be sent again, or on the next channel, is looked at once more, and keeps its secrets till then.

        A second channel, as a second call, may bring the message twice while the first answer is lost: so it is the
        category that allows either.
        """
        attempt, claim = step.attempt, step.claim
        if attempt is None:
            return step
        looks, channel = self._rules.looks, claim.delivery.channel
        due = looks.next_look(claim.message, channel, step.status, provider=attempt.provider, since=now, now=now)
        if due is None:
            return step
        waits = step.status is DeliveryStatus.UNKNOWN or confirmation_due(claim.message, channel, now) is not None
        return replace(step, due_at=due, drop_secrets=step.drop_secrets and not waits)
