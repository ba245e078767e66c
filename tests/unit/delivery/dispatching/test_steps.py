"""What a claim comes to, as one write."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.delivery.dispatching import steps
from gateway.delivery.dispatching.retry import Again, Settled
from gateway.domain.decisions import Expire, Hold, Suppress
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.preferences import SuppressionReason
from gateway.domain.recipients import Channel
from gateway.ports import Claim
from tests.factories import NOW, make_attempt, make_claim, make_delivery, make_message

S = DeliveryStatus
LATER = NOW + timedelta(hours=1)
CHANNELS = (Channel.EMAIL, Channel.SMS)


def _claim(status: DeliveryStatus = S.ACCEPTED, *, not_before: Any = None, **message: Any) -> Claim:
    return make_claim(make_message(**message), make_delivery(status=status, not_before=not_before))


def _hold(reason: str = "scheduled") -> Hold:
    return Hold(not_before=LATER, reason=reason, rule="schedule", trace=())


def test_a_hold_is_due_again_when_it_ends_and_tells_its_reason() -> None:
    step = steps.stop(_claim(), _hold(), NOW)

    assert (step.status, step.reason, step.due_at) == (S.HELD, "scheduled", LATER)
    assert [event.type for event in step.events] == ["delivery.held"]
    assert step.events[0].data["not_before"] == "2026-11-22T13:00:00Z"


def test_a_hold_that_only_goes_on_makes_no_second_event() -> None:
    assert steps.stop(_claim(S.HELD, not_before=LATER), _hold(), NOW).events == ()
    assert steps.stop(_claim(S.HELD, not_before=NOW), _hold(), NOW).events != ()


@pytest.mark.parametrize(
    ("strategy", "channels", "expected"),
    [
        pytest.param(Strategy.FIRST, CHANNELS, Channel.SMS, id="the next one under first"),
        pytest.param(Strategy.FIRST, (Channel.EMAIL,), None, id="none after the last"),
        pytest.param(Strategy.ALL, CHANNELS, None, id="none under all"),
    ],
)
def test_a_refused_channel_is_followed_by_the_next(
    strategy: Strategy, channels: tuple[Channel, ...], expected: Channel | None
) -> None:
    refusal = Suppress(reason="no_consent", rule="consent", trace=())

    step = steps.stop(_claim(strategy=strategy, channels=channels), refusal, NOW)

    assert step.status is S.SUPPRESSED
    assert (None if step.next_delivery is None else step.next_delivery.delivery.channel) == expected
    assert step.drop_secrets == (expected is None)
    assert [event.type for event in step.events][1:] == ([] if expected is None else ["delivery.accepted"])


def test_what_expired_is_not_tried_on_another_channel() -> None:
    step = steps.stop(_claim(channels=CHANNELS), Expire(reason="expired", rule="expiry", trace=()), NOW)

    assert (step.status, step.next_delivery, step.drop_secrets) == (S.EXPIRED, None, True)


def test_waiting_costs_no_attempt_and_never_outlasts_the_expiry() -> None:
    claim = _claim(expires_at=NOW + timedelta(minutes=1))

    step = steps.wait(claim, "provider_busy", LATER, NOW)

    assert (step.status, step.due_at, step.attempt) == (S.QUEUED, claim.message.expires_at, None)
    assert steps.wait(_claim(S.QUEUED), "provider_busy", LATER, NOW).events == ()


def test_an_answer_is_told_with_its_provider_attempt_and_code() -> None:
    result = SendResult(outcome=Outcome.TRANSIENT, code="451 4.7.1", detail="greylisted")
    attempt = make_attempt(finished_at=NOW, result=result)

    step = steps.answered(_claim(S.SENDING), [attempt], Again(at=LATER, reason="transient"), (), NOW)

    assert (step.status, step.due_at, step.attempt) == (S.QUEUED, LATER, attempt)
    assert step.events[0].data == {
        "channel": "email",
        "reason": "transient",
        "provider": "smtp-main",
        "attempt": 1,
        "outcome": "transient",
        "code": "451 4.7.1",
        "detail": "greylisted",
        "not_before": "2026-11-22T13:00:00Z",
    }


def test_a_condemned_address_is_suppressed_with_evidence() -> None:
    attempt = make_attempt(finished_at=NOW, result=SendResult(outcome=Outcome.INVALID_RECIPIENT, code="550 5.1.1"))
    verdict = Settled(status=S.FAILED, reason="invalid_recipient")
    condemned = ("amina@example.org", SuppressionReason.BOUNCE, attempt)

    step = steps.answered(_claim(S.SENDING), [attempt], verdict, [condemned], NOW)

    (suppression,) = step.suppressions
    assert (suppression.address, suppression.reason) == ("amina@example.org", SuppressionReason.BOUNCE)
    assert suppression.evidence == {
        "delivery_id": "dlv_1",
        "provider": "smtp-main",
        "code": "550 5.1.1",
        "detail": None,
    }


def test_calls_at_the_same_time_are_told_beside_the_one_that_decides() -> None:
    first, second = (
        make_attempt(number=number, provider=name, finished_at=NOW, result=SendResult(outcome=outcome))
        for number, name, outcome in ((1, "apps", Outcome.TRANSIENT), (2, "iphones", Outcome.SENT))
    )

    step = steps.answered(_claim(S.SENDING), [second, first], Settled(status=S.SENT), (), NOW)

    data = step.events[0].data
    assert (data["provider"], data["attempt"], data["outcome"]) == ("iphones", 2, "sent")
    assert data["beside"] == [{"provider": "apps", "attempt": 1, "outcome": "transient", "code": None, "detail": None}]
    assert step.attempts == (second, first)
