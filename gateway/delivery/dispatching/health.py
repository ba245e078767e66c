"""Which providers are well: a breaker for each, and a word to those who watch whenever one opens or closes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog

from gateway.delivery.dispatching.breaker import RULES, Breaker, BreakerRules, Sign
from gateway.domain.messages import Outcome, SendResult
from gateway.metrics import Metrics
from gateway.ports import Clock

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_SIGNS: Final[Mapping[Outcome, Sign]] = {
    Outcome.SENT: Sign.GOOD,
    Outcome.DELIVERED: Sign.GOOD,
    # What is wrong with one message or address says nothing against who tells us.
    Outcome.REJECTED: Sign.GOOD,
    Outcome.INVALID_RECIPIENT: Sign.GOOD,
    Outcome.OPTED_OUT: Sign.GOOD,
    Outcome.THROTTLED: Sign.BAD,
    Outcome.TRANSIENT: Sign.BAD,
    Outcome.UNKNOWN: Sign.BAD,
    Outcome.MISCONFIGURED: Sign.FATAL,
}
_UNKNOWN_REST_SECONDS: Final = 15.0
"""Where there is nobody to ask."""

Watch = Callable[[str, str | None], None]
"""Told of a provider by name, and why it is left alone from now on; None: it is well again."""


def watching(metrics: Metrics) -> Watch:
    """Tells the log and the metrics."""

    def tell(provider: str, why: str | None) -> None:
        metrics.resting.labels(provider).set(why is not None)
        if why is None:
            _log.info("provider.well_again", provider=provider)
        else:
            _log.warning("provider.left_alone", provider=provider, why=why, until="a probe of it fares well")

    return tell


class Health:
    """What this process knows of its providers; each process learns by itself."""

    def __init__(self, clock: Clock, rules: BreakerRules = RULES, watch: Watch = lambda _name, _why: None) -> None:
        self._clock = clock
        self._rules = rules
        self._watch = watch
        self._breakers: dict[str, Breaker] = {}
        self._alone: set[str] = set()
        self._last_bad: dict[str, str] = {}

    def is_at_its_best(self, provider: str) -> bool:
        """Whether nothing at all speaks against it."""
        return self._breaker(provider).is_at_its_best(self._clock.monotonic())

    def is_well(self, provider: str) -> bool:
        """Whether it is not left alone."""
        is_closed = self._breaker(provider).is_closed(self._clock.monotonic())
        if is_closed is (provider in self._alone):
            (self._alone.discard if is_closed else self._alone.add)(provider)
            self._watch(provider, None if is_closed else self._why(provider))
        return is_closed

    def share(self, provider: str) -> float:
        """The part of its traffic that it gets, in [0, 1]."""
        return self._breaker(provider).share(self._clock.monotonic())

    def admits_probe(self, provider: str) -> bool:
        """Whether this delivery may find out if one that has rested is well again."""
        return self._breaker(provider).admits_probe(self._clock.monotonic())

    def is_only_slow(self, provider: str) -> bool:
        """Whether one that is left alone takes in the end what it is given."""
        return self._breaker(provider).is_only_slow(self._clock.monotonic())

    def rest_seconds(self, providers: Iterable[str]) -> float:
        """How long until the first of them may be tried, which none may now; at least a second."""
        now = self._clock.monotonic()
        return max(min((self._breaker(one).rest_seconds(now) for one in providers), default=_UNKNOWN_REST_SECONDS), 1.0)

    def begin(self, provider: str) -> int:
        """A call begins; the ticket ends it."""
        return self._breaker(provider).begin(self._clock.monotonic())

    def end(self, provider: str, ticket: int, result: SendResult) -> None:
        """Take in an answer. Refusals of one message or address say nothing against the provider."""
        sign = _SIGNS[result.outcome]
        self._breaker(provider).end(ticket, sign, self._clock.monotonic(), result.retry_after_seconds)
        if sign is not Sign.GOOD:
            self._last_bad[provider] = f"{result.outcome} {result.code or ''}".rstrip()
        if sign is not Sign.GOOD or self._alone:
            self.is_well(provider)

    def _why(self, provider: str) -> str:
        """The last bad answer in the provider's own code; `slow` where nothing else is held against it."""
        return "slow" if self.is_only_slow(provider) else self._last_bad.get(provider, "slow")

    def _breaker(self, provider: str) -> Breaker:
        breaker = self._breakers.get(provider)
        if breaker is None:
            breaker = self._breakers[provider] = Breaker(self._rules)
        return breaker
