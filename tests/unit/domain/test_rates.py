"""Rates as they are written, and the bucket: never more than so many, and nobody waits for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.rates import Rate, parse_rate_over, take_tokens

RATES = st.sampled_from([0.01, 0.5, 1.0, 3.0, 10.0, 250.0])
ASKED = st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(1, 6), st.floats(0.0, 2.0)), max_size=60)
"""After how many seconds, for how many tokens, with how much patience."""


@pytest.mark.parametrize(
    ("text", "per_second"), [("10/s", 10.0), ("600/m", 10.0), (" 1800/h ", 0.5), ("86400/d", 1.0), ("1/d", 1 / 86400)]
)
def test_a_rate_is_so_many_in_a_unit_of_time(text: str, per_second: float) -> None:
    assert parse_rate_over(text).per_second == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["", "10", "0/s", "1.5/s", "-1/s", "10/w", "10 per s", "١/s", "9999999999/s"])
def test_what_is_no_rate_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="10/s, 600/m or 1000/h"):
        parse_rate_over(text)


def test_after_a_rest_a_second_of_it_goes_at_once_and_then_one_by_one() -> None:
    rate, full_at, waits = Rate(per_second=4.0), 0.0, []

    for _ in range(6):
        turn = take_tokens(full_at, 100.0, rate, 1, 10.0)
        full_at = turn.full_at
        waits.append(turn.wait_seconds)

    assert waits == [0.0, 0.0, 0.0, 0.0, 0.25, 0.5]


def test_who_has_no_patience_takes_nothing_and_learns_when_to_come_back() -> None:
    rate = Rate(per_second=0.1)
    first = take_tokens(0.0, 50.0, rate, 1, 0.0)

    refused = take_tokens(first.full_at, 52.0, rate, 1, 1.0)
    later = take_tokens(refused.full_at, 52.0 + refused.wait_seconds, rate, 1, 0.0)

    assert (refused.is_taken, refused.full_at) == (False, first.full_at)
    assert refused.wait_seconds == pytest.approx(8.0)
    assert later.is_taken


def test_what_costs_more_than_a_bucket_holds_goes_and_delays_what_follows() -> None:
    rate = Rate(per_second=1.0)

    long = take_tokens(0.0, 10.0, rate, 5, 0.0)
    after = take_tokens(long.full_at, 10.0, rate, 1, 0.0)

    assert (long.is_taken, after.is_taken, after.wait_seconds) == (True, False, 5.0)


@given(RATES, ASKED)
def test_in_no_stretch_of_time_more_begin_than_the_rate_allows(
    per_second: float, asked: list[tuple[float, int, float]]
) -> None:
    rate, now, full_at = Rate(per_second=per_second), 1_000.0, 0.0
    begun: list[tuple[float, int]] = []

    for after, cost, patience in asked:
        now += after
        turn = take_tokens(full_at, now, rate, cost, patience)
        full_at = turn.full_at
        assert turn.is_taken == (turn.wait_seconds <= patience + 1e-6)
        if turn.is_taken:
            begun.append((now + turn.wait_seconds, cost))

    for first, (start, _) in enumerate(begun):
        spent = 0
        for end, cost in begun[first:]:
            # The last may cost more than there is: it pays afterwards.
            assert spent + min(cost, rate.burst) <= rate.burst + (end - start) * per_second + 1e-3
            spent += cost


@given(RATES, ASKED)
def test_who_comes_back_when_told_is_let_through_if_nobody_came_between(
    per_second: float, asked: list[tuple[float, int, float]]
) -> None:
    rate, now, full_at = Rate(per_second=per_second), 1_000.0, 0.0

    for after, cost, patience in asked:
        now += after
        turn = take_tokens(full_at, now, rate, cost, patience)
        if not turn.is_taken:
            assert take_tokens(turn.full_at, now + turn.wait_seconds + 1e-6, rate, cost, 0.0).is_taken
        full_at = turn.full_at
