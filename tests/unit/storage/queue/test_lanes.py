"""The urgent go first, and yet nobody waits for ever."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.messages import Lane
from gateway.storage.queue.lanes import FAIR_SHARE, share


def _backlog(lane: Lane, size: int) -> list[tuple[Lane, int]]:
    return [(lane, number) for number in range(size)]


backlogs = st.fixed_dictionaries({lane: st.integers(0, 90).map(partial(_backlog, lane)) for lane in Lane})


@given(due=backlogs, limit=st.integers(0, 80), turn=st.integers(0, 1000))
def test_every_place_is_used_once_and_in_order_within_a_lane(
    due: dict[Lane, list[tuple[Lane, int]]], limit: int, turn: int
) -> None:
    picked = share(due, limit, turn)

    assert len(picked) == min(limit, sum(map(len, due.values())))
    assert len(set(picked)) == len(picked)
    for lane in Lane:
        numbers = sorted(number for taken, number in picked if taken is lane)
        assert numbers == list(range(len(numbers)))


@given(due=backlogs, limit=st.integers(1, 80), turn=st.integers(0, 1000))
def test_no_more_than_the_fair_share_passes_the_urgent(
    due: dict[Lane, list[tuple[Lane, int]]], limit: int, turn: int
) -> None:
    picked = [lane for lane, _ in share(due, limit, turn)]

    urgent = min(lane for lane in Lane if due[lane]) if any(due.values()) else Lane.CRITICAL
    passed = sum(lane is not urgent for lane in picked)
    left = len(due[urgent]) - (len(picked) - passed)
    assert left == 0 or passed <= limit // FAIR_SHARE + 1


def test_under_a_flood_of_codes_each_lower_lane_still_gets_its_turn() -> None:
    due = {lane: [lane] * 100 for lane in Lane}

    picked = [lane for turn in range(FAIR_SHARE * 3) for lane in share(due, 1, turn)]

    assert {lane: picked.count(lane) for lane in Lane} == {
        Lane.CRITICAL: 45,
        Lane.HIGH: 1,
        Lane.NORMAL: 1,
        Lane.LOW: 1,
    }
