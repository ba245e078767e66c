"""Calls to providers: which one, whose turn it is, the call itself, and what its answer says of the provider."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from gateway.delivery.dispatching.guard import Guard
from gateway.delivery.dispatching.health import Health
from gateway.delivery.dispatching.places import Places
from gateway.delivery.dispatching.routing import Providers, choose
from gateway.delivery.dispatching.tally import Tally
from gateway.domain.decisions import Facts, Send
from gateway.domain.messages import Envelope, Lane, Outcome, SendResult
from gateway.domain.values import Value
from gateway.errors import Overloaded, Unavailable
from gateway.ports import Claim, Clock, Provider

_PATIENCE_SECONDS: Final = 2.0
"""How long a delivery waits for a place at its provider before it makes way for others."""
_AFTER_BUSY: Final = timedelta(seconds=4)
"""The longest time for which it then makes way; chance picks a part of it."""
_LONGEST_REST_SECONDS: Final = 30.0
"""What is added to it at most where the provider takes nothing at all."""
_GRACE_SECONDS: Final = 5.0
"""What a call may take beyond its own deadline before it is cut."""
_AWAY: Final = (Unavailable, Overloaded)


class Busy(Value, frozen=True, kw_only=True):
    """No place at a provider came free in time."""

    rest: timedelta
    """For how long the delivery makes way."""
    is_stuck: bool
    """Nobody has come through for a while: another provider may take it."""


class Calls:
    """The providers as one worker calls them."""

    def __init__(
        self, *, providers: Providers, health: Health, clock: Clock, chance: Callable[[], float], tally: Tally
    ) -> None:
        self._providers = providers
        self._health = health
        self._clock = clock
        self._chance = chance
        self._tally = tally
        self._guard = Guard()
        self._places = {name: Places(one.capabilities.concurrency) for name, one in providers.items()}

    def choose(self, claim: Claim, facts: Facts, decision: Send, passed: Collection[str]) -> Provider | None:
        """The provider for the next try, without those `passed` over just now; None when all are left alone."""
        last = claim.delivery.provider if claim.delivery.attempts else None
        urgent = claim.message.lane <= Lane.HIGH
        chosen = choose(decision.route, facts.weights, last, self._health, self._chance, urgent=urgent, passed=passed)
        return None if chosen is None else self._providers[chosen]

    def rest(self, route: Collection[str]) -> timedelta:
        """For how long a delivery waits whose providers are all left alone."""
        return timedelta(seconds=self._health.rest_seconds(route) * (1 + self._chance()))

    async def take_place(self, provider: Provider, lane: Lane) -> Busy | None:
        """Take a place at a provider, to be given back; what to do instead where none came free in time."""
        places, name = self._places[provider.name], provider.name
        queues, was_well = places.is_full, self._health.is_well(name)
        stuck = places.stuck_seconds(self._clock.monotonic())
        # Who would wait in vain makes way at once and for longer, so that a provider that hangs holds no other up.
        in_vain = stuck > _PATIENCE_SECONDS and lane > Lane.HIGH
        if not in_vain and await places.take(lane, _PATIENCE_SECONDS):
            if not (queues and was_well) or self._health.is_well(name):
                return None
            # It was left alone while this one stood in its queue.
            places.give_back()
            return Busy(rest=self.rest([name]), is_stuck=True)
        rest = _AFTER_BUSY + timedelta(seconds=min(stuck, _LONGEST_REST_SECONDS)) if in_vain else _AFTER_BUSY
        return Busy(rest=rest * self._chance(), is_stuck=stuck > _PATIENCE_SECONDS)

    def give_place_back(self, provider: Provider) -> None:
        """Let the next one come."""
        self._places[provider.name].give_back()

    async def send(self, provider: Provider, envelope: Envelope) -> SendResult:
        """Make one call and learn from its answer; one that never comes is `unknown`."""
        name, began = provider.name, self._clock.monotonic()
        ticket = self._health.begin(name)
        result = SendResult(outcome=Outcome.UNKNOWN)
        try:
            result = await self._guard.cut_after(envelope.deadline_seconds + _GRACE_SECONDS, provider.send(envelope))
        except TimeoutError:
            result = SendResult(outcome=Outcome.UNKNOWN, detail="no answer in time")
        except _AWAY as error:
            # An adapter that needs the store: whether it had called out before, nobody knows.
            result = SendResult(outcome=Outcome.UNKNOWN, detail=error.code)
        finally:
            ended = self._clock.monotonic()
            self._places[name].moved(ended)
            self._health.end(name, ticket, result)
            self._tally.attempted(name, result.outcome, ended - began)
        return result
