"""A PostgreSQL that is stopped, killed, frozen, read-only or busy is told to callers in time, and taken up again."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from gateway.errors import Unavailable
from gateway.ports import MessageQuery, Stored
from gateway.storage.store import Store, open_store
from tests.contract.store_builders import WORKER, new_message
from tests.factories import NOW
from tests.fakes import SetClock
from tests.servers import PostgresServer, start_postgres
from tests.waiting import eventually

numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with start_postgres(durable=True) as server:
        yield server


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[Store]:
    url = server.create_database()
    async with open_store(url, SetClock()) as store:
        await store.leases.join(WORKER)
        yield store
    server.drop_database(url)


async def accept(store: Store) -> object:
    try:
        return await store.accepting.accept(new_message(next(numbers)))
    except Unavailable as error:
        return error


async def refused_seconds(store: Store) -> float:
    """How long thirty callers, who come in three waves, wait for their refusals."""
    begun = time.monotonic()
    waves: list[asyncio.Task[object]] = []
    for _ in range(3):
        waves += [asyncio.create_task(accept(store)) for _ in range(10)]
        await asyncio.sleep(0.05)
    answers = await asyncio.gather(*waves)
    assert all(isinstance(answer, Unavailable) for answer in answers), answers
    return time.monotonic() - begun


async def resumes(store: Store) -> None:
    await eventually(lambda: accept(store), lambda answer: answer == Stored(), 15.0)


@pytest.mark.parametrize("how", ["stop", "stop_hard"])
async def test_a_server_that_is_down_is_unavailable_and_taken_up_again(
    store: Store, server: PostgresServer, how: str
) -> None:
    before = await accept(store)
    await asyncio.to_thread(getattr(server, how))

    waited = await refused_seconds(store)
    with pytest.raises(Unavailable):
        await store.condition.probe()
    with pytest.raises(Unavailable):
        await store.log.search(MessageQuery())
    with pytest.raises(Unavailable):
        await store.dispatch.claim(WORKER, 1, NOW)
    # Not in a thread: the server would die with it.
    server.start()

    assert before == Stored()
    assert waited < 10
    await resumes(store)
    assert (await store.condition.probe()).is_current
    assert (await store.log.search(MessageQuery())).items


async def test_a_server_that_stands_still_is_unavailable_within_ten_seconds(
    store: Store, server: PostgresServer
) -> None:
    await accept(store)
    server.freeze()

    try:
        waited = await refused_seconds(store)
    finally:
        server.thaw()

    assert waited < 10
    await resumes(store)


async def test_a_message_that_somebody_keeps_locked_holds_nobody_up_for_long(store: Store) -> None:
    await accept(store)
    other = await asyncpg.connect(_dsn(store))
    await other.execute("BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")

    waited = await refused_seconds(store)
    await other.close()

    assert waited < 10
    await resumes(store)


async def test_a_server_that_only_reads_is_unavailable(store: Store, server: PostgresServer) -> None:
    dsn = _dsn(store)
    name = dsn.partition("?")[0].rpartition("/")[2]
    server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    hang_up = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    server.execute(hang_up)

    await eventually(lambda: accept(store), lambda answer: "read-only" in str(answer))
    refused = await accept(store)
    server.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    server.execute(hang_up)

    assert isinstance(refused, Unavailable)
    await resumes(store)


def _dsn(store: Store) -> str:
    return str(store.database.writer._pool._dsn)  # type: ignore[attr-defined]
