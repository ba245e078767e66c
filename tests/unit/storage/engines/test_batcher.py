"""Each caller of a batch gets its own answer, whatever becomes of its neighbours."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Overloaded
from gateway.storage.engines.batcher import Batcher


class Poison(Exception):
    """A bad item."""


class Broken(Exception):
    """The store is away."""


class Doubler:
    """Doubles numbers; refuses batches with a poisoned one, and fails while `broken`."""

    def __init__(self, poisoned: frozenset[int] = frozenset()) -> None:
        self.poisoned = poisoned
        self.batches: list[list[int]] = []
        self.broken = False
        self.open = asyncio.Event()
        self.open.set()

    async def flush(self, items: Sequence[int]) -> Sequence[int]:
        await self.open.wait()
        if self.broken:
            raise Broken
        if self.poisoned.intersection(items):
            raise Poison
        self.batches.append(list(items))
        return [2 * item for item in items]


@given(
    items=st.lists(st.integers(0, 50), max_size=60),
    poisoned=st.frozensets(st.integers(0, 50), max_size=4),
    max_batch=st.integers(1, 20),
    cancelled=st.frozensets(st.integers(0, 59), max_size=10),
)
def test_each_caller_gets_its_own_answer(
    items: list[int], poisoned: frozenset[int], max_batch: int, cancelled: frozenset[int]
) -> None:
    async def run() -> tuple[list[object], Doubler]:
        doubler = Doubler(poisoned)
        async with Batcher(doubler.flush, poison=(Poison,), max_batch=max_batch) as batcher:
            calls = [asyncio.ensure_future(batcher.submit(item)) for item in items]
            await asyncio.sleep(0)
            for place in cancelled:
                if place < len(calls):
                    calls[place].cancel()
            return list(await asyncio.gather(*calls, return_exceptions=True)), doubler

    answers, doubler = asyncio.run(run())

    for place, (item, answer) in enumerate(zip(items, answers, strict=True)):
        if place in cancelled:
            assert isinstance(answer, asyncio.CancelledError)
        elif item in poisoned:
            assert isinstance(answer, Poison)
        else:
            assert answer == 2 * item
    flushed = sorted(item for batch in doubler.batches for item in batch)
    kept = [item for place, item in enumerate(items) if place not in cancelled and item not in poisoned]
    assert flushed == sorted(kept)
    assert all(len(batch) <= max_batch for batch in doubler.batches)


async def test_what_waits_during_a_flush_goes_together_into_the_next() -> None:
    doubler = Doubler()
    doubler.open.clear()
    async with Batcher(doubler.flush) as batcher:
        first = asyncio.ensure_future(batcher.submit(1))
        await asyncio.sleep(0.01)
        others = [asyncio.ensure_future(batcher.submit(number)) for number in range(2, 9)]
        await asyncio.sleep(0.01)
        doubler.open.set()
        await asyncio.gather(first, *others)

    assert doubler.batches == [[1], [2, 3, 4, 5, 6, 7, 8]]


async def test_an_outage_is_every_caller_s_and_passes() -> None:
    doubler = Doubler()
    async with Batcher(doubler.flush, poison=(Poison,)) as batcher:
        doubler.broken = True
        failed = await asyncio.gather(*(batcher.submit(number) for number in range(5)), return_exceptions=True)
        doubler.broken = False

        assert all(isinstance(error, Broken) for error in failed)
        assert await batcher.submit(4) == 8


async def test_too_many_waiting_are_refused_and_a_cancelled_caller_harms_nobody() -> None:
    doubler = Doubler()
    doubler.open.clear()
    async with Batcher(doubler.flush, max_waiting=2) as batcher:
        under_way = asyncio.ensure_future(batcher.submit(1))
        await asyncio.sleep(0.01)
        waiting = [asyncio.ensure_future(batcher.submit(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.submit(4)
        under_way.cancel()
        waiting[0].cancel()
        doubler.open.set()

        assert await waiting[1] == 6

    assert doubler.batches == [[1], [3]]


async def test_closing_finishes_what_waits_and_takes_nothing_more() -> None:
    doubler = Doubler()
    batcher = Batcher(doubler.flush)
    async with batcher:
        calls = [asyncio.ensure_future(batcher.submit(number)) for number in range(3)]
        await asyncio.sleep(0)

    assert await asyncio.gather(*calls) == [0, 2, 4]
    with pytest.raises(Overloaded):
        await batcher.submit(1)
