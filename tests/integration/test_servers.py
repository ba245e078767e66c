"""The servers that tests run against: private, fresh, and gone afterwards."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from tests.servers import PostgresDatabases, start_postgres, start_valkey


async def connect(url: str) -> asyncpg.Connection:
    parts = sa.make_url(url)
    return await asyncpg.connect(host=parts.query["host"], user=parts.username, database=parts.database)


async def test_a_database_from_a_template_has_its_tables_and_is_a_copy(postgres: PostgresDatabases) -> None:
    template = postgres.prepare(lambda url: postgres.execute("CREATE TABLE t (id int)", sa.make_url(url).database))
    first, second = postgres.create_database(template), postgres.create_database(template)

    postgres.execute("INSERT INTO t VALUES (1)", sa.make_url(first).database)

    connection = await connect(second)
    assert await connection.fetchval("SELECT count(*) FROM t") == 0
    await connection.close()
    for made in (first, second, template):
        postgres.drop_database(made)


async def test_a_durable_postgres_has_every_commit_after_a_hard_stop() -> None:
    with start_postgres(durable=True) as server:
        folder = server.data.parent
        url = server.create_database()
        connection = await connect(url)
        await connection.execute("CREATE TABLE t (id int)")

        server.stop_hard()
        server.start()

        again = await connect(url)
        assert await again.fetchval("SELECT count(*) FROM t") == 0
        await again.close()
    assert not folder.exists()


async def test_a_frozen_postgres_answers_nobody_until_it_is_thawed() -> None:
    with start_postgres() as server:
        connection = await connect(server.url("postgres"))
        server.freeze()
        asked = asyncio.ensure_future(connection.fetchval("SELECT 1"))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asked), 0.2)
        server.thaw()

        assert await asked == 1
        await connection.close()


async def test_a_valkey_is_emptied_and_comes_back_on_its_port() -> None:
    with start_valkey() as server:
        async with Redis.from_url(server.url(3)) as client:
            await client.set("a", "b")
            server.empty()
            assert await client.get("a") is None

            await client.set("a", "b")
            server.kill()
            server.start()

        async with Redis.from_url(server.url(3)) as client:
            assert await client.get("a") is None


async def test_every_test_has_a_redis_database_of_its_own(redis_url: str, redis_urls: Callable[[], str]) -> None:
    async with Redis.from_url(redis_url) as mine, Redis.from_url(redis_urls()) as anothers:
        await mine.set("a", "b")

        assert await anothers.dbsize() == 0
