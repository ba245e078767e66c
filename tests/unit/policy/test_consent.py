"""Consent: the latest word holds, a denial wins a tie, and a pending opt-in is no grant."""

from datetime import timedelta
from itertools import permutations

import pytest

from gateway.domain.decisions import Send, Suppress
from gateway.domain.preferences import Category, Consent, ConsentState, current_consent
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.policy.gate import decide
from tests.factories import NOW, make_consent, make_facts

HOUR = timedelta(hours=1)
GRANT = make_consent()
DENIAL = make_consent(state=ConsentState.DENIED)
PENDING = make_consent(state=ConsentState.PENDING)


def _reason(*consents: Consent) -> str | None:
    decision = decide(make_facts(category=Category.MARKETING, topic="offers", consents=consents), NOW)
    assert isinstance(decision, Send | Suppress)
    return None if isinstance(decision, Send) else decision.reason


@pytest.mark.parametrize(
    ("consents", "reason"),
    [
        pytest.param((GRANT,), None, id="a grant"),
        pytest.param((), "no_consent", id="silence"),
        pytest.param((PENDING,), "consent_pending", id="a double opt-in not yet confirmed"),
        pytest.param((DENIAL,), "consent_denied", id="a denial"),
        pytest.param((GRANT, make_consent(state=ConsentState.DENIED, at=GRANT.at + HOUR)), "consent_denied", id="left"),
        pytest.param((DENIAL, make_consent(at=GRANT.at + HOUR)), None, id="came back"),
        pytest.param((GRANT, DENIAL), "consent_denied", id="at one instant the denial wins"),
        pytest.param((GRANT, PENDING), "consent_pending", id="at one instant pending beats a grant"),
        pytest.param((make_consent(channel=Channel.SMS),), "no_consent", id="another channel's grant"),
        pytest.param((make_consent(topic="newsletter"),), "no_consent", id="another topic's grant"),
    ],
)
def test_marketing_follows_the_line_that_holds(consents: tuple[Consent, ...], reason: str | None) -> None:
    answers = {_reason(*order) for order in permutations(consents)}

    assert answers == {reason}


def test_who_has_yet_to_confirm_on_this_channel_gets_nothing_for_a_grant_on_another() -> None:
    elsewhere = make_consent(channel=Channel.SMS)
    facts = make_facts(category=Category.MARKETING, topic="offers", consents=(PENDING, elsewhere))

    decision = decide(replace(facts, consent_on_any_channel=True), NOW)

    assert isinstance(decision, Suppress)
    assert decision.reason == "consent_pending"


def test_a_denial_does_not_stop_what_needs_no_consent() -> None:
    denied = make_consent(state=ConsentState.DENIED, topic="orders")

    decision = decide(make_facts(consents=(denied,)), NOW)

    assert isinstance(decision, Send)


def test_nobody_has_a_current_line_without_history() -> None:
    assert current_consent(()) is None


SMS_GRANT = make_consent(channel=Channel.SMS)
SMS_DENIAL = make_consent(channel=Channel.SMS, state=ConsentState.DENIED)


@pytest.mark.parametrize(
    ("consents", "reason", "on"),
    [
        pytest.param((), "no_consent", None, id="silence"),
        pytest.param((SMS_GRANT,), None, "sms", id="another channel's grant is enough"),
        pytest.param((PENDING, SMS_GRANT), "consent_pending", "email", id="but not while this channel's is pending"),
        pytest.param(
            (make_consent(channel=Channel.SMS, state=ConsentState.PENDING),), "no_consent", None, id="nor its"
        ),
        pytest.param((DENIAL, make_consent(channel=Channel.SMS, at=NOW)), "consent_denied", "email", id="own denial"),
        pytest.param((GRANT, SMS_DENIAL), "consent_denied", "sms", id="withdrawn elsewhere at the same instant"),
        pytest.param((make_consent(at=NOW), SMS_DENIAL), None, "email", id="given again here since"),
        pytest.param((make_consent(topic="newsletter"),), "no_consent", None, id="another topic's grant"),
    ],
)
def test_where_so_configured_a_grant_on_any_channel_is_enough(
    consents: tuple[Consent, ...], reason: str | None, on: str | None
) -> None:
    facts = make_facts(category=Category.MARKETING, topic="offers", consents=consents, consent_on_any_channel=True)

    decision = decide(facts, NOW)

    assert (None if isinstance(decision, Send) else getattr(decision, "reason", "")) == reason
    assert next(step for step in decision.trace if step.rule == "consent").saw["on"] == on
