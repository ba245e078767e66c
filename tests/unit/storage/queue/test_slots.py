"""A person's slots, held against a plain list of them, and what of them is written and read again."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.ids import DeliveryId
from gateway.domain.slots import SlotNeed
from gateway.storage.documents import dump
from gateway.storage.queue.slots import Counter, Counters, Slots, dump_counters, load_counters, with_slots

DELIVERIES = [DeliveryId(f"dlv_{number}") for number in range(5)]


@dataclass(frozen=True)
class Plain:
    """One slot."""

    at: int
    delivery: str
    stays: bool


def plain(slots: Slots) -> list[Plain]:
    """Slot by slot."""
    return [Plain(at, one, one in slots.stay) for at, one in zip(slots.at, slots.deliveries, strict=True)]


def with_one(slots: list[Plain], own: str, at: int, limit: int) -> list[Plain]:
    """By sorting: a delivery has one slot, at its newest call, which stays if it had one before."""
    others = [slot for slot in slots if slot.delivery != own]
    newest_first = sorted([Plain(at, own, len(others) < len(slots)), *others], key=lambda slot: -slot.at)
    return newest_first[:limit]


calls = st.tuples(st.sampled_from(DELIVERIES), st.integers(0, 50), st.integers(1, 4))


@given(st.lists(calls, max_size=12), st.sets(st.sampled_from(DELIVERIES)))
def test_slots_are_taken_and_given_back_as_in_a_plain_list(
    taken: list[tuple[DeliveryId, int, int]], back: set[str]
) -> None:
    slots, model = Slots(), list[Plain]()
    for own, at, limit in taken:
        # Other workers' clocks may be ahead.
        slots, model = slots.plus(own, at, limit), with_one(model, own, at, limit)
        assert plain(slots) == model
        assert set(slots.stay) <= set(slots.deliveries)
        for one in DELIVERIES:
            assert slots.of_others(one) == tuple(slot.at for slot in model if slot.delivery != one)

    assert plain(slots.without(back)) == [slot for slot in model if slot.delivery not in back]


kept_slots = st.lists(st.sampled_from(DELIVERIES), unique=True).map(
    lambda ones: Slots(tuple(range(len(ones), 0, -1)), tuple(ones), tuple(ones[1:2]))
)
persons = st.dictionaries(st.text(), st.builds(Counter, st.integers(0, 2**60), kept_slots))


@given(persons)
def test_what_was_kept_is_read_as_it_was(counters: dict[str, Counter]) -> None:
    assert load_counters(dump_counters(counters)) == counters


def test_slots_that_several_caps_count_are_written_once() -> None:
    slots = Slots((2, 1), ("dlv_b", "dlv_a"))
    counters = {"hourly": Counter(7, slots), "daily": Counter(9, slots), "texts": Counter(8, Slots((1,), ("dlv_a",)))}

    text = dump_counters(counters)

    assert text.count("dlv_b") == 1
    assert text.count("dlv_a") == 2


def test_a_row_that_was_kept_cap_by_cap_is_read() -> None:
    text = dump({"hourly": [7, [[2, "dlv_b", True], [1, "dlv_a", False]]], "daily": [9, []]})

    assert load_counters(text) == {
        "hourly": Counter(7, Slots((2, 1), ("dlv_b", "dlv_a"), ("dlv_b",))),
        "daily": Counter(9, Slots()),
    }


counters_of = st.lists(st.sampled_from("abc"), min_size=1, unique=True)
limits = st.fixed_dictionaries({counter: st.integers(1, 5) for counter in "abc"})


@given(limits, st.lists(st.tuples(counters_of, st.sampled_from(DELIVERIES), st.integers(0, 50)), max_size=12))
def test_counters_that_share_their_slots_are_as_exact_as_each_by_itself(
    limit: dict[str, int], calls: list[tuple[list[str], DeliveryId, int]]
) -> None:
    kept: Counters = {}
    alone = {counter: Slots() for counter in "abc"}
    for counters, own, at in calls:
        needs = [SlotNeed(counter=one, limit=limit[one], counted_from=0, most=9, kept_for=100) for one in counters]

        kept = load_counters(dump_counters(with_slots(kept, needs, own, at)))

        for one in counters:
            alone[one] = alone[one].plus(own, at, limit[one])
        assert {one: counter.slots for one, counter in kept.items()} == {
            one: slots for one, slots in alone.items() if slots.at
        }
