"""What deliveries came to, told to those who watch."""

from functools import cache

from gateway.domain.messages import Outcome
from gateway.metrics import Metrics
from gateway.ports import Step


class Tally:
    """The dispatcher's counters and clocks; the child of each set of labels is looked up once."""

    def __init__(self, metrics: Metrics) -> None:
        self._count_attempt = cache(lambda provider, outcome: metrics.attempts.labels(provider, outcome).inc)
        self._time_attempt = cache(lambda provider, outcome: metrics.attempt_seconds.labels(provider, outcome).observe)
        self._count_status = cache(lambda channel, status: metrics.statuses.labels(channel, status).inc)
        self._count_poison = metrics.poison.inc
        self._count_lost = metrics.claims_lost.inc
        self._time_dispatch = cache(lambda lane: metrics.dispatch_seconds.labels(lane.name.lower()).observe)

    def attempted(self, provider: str, outcome: Outcome, seconds: float) -> None:
        """A provider was called."""
        self._count_attempt(provider, outcome.value)()
        self._time_attempt(provider, outcome.value)(seconds)

    def recorded(self, step: Step) -> None:
        """A delivery came to a status; with its first attempt, how long it had been due before."""
        message = step.claim.message
        if step.attempt is not None or step.status is not step.claim.delivery.status:
            self._count_status(step.claim.delivery.channel.value, step.status.value)()
        if step.attempt is not None and step.attempt.number == 1:
            due = max(message.send_at or message.created_at, message.created_at)
            waited = (step.attempt.started_at - due).total_seconds()
            self._time_dispatch(message.lane)(max(waited, 0.0))

    def poisoned(self) -> None:
        """A delivery was set aside, since claims of it had kept ending before their time."""
        self._count_poison()

    def lost(self) -> None:
        """A step was not written: the claim had become another worker's."""
        self._count_lost()
