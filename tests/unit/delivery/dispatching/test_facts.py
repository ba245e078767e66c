"""What the gate is told: the rules that may speak of a message, its person's own, and the slots that are kept."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from gateway.delivery.dispatching.facts import Terms, read_facts
from gateway.delivery.dispatching.routing import Route, RoutingTable
from gateway.domain.decisions import Facts
from gateway.domain.ids import DeliveryId
from gateway.domain.instants import to_micros
from gateway.domain.messages import Lane
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rule_tables import parse_rules
from gateway.domain.slots import WaitingDelivery
from gateway.policy.packs.in_force import RulesInForce
from gateway.ports import StoredFacts
from tests.factories import NOW, make_claim, make_delivery, make_message, make_recipient

ROUTING = RoutingTable(
    routes=tuple(Route(channel=one, countries=frozenset(), providers=("mailbox",)) for one in Channel),
    mailbox="mailbox",
)
HOUR = timedelta(hours=1)
CAP = {"name": "daily", "limit": 2, "per": "day"}
NIGHT = {"name": "night", "categories": ["transactional"], "forbid": [{"from": "22:00", "to": "08:00"}]}


def terms(*, caps: tuple[Mapping[str, Any], ...] = (), hours: tuple[Mapping[str, Any], ...] = ()) -> Terms:
    return Terms(rules=RulesInForce(parse_rules({"frequency_caps": caps, "quiet_hours": hours}, "settings")))


def facts_of(of: Terms, *, preferences: Mapping[str, Any] | None = None, **stored: Any) -> Facts:
    recipient = make_recipient(preferences=preferences)
    known = StoredFacts(recipient=recipient, consents=(), suppressions=(), **stored)
    return read_facts(make_claim(), known, ROUTING, of)


def waiting(**changes: Any) -> WaitingDelivery:
    values: dict[str, Any] = {
        "id": DeliveryId("dlv_2"),
        "channel": Channel.SMS,
        "category": Category.TRANSACTIONAL,
        "topic": None,
        "lane": Lane.HIGH,
        "created_at": NOW - HOUR,
        "due_at": NOW + HOUR,
    }
    return WaitingDelivery(**{**values, **changes})


def test_without_rules_there_is_nothing_to_ask() -> None:
    facts = facts_of(terms())

    assert not facts.rules
    assert facts.waiting == {}


def test_a_persons_own_rules_stand_beside_the_operators() -> None:
    own = {"quiet_hours": [{**NIGHT, "name": "own"}], "frequency_caps": [CAP]}

    both, alone = (facts_of(of, preferences=own).rules for of in (terms(hours=(NIGHT,)), terms()))

    assert [(rule.name, rule.origin) for rule in both.quiet_hours] == [("night", "settings"), ("own", "recipient")]
    assert [cap.counter for cap in both.frequency_caps] == ["own:daily"]
    assert [rule.name for rule in alone.quiet_hours] == ["own"]


@pytest.mark.parametrize(
    ("other", "keeps"),
    [
        pytest.param({}, True, id="came first and goes first"),
        pytest.param({"lane": Lane.NORMAL}, False, id="as urgent as this one"),
        pytest.param({"created_at": NOW + HOUR}, False, id="came later"),
        pytest.param({"created_at": NOW}, True, id="came with it"),
        pytest.param({"category": Category.CRITICAL, "lane": Lane.CRITICAL}, False, id="is not counted"),
    ],
)
def test_what_is_more_urgent_and_came_first_keeps_its_slot(other: dict[str, Any], keeps: bool) -> None:
    facts = facts_of(terms(caps=(CAP,)), waiting=(waiting(**other),), slots={"daily": (to_micros(NOW),)})

    assert facts.waiting == {"daily": (NOW + HOUR,) if keeps else ()}
    assert facts.slots == {"daily": (to_micros(NOW),)}


@pytest.mark.parametrize(
    ("of", "capped"),
    [
        (terms(), False),
        (terms(hours=(NIGHT,)), False),
        (terms(caps=(CAP,)), True),
        (terms(caps=({**CAP, "channels": ["sms"]},)), False),
    ],
)
def test_slots_are_looked_at_only_where_a_cap_may_speak(of: Terms, capped: bool) -> None:
    assert of.may_be_capped(make_claim(), None) is capped
    assert of.may_be_capped(make_claim(), make_recipient()) is capped


def test_a_cap_of_ones_own_has_its_slots_looked_at() -> None:
    person = make_recipient(preferences={"frequency_caps": [CAP]})
    claim = make_claim(make_message(to=make_recipient(email=None)))

    assert terms().may_be_capped(claim, person)
    assert not terms().may_be_capped(claim, None)


def test_a_text_is_routed_by_the_country_of_its_number_and_an_email_by_the_persons() -> None:
    known = StoredFacts(recipient=make_recipient(), consents=(), suppressions=())

    countries = [
        read_facts(make_claim(delivery=make_delivery(channel=channel)), known, ROUTING, terms()).country
        for channel in (Channel.SMS, Channel.EMAIL)
    ]

    assert countries == ["FR", "CA"]
