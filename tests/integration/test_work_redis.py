"""Rings through Redis: they save the time until a worker looks, and nothing depends on them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool

from gateway.domain.lifecycle import DeliveryStatus as S
from gateway.work.arq import CLAIM, QUEUE, RedisBell, RedisListener
from gateway.work.doorbell import Doorbell
from tests.fakes import ScriptedProvider
from tests.rigs import Rig, open_rig, routes_to
from tests.servers import ValkeyServer, start_valkey
from tests.waiting import eventually

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey that a test may end or empty."""
    with start_valkey() as server:
        yield server


@asynccontextmanager
async def client(url: str) -> AsyncIterator[ArqRedis]:
    pool = ConnectionPool.from_url(url)
    redis = ArqRedis(pool, job_serializer=lambda job: json.dumps(job).encode(), default_queue_name=QUEUE)
    try:
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


async def heard(bell: Doorbell, seconds: float = 5.0) -> bool:
    """Whether it rings within that time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await bell.wait(seconds)
    return loop.time() - began < seconds


async def connected(*links: RedisBell | RedisListener) -> None:
    async def all_are() -> bool:
        return all(link.is_connected for link in links)

    await eventually(all_are, bool)


async def test_a_ring_in_one_process_is_heard_in_another(redis_url: str) -> None:
    bell = Doorbell()
    async with RedisBell(redis_url) as far, RedisListener(redis_url, bell) as listener:
        await connected(far, listener)
        await bell.wait(0.5)

        far.ring()

        assert await heard(bell)


async def test_rings_that_nobody_hears_do_not_pile_up_in_redis(redis_url: str) -> None:
    async with RedisBell(redis_url) as far, client(redis_url) as redis:
        await connected(far)

        async def rung_until_full() -> int:
            far.ring()
            return int(await redis.zcard(QUEUE))

        await eventually(rung_until_full, lambda seen: seen == 8)
        for _ in range(20):
            await asyncio.sleep(0)
            assert await rung_until_full() == 8
        assert await redis.dbsize() == 9


async def test_a_worker_leaves_nothing_of_a_job_in_redis(redis_url: str) -> None:
    bell = Doorbell()
    async with RedisBell(redis_url) as far, RedisListener(redis_url, bell), client(redis_url) as redis:
        await connected(far)
        far.ring()

        async def left() -> list[bytes]:
            return [key for key in await redis.keys() if not key.endswith(b":health-check")]

        assert await heard(bell)
        await eventually(left, lambda keys: not keys)


async def test_a_job_of_a_kind_that_this_version_does_not_know_is_kept(redis_url: str) -> None:
    bell = Doorbell()
    async with client(redis_url) as redis:
        job = await redis.enqueue_job("claim_batch_of_tomorrow", 7, _job_id="tomorrow", _expires=60)
        async with RedisListener(redis_url, bell) as listener:
            await connected(listener)

            async def tries() -> int:
                return int(await redis.get("arq:retry:tomorrow") or 0)

            await eventually(tries, lambda seen: seen == 1)
            await eventually(lambda: redis.exists("arq:in-progress:tomorrow"), lambda seen: not seen)

        assert job is not None
        assert await redis.zscore(QUEUE, "tomorrow") is not None
        stored = json.loads(await redis.get("arq:job:tomorrow"))
        assert (stored["f"], stored["a"]) == ("claim_batch_of_tomorrow", [7])
        assert await redis.pttl("arq:job:tomorrow") > 60_000


async def test_what_is_no_job_at_all_stops_no_worker(redis_url: str) -> None:
    bell = Doorbell()
    async with client(redis_url) as redis, RedisListener(redis_url, bell) as listener:
        await connected(listener)
        await redis.set("arq:job:garbage", b"\x80\x04cos\nsystem\n")
        await redis.zadd(QUEUE, {"garbage": 1})
        await eventually(lambda: redis.zcard(QUEUE), lambda left: not left)
        await bell.wait(0.1)

        await redis.enqueue_job(CLAIM)

        assert await heard(bell)


# A pipeline of redis-py that a time-out ends forgets its connection, which our pool then closes.
@pytest.mark.filterwarnings("ignore:Unclosed client session:ResourceWarning")
@pytest.mark.parametrize("outage", ["stop", "kill", "freeze"])
async def test_both_ends_outlive_an_outage_of_redis(valkey: ValkeyServer, outage: str) -> None:
    bell = Doorbell()
    async with RedisBell(valkey.url()) as far, RedisListener(valkey.url(), bell) as listener:
        await connected(far, listener)

        async def is_cut() -> bool:
            far.ring()
            return not (far.is_connected or listener.is_connected)

        getattr(valkey, outage)()
        await eventually(is_cut, bool, 15)
        (valkey.thaw if outage == "freeze" else valkey.start)()
        await connected(far, listener)
        await bell.wait(0.5)
        far.ring()

        assert await heard(bell)


async def test_redis_that_is_not_there_at_the_start_is_found_later(valkey: ValkeyServer) -> None:
    valkey.stop()
    bell = Doorbell()
    async with RedisBell(valkey.url()) as far, RedisListener(valkey.url(), bell) as listener:
        far.ring()
        assert not await heard(bell, 0.3)

        valkey.start()

        await connected(far, listener)
        assert await heard(bell)


@asynccontextmanager
async def scaled(folder: Path, url: str, **sections: Any) -> AsyncIterator[tuple[Rig, list[Rig], ScriptedProvider]]:
    """One process that accepts and two that dispatch, as far as one event loop can be three processes."""
    provider = ScriptedProvider("scripted")
    common: dict[str, Any] = {"queue": {"url": url}, "routes": routes_to("scripted"), "further": [provider]}
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(open_rig(folder, work=False, **common, **sections))
        workers = [await stack.enter_async_context(open_rig(folder, **common, **sections)) for _ in range(2)]
        yield web, workers, provider


@pytest.mark.parametrize("redis", ["there", "away"])
async def test_messages_are_delivered_once_with_redis_and_without(tmp_path: Path, redis_url: str, redis: str) -> None:
    url = redis_url if redis == "there" else NOWHERE
    async with scaled(tmp_path, url) as (web, _, provider):
        accepted = [await web.send() for _ in range(30)]
        for one in accepted:
            await web.settled(one, S.SENT)

        assert len({envelope.delivery_id for envelope in provider.envelopes}) == len(provider.envelopes) == 30


async def test_emptying_redis_loses_nothing(tmp_path: Path, valkey: ValkeyServer) -> None:
    async with scaled(tmp_path, valkey.url()) as (web, _, provider):
        accepted = []
        for _ in range(30):
            accepted.append(await web.send())
            valkey.empty()
        for one in accepted:
            await web.settled(one, S.SENT)

        assert len(provider.envelopes) == 30


async def test_readiness_names_the_queue_and_an_absent_redis_does_not_end_it(tmp_path: Path, redis_url: str) -> None:
    async with scaled(tmp_path, redis_url) as (web, workers, _):
        gateways = [web.gateway, *(rig.working for rig in workers)]

        async def is_connected() -> list[bool | None]:
            return [(await gateway.readiness.check()).is_connected for gateway in gateways]

        await eventually(is_connected, all)
        checks = [await gateway.readiness.check() for gateway in gateways]

        assert [check.is_working for check in checks] == [None, True, True]

    async with scaled(tmp_path, NOWHERE) as (web, workers, _):
        gateways = [web.gateway, *(rig.working for rig in workers)]
        checks = [await gateway.readiness.check() for gateway in gateways]

        assert [check.is_connected for check in checks] == [False, False, False]
        assert all(check.is_ready for check in checks)
