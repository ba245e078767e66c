"""When providers are asked what became of a call, and what follows where they cannot say."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.dispatching.steps import NOT_TAKEN
from gateway.delivery.tracking.looks import ASKED_FOR, LookRules
from gateway.domain.lifecycle import ANSWER_LOST, DeliveryStatus
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.ports import Claim
from tests.factories import NOW, make_claim, make_delivery, make_message

S = DeliveryStatus
QUARTER = timedelta(minutes=15)
RULES: dict[str, Any] = {
    "searched": frozenset({"twilio"}),
    "asked": frozenset({"twilio"}),
    "ask_after": QUARTER,
    "unknown_after": QUARTER,
    "resent": frozenset({Category.MARKETING}),
    "attempts": 3,
}


def rules(**changes: Any) -> LookRules:
    return LookRules(**RULES | changes)


def given_to(provider: str, status: S, *, category: Category = Category.TRANSACTIONAL, **changes: Any) -> Claim:
    delivery = make_delivery(status=status, provider=provider, provider_message_id="SM1", attempts=1, **changes)
    return make_claim(make_message(category=category, channels=(Channel.EMAIL, Channel.SMS)), delivery)


def looks(status: S, provider: str, category: Category = Category.TRANSACTIONAL, **changes: Any) -> list[timedelta]:
    """When it is looked after, counted from when it came to its status."""
    message = make_message(category=category, channels=(Channel.EMAIL, Channel.SMS), **changes)
    found, now = [], NOW
    while due := rules().next_look(message, Channel.EMAIL, status, provider=provider, since=NOW, now=now):
        found.append(due - NOW)
        now = due
    return found


@pytest.mark.parametrize(
    ("status", "provider", "category", "seconds"),
    [
        pytest.param(S.UNKNOWN, "twilio", Category.TRANSACTIONAL, [10, 30, 90, 270, 810, 900], id="searched"),
        pytest.param(S.UNKNOWN, "smtp", Category.TRANSACTIONAL, [], id="never"),
        pytest.param(S.UNKNOWN, "smtp", Category.MARKETING, [900], id="resent"),
        pytest.param(S.SENT, "smtp", Category.TRANSACTIONAL, [], id="no receipts"),
        pytest.param(S.SENT, "twilio", Category.TRANSACTIONAL, [900 * 2**n for n in range(9)], id="asked"),
        pytest.param(S.DELIVERED, "twilio", Category.MARKETING, [], id="arrived"),
    ],
)
def test_looks_grow_rare_and_end(status: S, provider: str, category: Category, seconds: list[int]) -> None:
    assert looks(status, provider, category) == [timedelta(seconds=one) for one in seconds]


def test_a_confirmation_that_is_due_is_looked_for_beside_all_else() -> None:
    after = timedelta(minutes=5)

    assert after in looks(S.SENT, "twilio", fallback_after=after)
    assert after in looks(S.UNKNOWN, "smtp", Category.MARKETING, fallback_after=after)
    assert after not in looks(S.UNKNOWN, "twilio", fallback_after=after)


@settings(max_examples=60)
@given(
    first=st.timedeltas(timedelta(milliseconds=1), timedelta(days=5)),
    unknown_after=st.timedeltas(timedelta(milliseconds=1), timedelta(days=5)),
    status=st.sampled_from([S.SENT, S.UNKNOWN]),
)
def test_looks_always_move_on_and_never_outlast_their_time(
    first: timedelta, unknown_after: timedelta, status: S
) -> None:
    kept = rules(ask_after=first, unknown_after=unknown_after)
    message, now, count = make_message(), NOW, 0

    while due := kept.next_look(message, Channel.EMAIL, status, provider="twilio", since=NOW, now=now):
        assert due > now
        now, count = due, count + 1

    assert now - NOW <= (unknown_after if status is S.UNKNOWN else ASKED_FOR)
    assert count < 40


@pytest.mark.parametrize("category", [Category.TRANSACTIONAL, Category.MARKETING], ids=["never", "resend"])
def test_what_the_provider_does_not_have_is_tried_anew_once_the_time_is_over(category: Category) -> None:
    claim = given_to("twilio", S.UNKNOWN, category=category, reason=ANSWER_LOST)

    before = rules().after_search(claim, is_absent=True, now=NOW + QUARTER - timedelta(seconds=1))
    after = rules().after_search(claim, is_absent=True, now=NOW + QUARTER)

    assert (before.status, before.due_at) == (S.UNKNOWN, NOW + QUARTER)
    assert (after.status, after.reason, after.due_at) == (S.QUEUED, NOT_TAKEN, NOW + QUARTER)


@pytest.mark.parametrize(
    ("changes", "days", "outcome"),
    [
        pytest.param({"attempts": 3}, 0, (S.FAILED, "retries_spent"), id="tries spent"),
        pytest.param({}, 4, (S.EXPIRED, NOT_TAKEN), id="time over"),
    ],
)
def test_what_was_never_taken_ends_where_no_try_is_left(
    changes: dict[str, Any], days: int, outcome: tuple[S, str]
) -> None:
    delivery = make_delivery(status=S.UNKNOWN, provider="twilio", **{"attempts": 1} | changes)

    step = rules().after_search(make_claim(delivery=delivery), is_absent=True, now=NOW + QUARTER + timedelta(days=days))

    assert (step.status, step.reason) == outcome


@pytest.mark.parametrize(
    ("category", "outcome"),
    [(Category.TRANSACTIONAL, (S.UNKNOWN, None)), (Category.MARKETING, (S.QUEUED, NOW + QUARTER))],
    ids=["never", "resend"],
)
def test_where_nobody_can_say_the_category_decides(category: Category, outcome: tuple[S, object]) -> None:
    claim = given_to("twilio", S.UNKNOWN, category=category, reason=ANSWER_LOST)

    step = rules().after_search(claim, is_absent=False, now=NOW + QUARTER)

    assert (step.status, step.due_at) == outcome
    assert step.drop_secrets is (category is Category.TRANSACTIONAL)


def test_a_message_is_asked_for_only_where_its_provider_knows_it_by_an_id() -> None:
    late = NOW + QUARTER

    assert rules().is_asked(given_to("twilio", S.SENT), late)
    assert not rules().is_asked(given_to("twilio", S.SENT), late - timedelta(seconds=1))
    assert not rules().is_asked(given_to("smtp", S.SENT), late)
