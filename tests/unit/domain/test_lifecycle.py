"""The status of a delivery is a pure function of the set of facts told about it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.lifecycle import (
    TRANSITIONS,
    DeliveryStatus,
    Evidence,
    Fact,
    Strategy,
    advance,
    can_advance,
    message_status,
    resolve,
    resolve_attempt,
)
from gateway.domain.recipients import Channel

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

facts = st.builds(
    Fact,
    attempt=st.integers(1, 4),
    evidence=st.sampled_from(Evidence),
    provider_time=st.none() | st.integers(0, 100).map(lambda minutes: NOON + timedelta(minutes=minutes)),
)


@given(channel=st.sampled_from(Channel), told=st.lists(facts, max_size=8), data=st.data())
def test_order_and_repetition_of_facts_never_change_the_status(
    channel: Channel, told: list[Fact], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(told))
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=4)) if told else []

    status = resolve(channel, told)

    assert resolve(channel, [*shuffled, *repeated]) == status


@given(channel=st.sampled_from(Channel), told=st.lists(facts, min_size=1, max_size=8))
def test_a_status_that_facts_amount_to_can_be_reached_in_the_table(channel: Channel, told: list[Fact]) -> None:
    status = resolve(channel, told)

    assert status is not None
    assert status is DeliveryStatus.SENDING or status in _reachable(DeliveryStatus.SENDING)


@given(told=st.lists(facts, max_size=8))
def test_a_refused_attempt_never_outweighs_one_that_was_taken(told: list[Fact]) -> None:
    taken = Fact(attempt=9, evidence=Evidence.TAKEN)

    status = resolve(Channel.EMAIL, [*told, taken])

    assert status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)


@given(steps=st.lists(st.sampled_from(DeliveryStatus), max_size=20))
def test_a_status_only_ever_moves_along_an_edge(steps: list[DeliveryStatus]) -> None:
    status = DeliveryStatus.ACCEPTED
    for step in steps:
        following = advance(status, step)

        assert following is status or following in TRANSITIONS[status]
        status = following


def _reachable(start: DeliveryStatus) -> set[DeliveryStatus]:
    found: set[DeliveryStatus] = set()
    frontier = [start]
    while frontier:
        for target in TRANSITIONS[frontier.pop()]:
            if target not in found:
                found.add(target)
                frontier.append(target)
    return found


def test_every_status_is_reachable_and_has_its_row() -> None:
    assert set(TRANSITIONS) == set(DeliveryStatus)
    assert _reachable(DeliveryStatus.ACCEPTED) | {DeliveryStatus.ACCEPTED, DeliveryStatus.SCHEDULED} == set(
        DeliveryStatus
    )


def test_a_final_status_moves_only_by_a_provider_s_later_word() -> None:
    for status in DeliveryStatus:
        if status.is_final:
            assert set(TRANSITIONS[status]) <= {
                DeliveryStatus.DELIVERED,
                DeliveryStatus.UNDELIVERED,
                DeliveryStatus.SENT,
            }


def test_every_edge_tells_its_reason() -> None:
    assert all(reason.strip() for edges in TRANSITIONS.values() for reason in edges.values())


EARLY, LATE = NOON, NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("channel", "told", "expected"),
    [
        pytest.param(
            Channel.EMAIL,
            [(Evidence.DELIVERED, None), (Evidence.BOUNCED, None)],
            "undelivered",
            id="late e-mail bounce",
        ),
        pytest.param(
            Channel.EMAIL, [(Evidence.DELIVERED, None), (Evidence.UNDELIVERED, None)], "delivered", id="soft bounce"
        ),
        pytest.param(
            Channel.SMS, [(Evidence.DELIVERED, None), (Evidence.BOUNCED, None)], "delivered", id="receipt wins"
        ),
        pytest.param(
            Channel.SMS, [(Evidence.DELIVERED, EARLY), (Evidence.BOUNCED, LATE)], "undelivered", id="later refusal"
        ),
        pytest.param(
            Channel.SMS, [(Evidence.DELIVERED, LATE), (Evidence.BOUNCED, EARLY)], "delivered", id="earlier refusal"
        ),
        pytest.param(
            Channel.SMS, [(Evidence.DELIVERED, None), (Evidence.BOUNCED, LATE)], "delivered", id="no time to compare"
        ),
        pytest.param(
            Channel.SMS, [(Evidence.DELIVERED, EARLY), (Evidence.BOUNCED, EARLY)], "delivered", id="at one instant"
        ),
        pytest.param(
            Channel.SMS,
            [(Evidence.DELIVERED, EARLY), (Evidence.BOUNCED, None), (Evidence.TAKEN, LATE)],
            "delivered",
            id="only a refusal's own time counts against a receipt",
        ),
        pytest.param(Channel.PUSH, [(Evidence.STARTED, None)], "sending", id="started"),
        pytest.param(Channel.PUSH, [(Evidence.LOST, None), (Evidence.STARTED, None)], "unknown", id="lost"),
        pytest.param(Channel.SMS, [(Evidence.LOST, None), (Evidence.TAKEN, None)], "sent", id="lost, then found taken"),
        pytest.param(
            Channel.SMS, [(Evidence.LOST, None), (Evidence.NOT_TAKEN, None)], "queued", id="lost, then not taken"
        ),
        pytest.param(Channel.EMAIL, [(Evidence.REFUSED, None), (Evidence.STARTED, None)], "failed", id="refused"),
    ],
)
def test_one_attempt_comes_to(channel: Channel, told: list[tuple[Evidence, datetime | None]], expected: str) -> None:
    given_facts = [Fact(attempt=1, evidence=evidence, provider_time=time) for evidence, time in told]

    assert resolve_attempt(channel, given_facts) == expected


def test_the_channel_decides_between_a_receipt_and_a_bounce_of_one_attempt() -> None:
    told = [Fact(attempt=1, evidence=Evidence.DELIVERED), Fact(attempt=1, evidence=Evidence.BOUNCED)]

    assert resolve(Channel.EMAIL, told) is DeliveryStatus.UNDELIVERED
    assert resolve(Channel.SMS, told) is DeliveryStatus.DELIVERED


def test_a_step_along_an_edge_changes_the_status() -> None:
    assert advance(DeliveryStatus.SENDING, DeliveryStatus.SENT) is DeliveryStatus.SENT


def test_without_facts_there_is_no_status() -> None:
    assert resolve(Channel.EMAIL, []) is None


@pytest.mark.parametrize(
    ("strategy", "statuses", "expected"),
    [
        ("first", ["suppressed", "delivered"], "delivered"),
        ("first", ["failed", "queued"], "queued"),
        ("first", ["suppressed", "failed"], "failed"),
        ("all", ["delivered", "queued"], "queued"),
        ("all", ["delivered", "delivered"], "delivered"),
        ("all", ["delivered", "suppressed"], "suppressed"),
        ("all", ["unknown", "cancelled", "accepted"], "cancelled"),
        ("first", [], "accepted"),
    ],
)
def test_a_message_s_status_under_its_strategy(strategy: str, statuses: list[str], expected: str) -> None:
    assert message_status(Strategy(strategy), [DeliveryStatus(status) for status in statuses]) == expected


def test_a_late_word_that_has_no_edge_changes_nothing() -> None:
    assert not can_advance(DeliveryStatus.DELIVERED, DeliveryStatus.SENT)
    assert advance(DeliveryStatus.DELIVERED, DeliveryStatus.SENT) is DeliveryStatus.DELIVERED
