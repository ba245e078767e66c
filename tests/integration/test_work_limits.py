"""Limits through Redis: one bucket for all workers, by its clock; and each by itself while it is away."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from gateway.bootstrap import SystemClock
from gateway.delivery.dispatching.limits import OwnLimits
from gateway.domain.rates import Rate
from gateway.ports import Limit
from gateway.work.limits import RedisLimits
from tests.fakes import SetClock
from tests.servers import ValkeyServer, start_valkey
from tests.waiting import eventually

NOWHERE = "redis://127.0.0.1:1/0"
SLOW = Rate(per_second=0.1)
TWO = Limit(concurrency=2)


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey that a test may end."""
    with start_valkey() as server:
        yield server


async def workers(stack: AsyncExitStack, url: str, number: int) -> list[RedisLimits]:
    """So many workers, each of which knows of all."""
    made = []
    for _ in range(number):
        clock = SystemClock()
        one = await stack.enter_async_context(RedisLimits(url, OwnLimits(clock), clock))
        one.share(number)
        made.append(one)
    return made


async def test_workers_take_from_one_bucket(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        crew = await workers(stack, redis_url, 3)
        bucket, rate = uuid4().hex, Rate(per_second=10.0)

        turns = await asyncio.gather(*[one.take(bucket, rate, 1, 0.0) for _ in range(10) for one in crew])
        late = await crew[0].take(bucket, rate, 1, 60.0)

        assert 10 <= sum(turn.is_taken for turn in turns) <= 13
        assert late.is_taken
        assert late.wait_seconds <= 0.2


async def test_through_redis_a_bucket_gives_what_it_gives_by_itself(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        (shared,) = await workers(stack, redis_url, 1)
        alone, bucket = OwnLimits(SetClock()), uuid4().hex
        asked = [(1, 0.0), (3, 5.0), (1, 40.0), (1, 5.0), (9, 100.0), (1, 100.0), (1, 200.0)]

        for cost, patience in asked:
            here = await alone.take(bucket, SLOW, cost, patience)
            there = await shared.take(bucket, SLOW, cost, patience)

            assert there.is_taken is here.is_taken
            assert there.wait_seconds == pytest.approx(here.wait_seconds, abs=2.0)


async def test_workers_share_the_calls_that_may_be_under_way(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        one, other = await workers(stack, redis_url, 2)
        provider = uuid4().hex

        taken = [await one.enter(provider, TWO), await other.enter(provider, TWO)]
        full = [await one.enter(provider, TWO), await other.enter(provider, TWO)]
        assert taken[0] is not None
        await one.leave(provider, taken[0])

        assert full == [None, None]
        assert await other.enter(provider, TWO) is not None


async def test_a_call_of_a_worker_that_died_counts_no_more_when_its_lease_is_over(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        (one,) = await workers(stack, redis_url, 1)
        provider, limit = uuid4().hex, Limit(concurrency=1, lease_seconds=0.2)
        assert await one.enter(provider, limit) is not None

        assert await one.enter(provider, limit) is None
        assert await eventually(lambda: one.enter(provider, limit), lambda taken: taken is not None) is not None


async def test_without_redis_each_worker_keeps_to_its_even_part() -> None:
    async with AsyncExitStack() as stack:
        one, _ = await workers(stack, NOWHERE, 2)

        turns = [await one.take("bucket", Rate(per_second=8.0), 1, 0.0) for _ in range(8)]
        taken = [await one.enter("provider", TWO) for _ in range(2)]

        assert 4 <= sum(turn.is_taken for turn in turns) <= 5
        assert [made is not None for made in taken] == [True, False]


async def test_when_redis_goes_and_comes_back_calls_go_on_and_are_counted_together_again(valkey: ValkeyServer) -> None:
    async with AsyncExitStack() as stack:
        one, other = await workers(stack, valkey.url(), 2)
        before = await one.enter("provider", TWO)
        valkey.kill()

        apart = [await one.enter("provider", TWO), await other.enter("provider", TWO)]
        assert before is not None
        for made in (before, *apart):
            assert made is not None
            await one.leave("provider", made)
            await other.leave("provider", made)
        valkey.start()

        async def together() -> bool:
            """Whether what one takes is missing for the other."""
            first = [await one.enter("provider", TWO) for _ in range(2)]
            second = await other.enter("provider", TWO)
            for made in (*first, second):
                if made is not None:
                    await one.leave("provider", made)
                    await other.leave("provider", made)
            return None not in first and second is None

        assert await eventually(together, bool)
