"""Routes by channel, country and category; who is next, in order and by weight; the mailbox for test keys."""

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.dispatching.health import Health
from gateway.delivery.dispatching.routing import Route, RoutingTable, choose
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from tests.fakes import SetClock

C = Category
TABLE = RoutingTable(
    routes=(
        Route(channel=Channel.SMS, categories=frozenset({C.CRITICAL}), providers=("direct",)),
        Route(channel=Channel.SMS, countries=frozenset({"FR"}), providers=("twilio-eu", "twilio-us")),
        Route(channel=Channel.SMS, providers=("twilio-us",)),
        Route(channel=Channel.PUSH, countries=frozenset({"DE"}), providers=("fcm",)),
    ),
    mailbox="mailbox",
)
ROUTE = ("one", "two")
HALVES: Mapping[str, float] = {"one": 1.0, "two": 1.0}
IN_ORDER: Mapping[str, float] = {}


class Fortune:
    """A health whose providers fare as one says."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.health = Health(self.clock)

    def learn(self, provider: str, *outcomes: Outcome, seconds: float = 0.0) -> None:
        """Let calls to a provider end so."""
        for outcome in outcomes:
            ticket = self.health.begin(provider)
            self.clock.advance(seconds)
            self.health.end(provider, ticket, SendResult(outcome=outcome))

    def next(self, last: str | None = None, weights: Mapping[str, float] = IN_ORDER, drawn: float = 0.0) -> str | None:
        """The next provider for a delivery that waits for nothing."""
        return choose(ROUTE, weights, last, self.health, lambda: drawn)


@pytest.mark.parametrize(
    ("channel", "country", "category", "live", "expected"),
    [
        pytest.param(Channel.SMS, "FR", C.MARKETING, True, ("twilio-eu", "twilio-us"), id="the first route that fits"),
        pytest.param(Channel.SMS, "FR", C.CRITICAL, True, ("direct",), id="a route for the category"),
        pytest.param(Channel.SMS, "US", C.TRANSACTIONAL, True, ("twilio-us",), id="a route for everywhere"),
        pytest.param(Channel.SMS, None, C.TRANSACTIONAL, True, ("twilio-us",), id="a country not known"),
        pytest.param(Channel.PUSH, "FR", C.CRITICAL, True, None, id="no route for the country"),
        pytest.param(Channel.EMAIL, None, C.CRITICAL, True, None, id="no route at all"),
        pytest.param(Channel.SMS, "FR", C.CRITICAL, False, ("mailbox",), id="a test key"),
    ],
)
def test_the_first_route_that_fits_names_the_providers(
    channel: Channel, country: str | None, category: Category, live: bool, expected: tuple[str, ...] | None
) -> None:
    route = TABLE.route(channel, country, category, live)

    assert (None if route is None else route.providers) == expected


def test_a_channel_that_no_route_serves_everywhere_and_for_all_is_missing() -> None:
    by_category = tuple(
        Route(channel=Channel.EMAIL, categories=frozenset({category}), providers=("main",)) for category in Category
    )

    assert TABLE.missing() == (Channel.EMAIL, Channel.PUSH)
    assert RoutingTable(routes=by_category, mailbox="mailbox").missing() == (Channel.SMS, Channel.PUSH)
    assert RoutingTable(routes=by_category[1:], mailbox="mailbox").missing() == tuple(Channel)


def test_a_misconfigured_provider_is_left_alone_and_its_traffic_goes_to_the_next() -> None:
    fortune = Fortune()

    fortune.learn("one", Outcome.MISCONFIGURED)

    assert fortune.next() == "two"
    assert 14 < fortune.health.rest_seconds(["one"]) <= 15


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.INVALID_RECIPIENT, Outcome.OPTED_OUT])
def test_a_refusal_of_one_message_says_nothing_against_the_provider(outcome: Outcome) -> None:
    fortune = Fortune()

    fortune.learn("one", *[outcome] * 20)

    assert fortune.health.is_at_its_best("one")


def test_the_next_try_goes_to_the_provider_after_the_last_one_and_then_from_the_start() -> None:
    fortune = Fortune()

    assert [fortune.next(last) for last in (None, "one", "two", "gone")] == ["one", "two", "one", "one"]
    assert fortune.next("one", HALVES, drawn=0.1) == "two"


def test_nobody_is_chosen_while_all_are_left_alone() -> None:
    fortune = Fortune()
    for provider in ROUTE:
        fortune.learn(provider, Outcome.MISCONFIGURED)

    assert fortune.next() is None
    assert fortune.next(weights=HALVES) is None
    assert 1 <= fortune.health.rest_seconds(ROUTE) <= 15


def test_one_that_is_merely_slow_is_better_than_nobody() -> None:
    fortune = Fortune()

    fortune.learn("one", *[Outcome.SENT] * 5, seconds=8.0)
    fortune.learn("two", Outcome.MISCONFIGURED)

    assert not fortune.health.is_well("one")
    assert fortune.next() == "one"


def test_a_provider_that_has_rested_is_probed_by_what_can_wait_and_not_by_what_is_urgent() -> None:
    fortune = Fortune()
    fortune.learn("one", Outcome.MISCONFIGURED)
    fortune.clock.advance(20)

    urgent = choose(ROUTE, IN_ORDER, None, fortune.health, lambda: 0.0, urgent=True)
    others = [fortune.next() for _ in range(3)]

    assert urgent == "two"
    assert others == ["one", "two", "two"]


def test_where_nobody_else_is_well_even_what_is_urgent_is_a_probe() -> None:
    fortune = Fortune()
    for provider in ROUTE:
        fortune.learn(provider, Outcome.MISCONFIGURED)
    fortune.clock.advance(20)

    chosen = [choose(ROUTE, IN_ORDER, None, fortune.health, lambda: 0.0, urgent=True) for _ in range(3)]

    assert chosen == ["one", "two", None]


def test_in_order_the_part_that_a_provider_has_lost_goes_to_the_next() -> None:
    fortune, chance = Fortune(), random.Random(1)
    fortune.learn("one", *[Outcome.TRANSIENT] * 3)

    chosen = Counter(choose(ROUTE, IN_ORDER, None, fortune.health, chance.random) for _ in range(1_000))

    # Three bad ones of five have cost it 9 of 25 parts.
    assert chosen["one"] == pytest.approx(640, abs=60)


def test_those_passed_over_do_not_come_again() -> None:
    health = Health(SetClock())

    assert choose(ROUTE, IN_ORDER, None, health, lambda: 0.0, passed={"one"}) == "two"
    assert choose(ROUTE, HALVES, None, health, lambda: 0.0, passed={"one"}) == "two"
    assert choose(ROUTE, IN_ORDER, None, health, lambda: 0.0, passed=set(ROUTE)) is None


@given(st.dictionaries(st.sampled_from("abcde"), st.floats(0.5, 10), min_size=1), st.integers(0, 2**32))
def test_by_weight_each_provider_gets_its_part(weights: dict[str, float], seed: int) -> None:
    health, chance, route = Health(SetClock()), random.Random(seed), sorted(weights)

    chosen = Counter(choose(route, weights, None, health, chance.random) for _ in range(400))

    for name, weight in weights.items():
        assert chosen[name] / 400 == pytest.approx(weight / sum(weights.values()), abs=0.15)


def test_by_weight_one_that_fails_loses_what_the_others_get() -> None:
    fortune, chance = Fortune(), random.Random(1)
    fortune.learn("one", *[Outcome.TRANSIENT] * 4)

    chosen = Counter(choose(ROUTE, HALVES, None, fortune.health, chance.random) for _ in range(1_000))

    assert chosen["one"] == pytest.approx(1_000 * 0.36 / 1.36, abs=60)


def test_a_weight_of_nothing_is_for_when_nobody_else_is_well() -> None:
    fortune, weights = Fortune(), {"one": 0.0, "two": 1.0}

    before = {choose(ROUTE, weights, None, fortune.health, random.Random(seed).random) for seed in range(20)}
    fortune.learn("two", Outcome.MISCONFIGURED)

    assert before == {"two"}
    assert fortune.next(weights=weights) == "one"


def test_those_who_watch_are_told_once_why_a_provider_is_left_alone_and_when_it_is_well_again() -> None:
    clock, told = SetClock(), list[tuple[str, str | None]]()
    health = Health(clock, watch=lambda provider, why: told.append((provider, why)))

    for outcome in [Outcome.TRANSIENT] * 6:
        health.end("one", health.begin("one"), SendResult(outcome=outcome, code="503"))
    clock.advance(20)
    assert health.admits_probe("one")
    health.end("one", health.begin("one"), SendResult(outcome=Outcome.SENT))

    assert told == [("one", "transient 503"), ("one", None)]


def test_of_a_provider_that_took_everything_but_too_late_it_is_said_that_it_is_slow() -> None:
    clock, told = SetClock(), list[tuple[str, str | None]]()
    health = Health(clock, watch=lambda provider, why: told.append((provider, why)))

    for _ in range(6):
        ticket = health.begin("one")
        clock.advance(10)
        health.end("one", ticket, SendResult(outcome=Outcome.SENT))
    health.is_well("one")

    assert told == [("one", "slow")]
