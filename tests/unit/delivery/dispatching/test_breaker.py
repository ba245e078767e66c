"""The breaker: opens by the ratio of bad calls, tries again by single probes, and trusts again slowly."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.dispatching.breaker import RULES, Breaker, BreakerRules, Sign

GOOD, BAD, FATAL = Sign.GOOD, Sign.BAD, Sign.FATAL
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "probe"]), st.sampled_from(Sign), st.floats(0.0, 40.0), st.integers(0, 9)
    ),
    max_size=80,
)


@dataclass
class Played:
    """A breaker with the calls that are under way at it, at an instant that only grows."""

    breaker: Breaker = field(default_factory=Breaker)
    now: float = 1_000.0
    under_way: list[int] = field(default_factory=list)

    def call(self, sign: Sign, seconds: float = 0.1) -> None:
        """One call from its beginning to its end."""
        ticket = self.breaker.begin(self.now)
        self.now += seconds
        self.breaker.end(ticket, sign, self.now)

    def step(self, what: str, sign: Sign, seconds: float, which: int) -> None:
        """Whatever may happen next."""
        self.now += seconds
        if what == "begin":
            self.under_way.append(self.breaker.begin(self.now))
        elif what == "end" and self.under_way:
            self.breaker.end(self.under_way.pop(which % len(self.under_way)), sign, self.now)
        elif what == "probe" and self.breaker.admits_probe(self.now):
            self.under_way.append(self.breaker.begin(self.now))

    @property
    def is_closed(self) -> bool:
        return self.breaker.is_closed(self.now)


def opened(*, by: Sign = BAD) -> Played:
    played = Played()
    while played.is_closed:
        played.call(by)
    return played


@pytest.mark.parametrize(
    ("signs", "is_closed"),
    [
        pytest.param([BAD] * 4, True, id="four bad ones"),
        pytest.param([BAD] * 5, False, id="an outage"),
        pytest.param([GOOD, GOOD, GOOD, BAD] * 5, False, id="a quarter of the last twenty"),
        pytest.param([BAD] + [GOOD] * 16 + [BAD] * 4, True, id="four of the last twenty"),
        pytest.param(([BAD] + [GOOD] * 9) * 20, True, id="a tenth, for long: greylisting"),
        pytest.param([FATAL], False, id="one that refuses us"),
    ],
)
def test_it_opens_by_the_part_of_its_last_calls_that_were_bad(signs: list[Sign], is_closed: bool) -> None:
    played = Played()

    for sign in signs:
        played.call(sign)

    assert played.is_closed is is_closed


def test_calls_that_take_too_long_are_bad_before_they_end() -> None:
    played = Played()
    for _ in range(16):
        played.breaker.begin(played.now)

    played.now += RULES.slow_seconds
    in_time = played.is_closed
    played.now += 0.1

    assert in_time
    assert not played.is_closed
    assert played.breaker.is_only_slow(played.now)


@pytest.mark.parametrize("seed", range(20))
def test_in_a_brown_out_it_opens_within_twenty_calls(seed: int) -> None:
    chance, played = random.Random(seed), Played()
    calls, ends = 0, list[tuple[float, int]]()

    # Sixteen at once, each of which takes 30 s; three of ten fail.
    while played.is_closed and calls < 1_000:
        while len(ends) < 16 and played.is_closed:
            ends.append((played.now + 30.0, played.breaker.begin(played.now)))
            calls += 1
        played.now += 0.5
        while ends and ends[0][0] <= played.now:
            _, ticket = ends.pop(0)
            played.breaker.end(ticket, BAD if chance.random() < 0.3 else GOOD, played.now)

    assert calls <= 20


def test_what_was_bad_long_ago_says_nothing_of_today() -> None:
    played = Played()
    for _ in range(4):
        played.call(BAD)

    played.now += RULES.forget_seconds + 1
    played.call(BAD)

    assert played.is_closed
    assert played.breaker.share(played.now) > 0.02


def test_while_it_rests_nobody_is_let_through_and_then_one_now_and_then() -> None:
    played = opened()
    resting = [played.breaker.admits_probe(played.now + seconds) for seconds in (0.0, 5.0, RULES.rest_seconds - 0.1)]

    played.now += RULES.rest_seconds
    rested = [played.breaker.admits_probe(played.now) for _ in range(3)]
    played.now += RULES.probe_every_seconds

    assert resting == [False, False, False]
    assert rested == [True, False, False]
    assert played.breaker.admits_probe(played.now)


@pytest.mark.parametrize(
    ("sign", "seconds", "is_closed"),
    [
        pytest.param(GOOD, 0.1, True, id="a good one"),
        pytest.param(GOOD, 6.0, False, id="a slow one"),
        pytest.param(BAD, 0.1, False, id="a bad one"),
        pytest.param(FATAL, 0.1, False, id="one that refuses us"),
    ],
)
def test_a_probe_that_fares_well_closes_it_and_any_other_sends_it_back_to_rest(
    sign: Sign, seconds: float, is_closed: bool
) -> None:
    played = opened()
    played.now += RULES.rest_seconds
    assert played.breaker.admits_probe(played.now)

    played.call(sign, seconds)

    assert played.is_closed is is_closed
    assert played.breaker.rest_seconds(played.now) == pytest.approx(0.0 if is_closed else RULES.rest_seconds)


def test_the_end_of_a_call_from_before_does_not_close_it() -> None:
    played = Played()
    earlier = played.breaker.begin(played.now)
    for _ in range(5):
        played.call(BAD)

    played.breaker.end(earlier, GOOD, played.now)

    assert not played.is_closed


def test_what_hangs_from_before_does_not_open_it_again() -> None:
    played = Played()
    tickets = [played.breaker.begin(played.now) for _ in range(16)]
    played.now += RULES.slow_seconds + 0.1
    assert not played.is_closed
    played.now += RULES.rest_seconds

    played.call(GOOD)
    for ticket in tickets:
        played.breaker.end(ticket, BAD, played.now)

    assert played.is_closed


def test_it_is_left_alone_for_as_long_as_it_asks_within_limits() -> None:
    rests = []
    for wish in (None, 60.0, 86_400.0):
        played = Played()
        for _ in range(5):
            played.breaker.end(played.breaker.begin(played.now), BAD, played.now, wish)
        rests.append(played.breaker.rest_seconds(played.now))

    assert rests == [RULES.rest_seconds, 60.0, RULES.longest_rest_seconds]


def test_one_that_refuses_or_asks_to_be_left_alone_is_not_merely_slow() -> None:
    refusing, fatal = opened(), opened(by=FATAL)

    assert not refusing.breaker.is_only_slow(refusing.now)
    assert not fatal.breaker.is_only_slow(fatal.now)


def test_each_bad_call_costs_a_part_of_its_share_and_time_gives_it_back() -> None:
    played = Played()
    shares = [played.breaker.share(played.now)]
    for _ in range(4):
        played.call(BAD, 0.0)
        shares.append(played.breaker.share(played.now))

    played.now += RULES.regain_seconds / 10
    soon = played.breaker.share(played.now)
    for _ in range(20):
        played.call(GOOD, 0.0)
    played.now += RULES.regain_seconds
    later = played.breaker.share(played.now)

    assert shares == pytest.approx([1.0, 0.96, 0.84, 0.64, 0.36])
    assert soon == pytest.approx(0.36)
    assert later == 1.0
    assert played.breaker.is_at_its_best(played.now)


def test_after_an_outage_it_begins_small_and_grows() -> None:
    played = opened()
    played.now += RULES.rest_seconds
    assert played.breaker.admits_probe(played.now)
    played.call(GOOD, 0.0)

    shares = [played.breaker.share(played.now + RULES.regain_seconds * part) for part in (0.0, 0.25, 0.5, 1.0)]

    assert shares == pytest.approx([0.05, 0.3, 0.55, 1.0])


@given(STEPS)
def test_whatever_happens_its_share_is_within_bounds_and_nothing_goes_to_one_that_rests(
    steps: list[tuple[str, Sign, float, int]],
) -> None:
    played = Played()

    for step in steps:
        was_closed, rest = played.is_closed, played.breaker.rest_seconds(played.now)
        played.step(*step)
        breaker, now = played.breaker, played.now

        assert breaker.share(now) == 0.0 if not played.is_closed else RULES.least_share <= breaker.share(now) <= 1.0
        assert 0.0 <= breaker.rest_seconds(now) <= RULES.longest_rest_seconds
        if step[0] == "probe" and not was_closed:
            assert (rest > step[2]) <= (not breaker.admits_probe(now))
        assert not (breaker.is_at_its_best(now) and not played.is_closed)


@given(STEPS)
def test_whatever_happened_good_probes_bring_it_back_to_its_best(steps: list[tuple[str, Sign, float, int]]) -> None:
    played = Played()
    for step in steps:
        played.step(*step)
    for ticket in played.under_way:
        played.breaker.end(ticket, GOOD, played.now)

    played.now += RULES.longest_rest_seconds
    if played.breaker.admits_probe(played.now):
        played.call(GOOD)
    for _ in range(RULES.calls):
        played.call(GOOD)
    played.now += RULES.regain_seconds

    assert played.breaker.is_at_its_best(played.now)


@given(st.lists(st.sampled_from([GOOD, BAD]), max_size=60), st.integers(1, 12), st.integers(1, 30))
def test_it_is_closed_exactly_while_no_window_was_bad_enough(signs: list[Sign], most_bad: int, calls: int) -> None:
    played = Played(Breaker(BreakerRules(most_bad=most_bad, calls=calls)))
    bad_enough = [signs[max(end - calls, 0) : end].count(BAD) >= most_bad for end in range(1, len(signs) + 1)]

    closed = []
    for sign in signs[: bad_enough.index(True) + 1 if True in bad_enough else len(signs)]:
        played.call(sign, 0.0)
        closed.append(played.is_closed)

    assert closed == [not bad for bad in bad_enough[: len(closed)]]
