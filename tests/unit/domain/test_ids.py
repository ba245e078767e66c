"""Ids sort by time, say what they name, and never meet."""

import multiprocessing
import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import ids
from tests.factories import NOW

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
instants = st.datetimes(datetime(1970, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC))


@given(instants)
def test_an_id_is_a_prefix_and_26_digits_of_base_32(at: datetime) -> None:
    assert re.fullmatch(f"dlv_[{ALPHABET}]{{26}}", ids.make_id(ids.DELIVERY, at))


@given(instants)
def test_the_first_ten_digits_are_the_milliseconds_since_1970(at: datetime) -> None:
    digits = ids.make_id(ids.MESSAGE, at).removeprefix("msg_")[:10]

    number = 0
    for digit in digits:
        number = number * 32 + ALPHABET.index(digit)

    assert number == int(at.timestamp() * 1000)


@given(instants, st.integers(1, 10**12))
def test_ids_made_a_millisecond_or_more_apart_sort_by_time(at: datetime, apart: int) -> None:
    later = min(at, datetime(2900, 1, 1, tzinfo=UTC)) + timedelta(milliseconds=apart)
    earlier = later - timedelta(milliseconds=apart)

    assert ids.make_id(ids.EVENT, earlier) < ids.make_id(ids.EVENT, later)


def test_ids_of_one_instant_differ_and_use_every_digit_at_every_place() -> None:
    tails = [ids.make_id(ids.EVENT, NOW)[-16:] for _ in range(2_000)]

    assert len(set(tails)) == len(tails)
    assert {frozenset(place) for place in zip(*tails, strict=True)} == {frozenset(ALPHABET)}


@given(st.integers(0, 2**128 - 1))
def test_the_same_entropy_makes_the_same_id(entropy: int) -> None:
    assert ids.make_id(ids.EVENT, NOW, entropy) == ids.make_id(ids.EVENT, NOW, entropy)


def test_no_id_of_its_instant_is_lower_than_the_one_without_entropy() -> None:
    assert ids.make_id(ids.EVENT, NOW, 0).endswith("0" * 16)


def test_a_forked_process_makes_none_of_its_parents_delivery_ids() -> None:
    ids.make_delivery_id(NOW)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        theirs = set(pool.map(ids.make_delivery_id, [NOW] * 200, chunksize=200))
    ours = {ids.make_delivery_id(NOW) for _ in range(200)}

    assert (len(ours), len(theirs), ours & theirs) == (200, 200, set())
