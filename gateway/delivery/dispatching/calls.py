"""Calls to providers: which one, whose turn it is, the call itself, and what its answer says of the provider."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from gateway.delivery.dispatching.guard import Guard
from gateway.delivery.dispatching.health import Health
from gateway.delivery.dispatching.pacing import Pacing
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
    """A provider cannot take a delivery now."""

    rest: timedelta
    """For how long the delivery makes way."""
    reason: str = "provider_busy"
    passes_on: bool
    """Another provider may take it: nobody has come through here for a while, or this one's rate is used up."""


class Place(Value, frozen=True, kw_only=True):
    """One of the calls that a provider may get at once; to be given back."""

    provider: str
    taken: str
    """What all workers know it by; empty where they do not count together."""


class Calls:
    """The providers as one worker calls them."""

    def __init__(
        self,
        *,
        providers: Providers,
        health: Health,
        pacing: Pacing,
        clock: Clock,
        chance: Callable[[], float],
        tally: Tally,
    ) -> None:
        self._providers = providers
        self._health = health
        self._pacing = pacing
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

    async def take_place(self, provider: Provider, lane: Lane) -> Place | Busy:
        """Take a place at a provider, to be given back; what to do instead where none came free in time."""
        began, name = self._clock.monotonic(), provider.name
        places = self._places[name]
        queues_at_one_that_is_well = places.is_full and self._health.is_well(name)
        stuck = places.stuck_seconds(began)
        # Who would wait in vain makes way at once and for longer, so that a provider that hangs holds no other up.
        in_vain = stuck > _PATIENCE_SECONDS and lane > Lane.HIGH
        if in_vain or not await places.take(lane, _PATIENCE_SECONDS):
            rest = _AFTER_BUSY + timedelta(seconds=min(stuck, _LONGEST_REST_SECONDS)) if in_vain else _AFTER_BUSY
            return Busy(rest=rest * self._chance(), passes_on=stuck > _PATIENCE_SECONDS)
        if queues_at_one_that_is_well and not self._health.is_well(name):
            # It was left alone while this one stood in its queue.
            places.give_back()
            return Busy(rest=self.rest([name]), passes_on=True)
        return await self._enter(name, _PATIENCE_SECONDS - (self._clock.monotonic() - began))

    async def _enter(self, name: str, patience_seconds: float) -> Place | Busy:
        """Count as a call among those of all workers; who may not has given its own place back."""
        taken = None
        try:
            taken = await self._pacing.enter(name, patience_seconds)
        finally:
            if taken is None:
                self._places[name].give_back()
        if taken is None:
            return Busy(rest=_AFTER_BUSY * self._chance(), passes_on=False)
        return Place(provider=name, taken=taken)

    async def give_back(self, place: Place) -> None:
        """Let the next one come."""
        self._places[place.provider].give_back()
        await self._pacing.leave(place.provider, place.taken)

    async def wait_turn(self, provider: Provider, envelope: Envelope, lane: Lane) -> Busy | None:
        """Wait until the provider's rate allows this call; what to do instead where that is too far off."""
        seconds = await self._pacing.wait_turn(provider, envelope, lane)
        return None if seconds is None else Busy(rest=timedelta(seconds=seconds), reason="rate_limited", passes_on=True)

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
