"""Packs and the operator's rules are in force together, and nothing is loosened without a reason."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.decisions import Send
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rule_tables import parse_rules
from gateway.domain.rules import NO_RULES, FrequencyCap, RuleSet
from gateway.errors import ConfigurationError
from gateway.policy.gate import decide
from gateway.policy.packs.in_force import Override, RulesInForce, choose_packs
from gateway.policy.packs.reading import load_packs
from tests.factories import NOW, make_consent, make_facts, make_recipient

PACKS = load_packs()


def make_own(**changes: Any) -> RuleSet:
    rule = {"name": "nights", "allow": [{"from": "10:00", "to": "18:00"}], **changes}
    return parse_rules({"quiet_hours": [rule]}, "settings")


def names(rules: RuleSet) -> set[str]:
    return {rule.name for rule in rules.quiet_hours} | {cap.name for cap in rules.frequency_caps}


def test_a_recipient_meets_the_rules_of_the_country_and_no_others() -> None:
    rules = RulesInForce(NO_RULES, PACKS)

    found = rules.of(Channel.SMS, Category.MARKETING, "FR")

    assert names(found) == {"fr-sms"}


@pytest.mark.parametrize("category", [Category.TRANSACTIONAL, Category.CRITICAL])
def test_what_is_no_marketing_meets_no_rule_of_a_pack(category: Category) -> None:
    rules = RulesInForce(NO_RULES, PACKS)

    assert not rules.of(Channel.SMS, category, "US")
    assert not rules.speaks_of(Channel.SMS, category)


def test_the_operator_may_only_add() -> None:
    rules = RulesInForce(make_own(), PACKS)

    assert names(rules.of(Channel.SMS, Category.MARKETING, "FR")) == {"nights", "fr-sms"}
    assert names(rules.of(Channel.SMS, Category.MARKETING, "ZZ")) == {"nights"}


def test_a_rule_of_the_operators_for_a_topic_is_there_for_every_topic_to_judge() -> None:
    rules = RulesInForce(make_own(topics=["offers"], channels=["sms"]), {})

    assert names(rules.of(Channel.SMS, Category.MARKETING, None)) == {"nights"}
    assert not rules.of(Channel.EMAIL, Category.MARKETING, None)


def test_a_cap_of_a_region_holds_there_alone() -> None:
    rules = RulesInForce(NO_RULES, PACKS)

    in_florida = rules.of(Channel.SMS, Category.MARKETING, "US", "US-FL")
    in_texas = rules.of(Channel.SMS, Category.MARKETING, "US", "US-TX")

    assert {cap.name for cap in in_florida.frequency_caps} == {"us-florida-3-a-day"}
    assert in_texas.frequency_caps == ()


def test_an_override_with_a_reason_takes_one_rule_out() -> None:
    override = Override(rule="us-texas", reason="advice of counsel, 3 March 2026")

    rules = RulesInForce(NO_RULES, PACKS, [override])

    found = names(rules.of(Channel.SMS, Category.MARKETING, "US"))
    assert "us-texas" not in found
    assert {"us-federal", "us-florida"} <= found
    assert rules.overrides == {"us-texas": "advice of counsel, 3 March 2026"}


def test_what_is_overridden_stands_in_the_trace_of_whom_it_would_concern() -> None:
    rules = RulesInForce(NO_RULES, PACKS, [Override(rule="us-texas", reason="advice of counsel")])
    texan = make_recipient(country="US", region="US-TX", timezone="America/Chicago")

    decision = decide(
        make_facts(
            channel=Channel.SMS,
            category=Category.MARKETING,
            topic="offers",
            recipient=texan,
            consents=(make_consent(channel=Channel.SMS),),
            rules=rules.of(Channel.SMS, Category.MARKETING, "US", "US-TX"),
        ),
        NOW + timedelta(hours=4),
    )

    assert isinstance(decision, Send)
    steps = {step.rule: step for step in decision.trace}
    assert (steps["us-texas"].verdict, steps["us-texas"].saw["overridden"]) == ("pass", "advice of counsel")
    assert "us-federal" in steps
    assert rules.of(Channel.SMS, Category.MARKETING, "US", "US-FL").overridden == ()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (Override(rule="us-atlantis", reason="none"), "no pack in force has a rule 'us-atlantis'"),
        (Override(rule="us-texas", reason=" "), "say the reason"),
        (Override(rule="fr-sms", reason="not chosen"), "no pack in force has a rule 'fr-sms'"),
    ],
    ids=["unknown", "no reason", "not in force"],
)
def test_an_override_that_says_nothing_stops_the_start(override: Override, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        RulesInForce(NO_RULES, choose_packs(PACKS, ["US"]), [override])

    assert told in refused.value.message


def test_a_rule_of_the_operators_with_the_name_of_a_packs_stops_the_start() -> None:
    with pytest.raises(ConfigurationError) as refused:
        RulesInForce(make_own(name="fr-sms"), PACKS)

    assert "fr-sms is the name of a rule of a country pack" in refused.value.message


def test_packs_are_all_none_or_those_that_are_named() -> None:
    assert choose_packs(PACKS, True) == PACKS
    assert choose_packs(PACKS, False) == {}
    assert set(choose_packs(PACKS, ("FR", "KR"))) == {"FR", "KR"}
    with pytest.raises(ConfigurationError) as refused:
        choose_packs(PACKS, ("FR", "ZZ"))
    assert "there is no pack for ZZ" in refused.value.message


@pytest.mark.parametrize("channel", list(Channel))
def test_a_cap_of_a_pack_is_met_on_its_own_channels(channel: Channel) -> None:
    rules = RulesInForce(NO_RULES, PACKS)
    mine = {"vn-sms-3-a-day": Channel.SMS, "vn-email-3-a-day": Channel.EMAIL}

    found = {cap.name for cap in rules.of(channel, Category.MARKETING, "VN").frequency_caps}

    assert found == {name for name, own in mine.items() if own is channel}


def test_an_own_cap_speaks_of_its_channel_and_category_alone() -> None:
    cap = {"name": "few", "limit": 1, "per": "day", "channels": ["push"], "categories": ["transactional"]}
    rules = RulesInForce(parse_rules({"frequency_caps": [cap]}, "settings"), {})

    speaking = {kind for kind in itertools.product(Channel, Category) if rules.speaks_of(*kind)}

    assert speaking == {(Channel.PUSH, Category.TRANSACTIONAL)}
    assert {kind for kind in itertools.product(Channel, Category) if rules.of(*kind, "FR").frequency_caps} == speaking


def test_all_caps_in_force_are_listed_but_those_that_are_overridden() -> None:
    every = {line.rule.name for pack in PACKS.values() for line in pack.lines if isinstance(line.rule, FrequencyCap)}
    rules = RulesInForce(NO_RULES, PACKS, [Override(rule="co-1-a-day", reason="advice of counsel")])

    assert {cap.name for cap in rules.caps} == every - {"co-1-a-day"}
    (met,) = rules.of(Channel.EMAIL, Category.MARKETING, "CO").overridden
    assert (met.rule, met.origin, met.reason) == ("co-1-a-day", "pack:CO", "advice of counsel")


def test_the_digest_tells_rules_apart() -> None:
    every = [
        RulesInForce(NO_RULES, PACKS),
        RulesInForce(NO_RULES, {}),
        RulesInForce(make_own(), PACKS),
        RulesInForce(NO_RULES, PACKS, [Override(rule="fr-sms", reason="advice of counsel")]),
    ]

    assert len({rules.digest for rules in every}) == len(every)
    assert RulesInForce(NO_RULES, PACKS).digest == every[0].digest
