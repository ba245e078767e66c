"""A lane's places go to the services that wait in it in turn, and finding them never looks at a whole backlog."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.ids import ServiceId
from gateway.storage.queue.shares import first_portion, in_turn, next_portions

services = st.integers(0, 12).map(lambda number: ServiceId(f"svc_{number:02}"))
counts = st.dictionaries(services, st.integers(0, 300), max_size=13)


def backlog(sizes: dict[ServiceId, int]) -> dict[ServiceId, list[tuple[ServiceId, int]]]:
    return {service: [(service, number) for number in range(size)] for service, size in sizes.items()}


@given(sizes=counts, limit=st.integers(0, 100), turn=st.integers(0, 1000))
def test_nobody_gets_two_places_more_than_another_who_still_waits(
    sizes: dict[ServiceId, int], limit: int, turn: int
) -> None:
    picked = in_turn(backlog(sizes), limit, turn)

    got = Counter(service for service, _ in picked)
    assert len(picked) == min(limit, sum(sizes.values()))
    for service, size in sizes.items():
        assert [number for of, number in picked if of == service] == list(range(got[service]))
        if got[service] < size:
            assert max(got.values(), default=0) <= got[service] + 1


@given(sizes=st.dictionaries(services, st.integers(1, 50), min_size=1, max_size=13))
def test_one_place_at_a_time_reaches_every_service_in_as_many_turns(sizes: dict[ServiceId, int]) -> None:
    picked = [in_turn(backlog(sizes), 1, turn)[0][0] for turn in range(len(sizes))]

    assert sorted(picked) == sorted(sizes)


def test_a_backlog_of_a_million_delays_ten_of_another_service_by_ten_places() -> None:
    due = {ServiceId("a"): range(1_000_000), ServiceId("b"): range(-10, 0)}

    picked = in_turn(due, 20, 0)

    assert [item for item in picked if item < 0] == list(range(-10, 0))


@given(sizes=counts.filter(bool), limit=st.integers(1, 100))
def test_looking_in_portions_finds_what_looking_at_all_would_in_few_rounds(
    sizes: dict[ServiceId, int], limit: int
) -> None:
    portions = dict.fromkeys(sizes, first_portion(len(sizes), limit))
    found: dict[ServiceId, int] = {}
    rounds = looked = 0
    while portions:
        found |= {service: min(portion, sizes[service]) for service, portion in portions.items()}
        looked += sum(min(portion, sizes[service]) for service, portion in portions.items())
        portions = next_portions(found, {service: portions.get(service, -1) for service in found}, limit)
        rounds += 1

    whole, part = backlog(sizes), backlog(found)
    assert Counter(of for of, _ in in_turn(part, limit, 0)) == Counter(of for of, _ in in_turn(whole, limit, 0))
    assert rounds <= 8
    assert looked <= 6 * (limit + len(sizes))
