"""Suppressions: scope, end, address and channel; several devices."""

from datetime import timedelta

import pytest

from gateway.domain.decisions import Send
from gateway.domain.ids import MessageId
from gateway.domain.preferences import SPARES, Category, Suppression, SuppressionReason
from gateway.domain.recipients import Channel, PushDevice, PushPlatform
from gateway.policy.gate import decide
from gateway.policy.suppression import open_addresses
from tests.factories import NOW, make_facts, make_recipient, make_suppression

DEVICES = tuple(PushDevice(platform=PushPlatform.FCM, token=token) for token in ("one", "two"))


@pytest.mark.parametrize(
    ("suppression", "goes"),
    [
        pytest.param(make_suppression(), False, id="the address itself"),
        pytest.param(make_suppression(address="AMINA@example.org"), False, id="the address in other letters"),
        pytest.param(make_suppression(address="other@example.org"), True, id="another address"),
        pytest.param(make_suppression(channel=Channel.SMS), True, id="another channel"),
        pytest.param(make_suppression(scope="transactional"), False, id="its category"),
        pytest.param(make_suppression(scope="marketing"), True, id="another category"),
        pytest.param(make_suppression(scope="topic:orders"), False, id="its topic"),
        pytest.param(make_suppression(scope="topic:offers"), True, id="another topic"),
        pytest.param(make_suppression(expires_at=NOW), True, id="over"),
        pytest.param(make_suppression(expires_at=NOW + timedelta(seconds=1)), False, id="not yet over"),
    ],
)
def test_a_suppression_forbids_what_its_scope_names_while_it_stands(suppression: Suppression, goes: bool) -> None:
    decision = decide(make_facts(category=Category.TRANSACTIONAL, suppressions=(suppression,)), NOW)

    assert isinstance(decision, Send) == goes


def test_of_several_devices_the_one_that_is_not_suppressed_is_reached() -> None:
    facts = make_facts(
        channel=Channel.PUSH,
        recipient=make_recipient(push=DEVICES),
        suppressions=(make_suppression(channel=Channel.PUSH, address="one"),),
    )

    assert isinstance(decide(facts, NOW), Send)
    assert open_addresses(facts, NOW) == ("two",)


def test_push_tokens_differ_by_case() -> None:
    facts = make_facts(
        channel=Channel.PUSH,
        recipient=make_recipient(push=DEVICES),
        suppressions=(make_suppression(channel=Channel.PUSH, address="ONE"),),
    )

    assert open_addresses(facts, NOW) == ("one", "two")


@pytest.mark.parametrize(
    ("category", "reason", "overridden", "passes"),
    [
        (Category.CRITICAL, SuppressionReason.BOUNCE, {SuppressionReason.BOUNCE}, True),
        (Category.CRITICAL, SuppressionReason.COMPLAINT, {SuppressionReason.BOUNCE}, False),
        (Category.CRITICAL, SuppressionReason.BOUNCE, set(), False),
        (Category.CRITICAL, SuppressionReason.STOP, set(SuppressionReason), False),
        (Category.TRANSACTIONAL, SuppressionReason.BOUNCE, {SuppressionReason.BOUNCE}, False),
    ],
)
def test_critical_overrides_what_the_settings_name_and_never_a_stop(
    category: Category, reason: SuppressionReason, overridden: set[SuppressionReason], passes: bool
) -> None:
    facts = make_facts(
        category=category,
        suppressions=(make_suppression(reason=reason),),
        overridden=frozenset(overridden),
    )

    decision = decide(facts, NOW)

    assert isinstance(decision, Send) is passes
    saw = next(step for step in decision.trace if step.rule == "suppression").saw
    assert saw.get("overridden") == (["sup_1"] if passes else None)
    assert isinstance(saw["suppressions"], list)
    assert len(saw["suppressions"]) == 1


def test_a_stop_lets_only_its_own_answer_pass() -> None:
    stop = make_suppression(reason=SuppressionReason.STOP, evidence={SPARES: "msg_answer"})

    answer, other = (
        decide(make_facts(suppressions=(stop,), message_id=MessageId(name)), NOW)
        for name in ("msg_answer", "msg_other")
    )

    assert isinstance(answer, Send)
    assert not isinstance(other, Send)
