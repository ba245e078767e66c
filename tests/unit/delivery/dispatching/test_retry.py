"""The retry decision: each answer by table, the waits by property."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.dispatching.retry import Again, RetryPolicy, Settled, Try, decide, retry_delay
from gateway.domain.lifecycle import DeliveryStatus, can_advance
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.values import replace
from tests.factories import NOW

POLICY = RetryPolicy(attempts=8, first=timedelta(seconds=5), longest=timedelta(minutes=10))
CHANCES = st.floats(min_value=0, max_value=1, exclude_max=True)


def _try(**changes: Any) -> Try:
    values: dict[str, Any] = {
        "number": 1,
        "now": NOW,
        "expires_at": NOW + timedelta(days=1),
        "idempotent": False,
        "receipts": True,
        "another_provider": False,
    }
    return Try(**(values | changes))


@pytest.mark.parametrize(
    ("outcome", "attempt", "status", "reason"),
    [
        pytest.param(Outcome.DELIVERED, _try(), DeliveryStatus.DELIVERED, None, id="arrived"),
        pytest.param(Outcome.SENT, _try(), DeliveryStatus.SENT, None, id="taken"),
        pytest.param(Outcome.SENT, _try(receipts=False), DeliveryStatus.SENT, "no_receipts", id="the honest end"),
        pytest.param(Outcome.REJECTED, _try(), DeliveryStatus.FAILED, "rejected", id="refused for good"),
        pytest.param(Outcome.INVALID_RECIPIENT, _try(), DeliveryStatus.FAILED, "invalid_recipient", id="bad address"),
        pytest.param(Outcome.OPTED_OUT, _try(), DeliveryStatus.SUPPRESSED, "opted_out", id="the provider's own STOP"),
        pytest.param(Outcome.UNKNOWN, _try(), DeliveryStatus.UNKNOWN, "answer_lost", id="lost"),
        pytest.param(
            Outcome.UNKNOWN, _try(idempotent=True, number=8), DeliveryStatus.UNKNOWN, "answer_lost", id="lost at last"
        ),
        pytest.param(Outcome.TRANSIENT, _try(number=8), DeliveryStatus.FAILED, "retries_spent", id="tries spent"),
        pytest.param(
            Outcome.THROTTLED, _try(expires_at=NOW), DeliveryStatus.EXPIRED, "throttled", id="no time for a retry"
        ),
    ],
)
def test_an_answer_that_ends_it(outcome: Outcome, attempt: Try, status: DeliveryStatus, reason: str | None) -> None:
    verdict = decide(SendResult(outcome=outcome), attempt, POLICY, 0.5)

    assert isinstance(verdict, Settled)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert can_advance(DeliveryStatus.SENDING, status)


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.TRANSIENT, Outcome.MISCONFIGURED])
def test_what_was_known_not_taken_goes_to_the_next_provider_at_once(outcome: Outcome) -> None:
    result = SendResult(outcome=outcome, retry_after_seconds=60)

    verdict = decide(result, _try(another_provider=True), POLICY, 0.9)

    assert verdict == Again(at=NOW, reason=outcome.value)


def test_while_all_providers_are_left_alone_tries_are_not_spent_but_time_is() -> None:
    result, down = SendResult(outcome=Outcome.TRANSIENT), _try(number=20, outage=True)

    waits = decide(result, down, POLICY, 0.5)
    ends = decide(result, replace(down, expires_at=NOW + timedelta(seconds=1)), POLICY, 0.5)

    assert waits == Again(at=NOW + POLICY.longest / 2, reason="transient")
    assert ends == Settled(status=DeliveryStatus.EXPIRED, reason="transient")


def test_a_lost_answer_never_goes_to_another_provider_at_once() -> None:
    attempt = _try(another_provider=True, idempotent=True)

    verdict = decide(SendResult(outcome=Outcome.UNKNOWN), attempt, POLICY, 0.5)

    assert verdict == Again(at=NOW + timedelta(seconds=2.5), reason="answer_lost")


@given(number=st.integers(1, 100), chance=CHANCES, retry_after=st.none() | st.floats(0, 3600))
def test_a_retry_waits_at_least_retry_after_and_at_most_the_ceiling_more(
    number: int, chance: float, retry_after: float | None
) -> None:
    wait = retry_delay(number, POLICY, chance, retry_after)

    least = timedelta(seconds=retry_after or 0)
    assert least <= wait <= least + POLICY.longest


@given(outcome=st.sampled_from(Outcome), number=st.integers(1, 20), chance=CHANCES, left=st.floats(0, 10_000))
def test_nothing_is_tried_again_after_its_expiry_or_beyond_its_tries(
    outcome: Outcome, number: int, chance: float, left: float
) -> None:
    attempt = _try(number=number, expires_at=NOW + timedelta(seconds=left), idempotent=True)

    verdict = decide(SendResult(outcome=outcome), attempt, POLICY, chance)

    match verdict:
        case Again(at=at):
            assert number < POLICY.attempts
            assert NOW <= at < attempt.expires_at
        case Settled(status=status):
            assert can_advance(DeliveryStatus.SENDING, status)


def test_the_ceiling_of_the_wait_doubles_with_each_try_until_the_longest() -> None:
    waits = [retry_delay(number, POLICY, 1.0, None).total_seconds() for number in (1, 2, 3, 7, 8, 100)]

    assert waits == [5, 10, 20, 320, 600, 600]


def test_retry_after_is_waited_for_under_the_jitter_and_no_longer_than_a_day() -> None:
    assert retry_delay(1, POLICY, 1.0, 60.0) == timedelta(seconds=65)
    assert retry_delay(1, POLICY, 0.0, 10.0**9) == timedelta(days=1)
    assert retry_delay(1, POLICY, 0.0, -5.0) == timedelta(0)


def test_a_throttled_try_is_due_when_the_provider_said() -> None:
    verdict = decide(SendResult(outcome=Outcome.THROTTLED, retry_after_seconds=60.0), _try(), POLICY, 0.0)

    assert verdict == Again(at=NOW + timedelta(seconds=60), reason="throttled")


def test_a_lost_answer_whose_time_is_over_stays_unknown() -> None:
    verdict = decide(SendResult(outcome=Outcome.UNKNOWN), _try(idempotent=True, expires_at=NOW), POLICY, 0.5)

    assert verdict == Settled(status=DeliveryStatus.UNKNOWN, reason="answer_lost")
