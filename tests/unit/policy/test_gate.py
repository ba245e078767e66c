"""The gate: the fixed order, each verdict, and a trace that shows what was seen."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.decisions import Decision, Expire, Facts, Hold, Send, Suppress
from gateway.domain.preferences import Category, ConsentState, SuppressionReason
from gateway.domain.recipients import Channel
from gateway.policy.gate import decide
from tests.factories import NOW, make_consent, make_facts, make_recipient, make_suppression

HOUR = timedelta(hours=1)
INSTANTS = st.integers(min_value=-100_000, max_value=100_000).map(lambda seconds: NOW + timedelta(seconds=seconds))


def test_a_transactional_message_goes_without_consent() -> None:
    facts = make_facts()

    decision = decide(facts, NOW)

    assert isinstance(decision, Send)
    assert decision.route == ("smtp-main",)
    assert [step.rule for step in decision.trace] == ["expiry", "suppression", "consent", "schedule", "route"]
    assert {step.verdict for step in decision.trace} == {"pass"}


@pytest.mark.parametrize(
    ("facts", "expected", "rule", "reason"),
    [
        pytest.param(make_facts(expires_at=NOW), Expire, "expiry", "expired", id="its last instant is over"),
        pytest.param(
            make_facts(recipient=make_recipient(email=None)), Suppress, "suppression", "no_address", id="no address"
        ),
        pytest.param(
            make_facts(suppressions=(make_suppression(),)), Suppress, "suppression", "suppressed", id="suppressed"
        ),
        pytest.param(
            make_facts(category=Category.CRITICAL, suppressions=(make_suppression(reason=SuppressionReason.STOP),)),
            Suppress,
            "suppression",
            "suppressed",
            id="critical respects a STOP",
        ),
        pytest.param(
            make_facts(category=Category.MARKETING, topic="offers"), Suppress, "consent", "no_consent", id="no grant"
        ),
        pytest.param(
            make_facts(send_at=NOW + HOUR), Hold, "schedule", "scheduled", id="not before the caller's instant"
        ),
        pytest.param(
            make_facts(send_at=NOW + HOUR, expires_at=NOW + HOUR),
            Expire,
            "schedule",
            "scheduled",
            id="a hold that outlasts the expiry expires at once, naming the rule",
        ),
        pytest.param(make_facts(route=()), Suppress, "route", "no_route", id="no provider serves it"),
    ],
)
def test_the_first_rule_that_speaks_decides(facts: Facts, expected: type[Decision], rule: str, reason: str) -> None:
    decision = decide(facts, NOW)

    assert isinstance(decision, expected)
    assert not isinstance(decision, Send)
    assert (decision.rule, decision.reason) == (rule, reason)
    assert decision.trace[-1].rule == rule
    assert all(step.verdict == "pass" for step in decision.trace[:-1])


def test_expiry_is_asked_before_suppression_and_suppression_before_consent() -> None:
    everything_wrong = make_facts(
        category=Category.MARKETING, expires_at=NOW, suppressions=(make_suppression(),), route=()
    )

    expired = decide(everything_wrong, NOW)
    suppressed = decide(everything_wrong, NOW - HOUR)

    assert isinstance(expired, Expire)
    assert len(expired.trace) == 1
    assert isinstance(suppressed, Suppress)
    assert suppressed.rule == "suppression"


def test_the_trace_shows_the_values_seen_without_whole_addresses() -> None:
    facts = make_facts(suppressions=(make_suppression(),))

    decision = decide(facts, NOW)

    saw = decision.trace[-1].saw
    assert saw["addresses"] == ["a•••@example.org"]
    assert "amina@example.org" not in repr(decision.trace)
    assert saw["suppressions"] == [
        {
            "id": "sup_1",
            "address": "a•••@example.org",
            "reason": "bounce",
            "scope": "all",
            "created_at": "2026-11-21T12:00:00Z",
            "expires_at": None,
        }
    ]


def test_the_trace_of_a_message_that_may_go_shows_what_each_rule_saw() -> None:
    grant = make_consent()
    facts = make_facts(category=Category.MARKETING, topic="offers", consents=(grant,), send_at=NOW - HOUR)

    decision = decide(facts, NOW)

    assert [(step.rule, step.verdict, step.saw) for step in decision.trace] == [
        ("expiry", "pass", {"now": "2026-11-22T12:00:00Z", "expires_at": "2026-11-25T12:00:00Z"}),
        ("suppression", "pass", {"addresses": ["a•••@example.org"], "suppressions": []}),
        (
            "consent",
            "pass",
            {
                "category": "marketing",
                "topic": "offers",
                "needed": True,
                "channel": "email",
                "consent": {
                    "id": "cns_1",
                    "state": "granted",
                    "source": "signup-form",
                    "at": "2026-11-21T12:00:00Z",
                },
            },
        ),
        ("schedule", "pass", {"now": "2026-11-22T12:00:00Z", "send_at": "2026-11-22T11:00:00Z"}),
        ("route", "pass", {"country": "CA", "providers": ["smtp-main"]}),
    ]


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        pytest.param(
            make_facts(expires_at=NOW),
            ("expiry", "expire", {"now": "2026-11-22T12:00:00Z", "expires_at": "2026-11-22T12:00:00Z"}),
            id="expired",
        ),
        pytest.param(
            make_facts(recipient=make_recipient(email=None)),
            ("suppression", "suppress", {"addresses": [], "suppressions": []}),
            id="no address",
        ),
        pytest.param(
            make_facts(category=Category.MARKETING, topic="offers"),
            (
                "consent",
                "suppress",
                {"category": "marketing", "topic": "offers", "needed": True, "channel": "email", "consent": None},
            ),
            id="nobody asked",
        ),
        pytest.param(
            make_facts(send_at=NOW + HOUR),
            ("schedule", "hold", {"now": "2026-11-22T12:00:00Z", "send_at": "2026-11-22T13:00:00Z"}),
            id="not yet",
        ),
        pytest.param(
            make_facts(route=()), ("route", "suppress", {"country": "CA", "providers": []}), id="nobody serves it"
        ),
    ],
)
def test_the_rule_that_stops_a_message_shows_what_it_saw(facts: Facts, step: tuple[str, str, object]) -> None:
    last = decide(facts, NOW).trace[-1]

    assert (last.rule, last.verdict, last.saw) == step


def test_a_suppression_that_ends_shows_when() -> None:
    facts = make_facts(suppressions=(make_suppression(expires_at=NOW + HOUR),))

    shown = decide(facts, NOW).trace[-1].saw["suppressions"]

    assert isinstance(shown, list)
    assert isinstance(shown[0], dict)
    assert shown[0]["expires_at"] == "2026-11-22T13:00:00Z"


def test_without_need_of_consent_or_a_chosen_instant_the_trace_says_so() -> None:
    decision = decide(make_facts(), NOW)

    saw = {step.rule: step.saw for step in decision.trace}
    assert saw["consent"] == {"category": "transactional", "topic": "orders", "needed": False}
    assert saw["schedule"] == {"send_at": None}


@pytest.mark.parametrize(
    ("state", "reason"), [(ConsentState.PENDING, "consent_pending"), (ConsentState.DENIED, "consent_denied")]
)
def test_what_is_no_grant_is_named_in_the_trace(state: ConsentState, reason: str) -> None:
    facts = make_facts(category=Category.MARKETING, topic="offers", consents=(make_consent(state=state),))

    decision = decide(facts, NOW)

    assert isinstance(decision, Suppress)
    assert (decision.rule, decision.reason, decision.trace[-1].rule) == ("consent", reason, "consent")
    consent = decision.trace[-1].saw["consent"]
    assert isinstance(consent, dict)
    assert consent["state"] == state.value


@given(now=INSTANTS, expires_at=INSTANTS, send_at=st.none() | INSTANTS)
def test_nothing_is_sent_early_or_late_and_every_hold_ends_before_the_expiry(
    now: datetime, expires_at: datetime, send_at: datetime | None
) -> None:
    decision = decide(make_facts(expires_at=expires_at, send_at=send_at), now)

    match decision:
        case Send():
            assert now < expires_at
            assert send_at is None or send_at <= now
        case Hold(not_before=not_before):
            assert now < not_before < expires_at
            assert isinstance(decide(make_facts(expires_at=expires_at, send_at=send_at), not_before), Send)
        case Expire():
            assert now >= expires_at or (send_at is not None and send_at >= expires_at)
        case Suppress():
            pytest.fail("nothing here suppresses")


@given(
    states=st.lists(st.tuples(st.sampled_from(ConsentState), INSTANTS, st.sampled_from(Channel)), max_size=6),
    suppressed=st.booleans(),
)
def test_marketing_never_goes_without_a_standing_grant(
    states: list[tuple[ConsentState, datetime, Channel]], suppressed: bool
) -> None:
    consents = tuple(make_consent(state=state, at=at, channel=channel) for state, at, channel in states)
    facts = make_facts(
        category=Category.MARKETING,
        topic="offers",
        consents=consents,
        suppressions=(make_suppression(),) if suppressed else (),
    )

    decision = decide(facts, NOW)

    heard = [consent for consent in consents if consent.channel is Channel.EMAIL]
    latest = max((consent.at for consent in heard), default=None)
    standing = {consent.state for consent in heard if consent.at == latest}
    assert isinstance(decision, Send) == (standing == {ConsentState.GRANTED} and not suppressed)


def test_the_trace_tells_by_which_weights_a_route_is_shared() -> None:
    shared = decide(make_facts(route=("a", "b"), weights={"a": 70, "b": 30}), NOW).trace[-1]
    plain = decide(make_facts(), NOW).trace[-1]

    assert (shared.rule, shared.saw["weights"]) == ("route", {"a": 70, "b": 30})
    assert "weights" not in plain.saw
