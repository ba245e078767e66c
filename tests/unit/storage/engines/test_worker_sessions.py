"""Locks that tell of a worker's end on PostgreSQL, and what tells where there is none."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway.domain.ids import WorkerId
from gateway.errors import Unavailable
from gateway.storage.engines.postgresql import Connection, PostgresConnections
from gateway.storage.engines.worker_sessions import WorkerSessions
from tests.waiting import eventually

WORKER = WorkerId("wrk_1")


class Doorway:
    """The way to the server: it knows whom it let in, and can be shut."""

    def __init__(self, server: PostgresConnections) -> None:
        self._server = server
        self.is_open = True
        self.sessions: list[Connection] = []

    async def connect(self) -> Connection:
        if not self.is_open:
            raise asyncpg.TooManyConnectionsError("sorry, too many clients already")
        self.sessions.append(await self._server.session())
        return self.sessions[-1]


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[PostgresConnections]:
    """A store on which one worker has joined."""
    server = PostgresConnections(postgres_url)
    await server.writer.run(lambda driver: driver.execute("INSERT INTO workers VALUES (?, 0, 0)", (WORKER,)))
    yield server
    await server.aclose()


def sessions_of(server: PostgresConnections, doorway: Doorway) -> WorkerSessions:
    return WorkerSessions(doorway.connect, server.lookups, server.writer)


async def key_of(server: PostgresConnections) -> Any:
    ((key,),) = await server.lookups.run(lambda driver: driver.fetch("SELECT lock_key FROM workers"))
    return key


async def end(server: PostgresConnections, session: Connection) -> None:
    """End a session on the server's side, as a failover or an operator does."""
    pid = session.get_server_pid()
    await server.writer.run(lambda driver: driver.fetch("SELECT pg_terminate_backend(?)", (pid,)))


async def test_a_process_that_ended_is_missing_at_once(server: PostgresConnections) -> None:
    own, others = (sessions_of(server, Doorway(server)) for _ in range(2))
    await own.show(WORKER)

    before = await others.missing()
    await own.aclose()

    assert before == frozenset()
    # The server ends a session's process in its own time, some milliseconds after its connection.
    await eventually(others.missing, lambda seen: seen == {WORKER})
    await others.aclose()


async def test_a_worker_whose_session_broke_is_not_missed_and_shows_another_lock(server: PostgresConnections) -> None:
    doorway = Doorway(server)
    own, others = sessions_of(server, doorway), sessions_of(server, Doorway(server))
    await own.show(WORKER)
    first = await key_of(server)

    await end(server, doorway.sessions[0])
    missing = await others.missing()

    assert missing == frozenset()
    assert await eventually(lambda: key_of(server), lambda key: key not in (None, first))
    await own.aclose()


async def test_without_a_lock_a_worker_is_judged_by_its_beats_until_it_has_one_again(
    server: PostgresConnections,
) -> None:
    doorway = Doorway(server)
    own, others = sessions_of(server, doorway), sessions_of(server, Doorway(server))
    await own.show(WORKER)

    doorway.is_open = False
    await end(server, doorway.sessions[0])
    await eventually(lambda: key_of(server), lambda key: key is None)
    missing = await others.missing()
    doorway.is_open = True

    assert missing == frozenset()
    assert await eventually(lambda: key_of(server), lambda key: key is not None)
    await own.aclose()


async def test_a_worker_that_joins_while_no_lock_is_to_be_had_gets_one_later(server: PostgresConnections) -> None:
    doorway = Doorway(server)
    doorway.is_open = False
    own = sessions_of(server, doorway)

    await own.show(WORKER)
    none = await key_of(server)
    doorway.is_open = True

    assert none is None
    assert await eventually(lambda: key_of(server), lambda key: key is not None)
    await own.aclose()


async def test_a_server_that_is_away_cannot_be_asked_who_is_missing(server: PostgresConnections) -> None:
    nowhere = PostgresConnections("postgresql://nobody@127.0.0.1:1/none")
    others = WorkerSessions(nowhere.session, nowhere.lookups, nowhere.writer)

    with pytest.raises(Unavailable):
        await asyncio.wait_for(others.missing(), 10)

    await others.aclose()
    await nowhere.aclose()
