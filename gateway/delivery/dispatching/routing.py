"""Which providers serve a channel and a country, in which order, and which of them are left alone for now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers

from gateway.domain.messages import Outcome
from gateway.domain.recipients import Channel, Recipient
from gateway.ports import Clock, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Providers for a channel, in order, everywhere or in some countries."""

    channel: Channel
    countries: frozenset[str]
    """ISO 3166-1 alpha-2; empty: everywhere."""
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """All routes, and the mailbox that test keys go to."""

    routes: tuple[Route, ...]
    mailbox: str

    def providers(self, channel: Channel, country: str | None, live: bool) -> tuple[str, ...]:
        """The providers of the first route that fits; empty when there is none.

        What a test key sends goes to the mailbox and nowhere else.
        """
        if not live:
            return (self.mailbox,)
        for route in self.routes:
            if route.channel is channel and (not route.countries or country in route.countries):
                return route.providers
        return ()

    def missing(self) -> tuple[Channel, ...]:
        """Channels that no route serves in some country."""
        served = {route.channel for route in self.routes if not route.countries}
        return tuple(channel for channel in Channel if channel not in served)


def country_of(recipient: Recipient, channel: Channel) -> str | None:
    """The country that routes a message: a text message goes where its number is, the rest where the person is."""
    if channel is Channel.SMS and recipient.phone is not None:
        return country_of_number(recipient.phone) or recipient.country
    return recipient.country


@lru_cache(maxsize=65_536)
def country_of_number(phone: str) -> str | None:
    """The country that a number belongs to (libphonenumber); None for none, and for what is no number."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return None
    # "001" names numbers of no country, such as satellite telephones.
    return str(region) if region and region.isalpha() else None


_ALONE_SECONDS: Final = 15.0
"""How long a provider that fails is left alone before the next probe."""
_PROBE_EVERY_SECONDS: Final = 5.0
"""Once it has rested, one delivery in so long is let through until one fares well."""
_DOUBTS: Final = 5
"""Doubtful answers in a row after which a provider counts as failing; one alone says nothing (greylisting)."""
_FAILING: Final = frozenset({Outcome.MISCONFIGURED})
_DOUBTFUL: Final = frozenset({Outcome.TRANSIENT, Outcome.THROTTLED, Outcome.UNKNOWN})


@dataclass(slots=True)
class _State:
    doubts: int = 0
    alone_until: float | None = None
    """Set while it is left alone; None for a provider that is well."""


class Health:
    """Which providers are well: one that fails is left alone for a while, then probed by single deliveries."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, _State] = {}

    def is_well(self, provider: str) -> bool:
        """Whether it is not left alone."""
        return self._state(provider).alone_until is None

    def admits(self, provider: str) -> bool:
        """Whether this delivery may go to it now: to one that is well, or as the probe of one that has rested."""
        state, now = self._state(provider), self._clock.monotonic()
        if state.alone_until is None:
            return True
        if now < state.alone_until:
            return False
        state.alone_until = now + _PROBE_EVERY_SECONDS
        return True

    def learn(self, provider: str, outcome: Outcome) -> None:
        """Take in an answer. Refusals of one message or address say nothing against the provider."""
        state = self._state(provider)
        if outcome not in _FAILING | _DOUBTFUL:
            state.doubts, state.alone_until = 0, None
            return
        state.doubts += 1
        if outcome in _FAILING or state.alone_until is not None or state.doubts >= _DOUBTS:
            state.alone_until = self._clock.monotonic() + _ALONE_SECONDS

    def rest_seconds(self, providers: Sequence[str]) -> float:
        """How long until the first of them may be tried, which none may now; at least a second."""
        now = self._clock.monotonic()
        return max(min(((self._state(one).alone_until or now) - now for one in providers), default=_ALONE_SECONDS), 1.0)

    def _state(self, provider: str) -> _State:
        return self._states.setdefault(provider, _State())


def choose(route: Sequence[str], last: str | None, health: Health) -> str | None:
    """The provider for the next try: the first that admits it after the one tried last, then from the start.

    None when all are left alone.
    """
    return next((one for one in (*following(route, last), *route) if health.admits(one)), None)


def following(route: Sequence[str], last: str | None) -> tuple[str, ...]:
    """Those of the route that come after the one tried last."""
    if last is None or last not in route:
        return ()
    return tuple(route[route.index(last) + 1 :])


Providers = Mapping[str, Provider]
"""Every configured provider by its name."""
