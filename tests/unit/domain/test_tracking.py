"""What receipts make of a delivery, whatever their order, their repetition and the steps of our own between them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.ids import AttemptId
from gateway.domain.lifecycle import TRANSITIONS, DeliveryStatus, Evidence, Fact, Strategy
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel
from gateway.domain.tracking import (
    attempt_of_receipt,
    confirmation_due,
    due_after,
    facts_of,
    is_anomaly,
    reason_of,
    settle,
)
from tests.factories import NOW, make_attempt, make_message

S = DeliveryStatus
WORDS = (Evidence.TAKEN, Evidence.DELIVERED, Evidence.UNDELIVERED, Evidence.BOUNCED, Evidence.REFUSED, None)
LATER = datetime(2026, 11, 23, tzinfo=UTC)

receipts = st.builds(
    lambda number, evidence, minutes: (
        number,
        Receipt(
            event_id="e",
            status="s",
            evidence=evidence,
            at=None if minutes is None else LATER + timedelta(minutes=minutes),
        ),
    ),
    st.integers(1, 2),
    st.sampled_from(WORDS),
    st.none() | st.integers(0, 3),
)
ANSWERS = {
    S.SENT: Outcome.SENT,
    S.UNKNOWN: Outcome.UNKNOWN,
    S.FAILED: Outcome.REJECTED,
    S.SUPPRESSED: Outcome.OPTED_OUT,
    S.EXPIRED: Outcome.THROTTLED,
}


@given(
    channel=st.sampled_from(Channel),
    answer=st.sampled_from(sorted(ANSWERS)),
    first=st.sampled_from([Outcome.THROTTLED, Outcome.UNKNOWN]),
    told=st.lists(receipts, max_size=6),
    data=st.data(),
)
def test_any_order_repetition_and_interleaving_ends_the_same_and_moves_along_edges(
    channel: Channel, answer: DeliveryStatus, first: Outcome, told: list[tuple[int, Receipt]], data: st.DataObject
) -> None:
    """The second attempt is under way; its answer comes somewhere among the receipts of both."""
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=3)) if told else []
    story: list[tuple[int, Receipt] | None] = list(data.draw(st.permutations([*told, *repeated, None])))

    ends = [_play(channel, answer, first, story), _play(channel, answer, first, [None, *told])]

    assert ends[0] == ends[1]


def _play(
    channel: Channel, answer: DeliveryStatus, first: Outcome, story: list[tuple[int, Receipt] | None]
) -> DeliveryStatus:
    one = make_attempt(number=1, result=SendResult(outcome=first))
    two = make_attempt(number=2)
    own = status = S.SENDING
    heard: list[tuple[int, Receipt]] = []
    for word in story:
        if word is None:
            own, two = answer, make_attempt(number=2, result=SendResult(outcome=ANSWERS[answer]))
        else:
            heard.append(word)
        following = settle(own, channel, facts_of((one, two), heard))
        assert following is status or following in TRANSITIONS[status], (status, following)
        status = following
    return status


@pytest.mark.parametrize(
    ("own", "told", "expected"),
    [
        pytest.param(S.SENT, [(1, Evidence.DELIVERED)], S.DELIVERED, id="a receipt"),
        pytest.param(S.SENT, [(1, Evidence.BOUNCED)], S.UNDELIVERED, id="a bounce"),
        pytest.param(S.UNKNOWN, [(1, Evidence.TAKEN)], S.SENT, id="a lost answer shown to be taken"),
        pytest.param(S.UNKNOWN, [(1, Evidence.REFUSED)], S.UNDELIVERED, id="a lost answer refused later"),
        pytest.param(S.QUEUED, [(1, Evidence.TAKEN)], S.SENT, id="no second call for what was taken"),
        pytest.param(S.FAILED, [(1, Evidence.TAKEN)], S.FAILED, id="a failure stands against a mere taking"),
        pytest.param(S.FAILED, [(1, Evidence.DELIVERED)], S.DELIVERED, id="and falls before a receipt"),
        pytest.param(S.EXPIRED, [(1, Evidence.DELIVERED)], S.DELIVERED, id="expired, yet delivered"),
        pytest.param(S.SENT, [(1, None)], S.SENT, id="an unknown word"),
        pytest.param(S.SENT, [(1, Evidence.LOST), (1, Evidence.NOT_TAKEN)], S.SENT, id="no word for a receipt"),
    ],
)
def test_a_receipt_makes_of(
    own: DeliveryStatus, told: list[tuple[int, Evidence | None]], expected: DeliveryStatus
) -> None:
    heard = [(number, Receipt(event_id=str(n), status="s", evidence=one)) for n, (number, one) in enumerate(told)]

    assert settle(own, Channel.SMS, facts_of([make_attempt()], heard)) is expected
    assert is_anomaly(own, expected) is (own in (S.FAILED, S.EXPIRED) and expected is S.DELIVERED)


def test_a_bounce_of_the_call_before_says_nothing_of_the_one_under_way() -> None:
    facts = [Fact(attempt=1, evidence=Evidence.BOUNCED), Fact(attempt=2, evidence=Evidence.STARTED)]

    assert settle(S.SENDING, Channel.SMS, facts) is S.SENDING
    assert reason_of(S.UNDELIVERED, facts) == "bounced"


def test_a_provider_speaks_only_of_its_own_calls() -> None:
    ours = make_attempt(number=1, id=AttemptId("att_1"), provider="a")
    later = make_attempt(
        number=2,
        id=AttemptId("att_2"),
        provider="a",
        result=SendResult(outcome=Outcome.SENT, provider_message_id="SM2"),
    )
    other = make_attempt(number=3, id=AttemptId("att_3"), provider="b")
    attempts = (ours, later, other)

    def found(provider: str, **said: str) -> int | None:
        receipt = Receipt(event_id="e", status="s", **said)  # type: ignore[arg-type]
        attempt = attempt_of_receipt(attempts, provider, receipt)
        return None if attempt is None else attempt.number

    assert found("a", attempt_id="att_1") == 1
    assert found("a", provider_message_id="SM2") == 2
    assert found("a") == 2
    assert found("a", attempt_id="att_3") == 2
    assert found("c", attempt_id="att_1") is None


def test_what_is_not_confirmed_in_time_is_due_for_the_next_channel() -> None:
    channels = (Channel.PUSH, Channel.SMS)
    message = make_message(channels=channels, fallback_after=timedelta(minutes=2))
    all_at_once = make_message(channels=channels, fallback_after=timedelta(minutes=2), strategy=Strategy.ALL)

    assert confirmation_due(message, Channel.PUSH, NOW) == NOW + timedelta(minutes=2)
    assert confirmation_due(message, Channel.SMS, NOW) is None
    assert confirmation_due(all_at_once, Channel.PUSH, NOW) is None
    assert confirmation_due(make_message(channels=channels), Channel.PUSH, NOW) is None
    assert confirmation_due(message, Channel.PUSH, message.expires_at - timedelta(minutes=1)) is None
    assert due_after(S.UNDELIVERED, message, Channel.PUSH, NOW) == NOW
    assert due_after(S.UNDELIVERED, message, Channel.PUSH, message.expires_at) is None
    assert due_after(S.DELIVERED, message, Channel.PUSH, NOW) is None
    assert due_after(S.SENT, message, Channel.PUSH, NOW) == NOW + timedelta(minutes=2)
