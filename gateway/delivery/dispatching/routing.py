"""Which providers serve a delivery, and which of them is called next."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from types import MappingProxyType
from typing import Final

import phonenumbers

from gateway.delivery.dispatching.health import Health
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, PushDevice, PushPlatform, Recipient
from gateway.ports import Provider

IN_ORDER: Final[Mapping[str, float]] = MappingProxyType({})
"""No weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Providers for a channel, everywhere or in some countries, for all categories or some: in order, or by weight."""

    channel: Channel
    countries: frozenset[str] = frozenset()
    """ISO 3166-1 alpha-2; empty: everywhere."""
    categories: frozenset[Category] = frozenset()
    """Empty: all."""
    providers: tuple[str, ...]
    weights: Mapping[str, float] = field(default_factory=lambda: IN_ORDER)
    """What part of the traffic each gets, in proportion to each other; empty: the first that is well gets all."""

    def serves(self, channel: Channel, country: str | None, category: Category) -> bool:
        """Whether such a delivery takes this route."""
        return (
            self.channel is channel
            and (not self.countries or country in self.countries)
            and (not self.categories or category in self.categories)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """All routes, and the mailbox that test keys go to."""

    routes: tuple[Route, ...]
    mailbox: str
    platforms: Mapping[str, frozenset[PushPlatform]] = field(default_factory=dict)
    """Whose devices each provider reaches; one that is not named here reaches all."""

    def route(self, channel: Channel, country: str | None, category: Category, live: bool) -> Route | None:
        """The first route that fits; None when there is none.

        What a test key sends goes to the mailbox and nowhere else.
        """
        if not live:
            return Route(channel=channel, providers=(self.mailbox,))
        return next((one for one in self.routes if one.serves(channel, country, category)), None)

    def reaching(self, route: Sequence[str], devices: Iterable[PushDevice]) -> tuple[str, ...]:
        """Those of the route that reach any of the devices."""
        wanted = {device.platform for device in devices}
        return tuple([one for one in route if one not in self.platforms or self.platforms[one] & wanted])

    def missing(self) -> tuple[Channel, ...]:
        """Channels that no route serves in some country or for some category."""
        return tuple(channel for channel in Channel if not self._serves_all_of(channel))

    def _serves_all_of(self, channel: Channel) -> bool:
        everywhere = [route for route in self.routes if route.channel is channel and not route.countries]
        served = {category for route in everywhere for category in route.categories or Category}
        return served == set(Category)


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


def choose(
    route: Sequence[str],
    weights: Mapping[str, float],
    last: str | None,
    health: Health,
    chance: Callable[[], float],
    *,
    urgent: bool = False,
    passed: Collection[str] = (),
) -> str | None:
    """The provider for the next try; None when all are left alone. `weights` are empty for a route in order.

    The one tried `last` comes after all others, and those `passed` over just now do not come at all. A provider that
    has lost a part of its share leaves that part to the others. One that has rested gets a delivery to show itself
    by, unless it is an `urgent` one that another can take. One that is merely slow is better than nobody.
    """
    order = [one for one in _after(route, last) if one not in passed]
    if not order:
        return None
    if not weights and health.is_at_its_best(order[0]):
        return order[0]
    others = [one for one in order if one != last] or order
    well = [one for one in others if health.is_well(one)] or [one for one in order if health.is_well(one)]
    if not urgent or not well:
        ahead = order if weights or not well else order[: order.index(well[0])]
        probed = next((one for one in ahead if health.admits_probe(one)), None)
        if probed is not None:
            return probed
    if well:
        return _drawn(well, weights, health, chance)
    return next((one for one in order if health.is_only_slow(one)), None)


def _after(route: Sequence[str], last: str | None) -> Sequence[str]:
    """The route from the provider after the one tried last, which comes at its end."""
    if last is None or last not in route:
        return route
    after = route.index(last) + 1
    return (*route[after:], *route[:after])


def _drawn(well: Sequence[str], weights: Mapping[str, float], health: Health, chance: Callable[[], float]) -> str:
    """One of those that are well: by weight and share, or in order, where the part that one has lost goes on."""
    if len(well) == 1:
        return well[0]
    shares = [health.share(one) for one in well]
    if not weights:
        for one, share in zip(well, shares, strict=True):
            if chance() < share:
                return one
        return well[shares.index(max(shares))]
    sums = list(accumulate(weights.get(one, 0.0) * share for one, share in zip(well, shares, strict=True)))
    drawn = chance() * sums[-1]
    return next((one for one, upto in zip(well, sums, strict=True) if drawn < upto), well[0])


Providers = Mapping[str, Provider]
"""Every configured provider by its name."""
