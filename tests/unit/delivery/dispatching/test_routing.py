"""Routes in order, the mailbox for test keys, and providers that are left alone and probed."""

import pytest

from gateway.delivery.dispatching.routing import Health, Route, RoutingTable, choose, following
from gateway.domain.messages import Outcome
from gateway.domain.recipients import Channel
from tests.fakes import SetClock

TABLE = RoutingTable(
    routes=(
        Route(channel=Channel.SMS, countries=frozenset({"FR"}), providers=("twilio-eu", "twilio-us")),
        Route(channel=Channel.SMS, countries=frozenset(), providers=("twilio-us",)),
        Route(channel=Channel.PUSH, countries=frozenset({"DE"}), providers=("fcm",)),
    ),
    mailbox="mailbox",
)
ROUTE = ("one", "two")


@pytest.mark.parametrize(
    ("channel", "country", "live", "expected"),
    [
        pytest.param(Channel.SMS, "FR", True, ("twilio-eu", "twilio-us"), id="the first route that fits"),
        pytest.param(Channel.SMS, "US", True, ("twilio-us",), id="a route for everywhere"),
        pytest.param(Channel.SMS, None, True, ("twilio-us",), id="a country not known"),
        pytest.param(Channel.PUSH, "FR", True, (), id="no route for the country"),
        pytest.param(Channel.EMAIL, None, True, (), id="no route at all"),
        pytest.param(Channel.SMS, "FR", False, ("mailbox",), id="a test key"),
    ],
)
def test_the_first_route_that_fits_names_the_providers(
    channel: Channel, country: str | None, live: bool, expected: tuple[str, ...]
) -> None:
    assert TABLE.providers(channel, country, live) == expected


def test_a_channel_without_a_route_for_everywhere_is_missing() -> None:
    assert TABLE.missing() == (Channel.EMAIL, Channel.PUSH)


def test_a_misconfigured_provider_is_left_alone_and_its_traffic_goes_to_the_next() -> None:
    clock = SetClock()
    health = Health(clock)

    health.learn("one", Outcome.MISCONFIGURED)

    assert choose(ROUTE, None, health) == "two"
    assert 14 < health.rest_seconds(["one"]) <= 15


def test_one_transient_answer_says_nothing_against_a_provider_but_many_in_a_row_do() -> None:
    health = Health(SetClock())

    health.learn("one", Outcome.TRANSIENT)
    assert health.is_well("one")
    for _ in range(4):
        health.learn("one", Outcome.TRANSIENT)

    assert not health.is_well("one")


def test_after_its_rest_a_provider_is_probed_by_one_delivery_and_is_well_after_a_good_answer() -> None:
    clock = SetClock()
    health = Health(clock)
    health.learn("one", Outcome.MISCONFIGURED)

    clock.advance(20)
    probes = [health.admits("one") for _ in range(3)]
    health.learn("one", Outcome.SENT)

    assert probes == [True, False, False]
    assert health.is_well("one")


def test_a_probe_that_fails_sends_the_provider_back_to_rest() -> None:
    clock = SetClock()
    health = Health(clock)
    health.learn("one", Outcome.MISCONFIGURED)
    clock.advance(20)

    assert health.admits("one")
    health.learn("one", Outcome.TRANSIENT)
    clock.advance(10)

    assert not health.admits("one")


def test_a_probe_that_never_came_back_is_followed_by_another() -> None:
    clock = SetClock()
    health = Health(clock)
    health.learn("one", Outcome.MISCONFIGURED)
    clock.advance(20)

    assert health.admits("one")
    clock.advance(6)

    assert health.admits("one")


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.INVALID_RECIPIENT, Outcome.OPTED_OUT])
def test_a_refusal_of_one_message_says_nothing_against_the_provider(outcome: Outcome) -> None:
    health = Health(SetClock())

    for _ in range(20):
        health.learn("one", outcome)

    assert health.is_well("one")


def test_the_next_try_goes_to_the_provider_after_the_last_one_and_then_from_the_start() -> None:
    health = Health(SetClock())

    assert choose(ROUTE, None, health) == "one"
    assert choose(ROUTE, "one", health) == "two"
    assert choose(ROUTE, "two", health) == "one"
    assert following(ROUTE, "one") == ("two",)
    assert following(ROUTE, "gone") == ()


def test_nobody_is_chosen_while_all_are_left_alone() -> None:
    health = Health(SetClock())
    for provider in ROUTE:
        health.learn(provider, Outcome.MISCONFIGURED)

    assert choose(ROUTE, None, health) is None
    assert 1 <= health.rest_seconds(ROUTE) <= 15
    assert not any(health.admits(provider) for provider in ROUTE)
