"""Signs of life on a server: a session of its own for each process, that holds a lock for each of its workers.

The server ends the session, and its locks with it, as soon as the process dies however it dies. What it cannot tell
so quickly, a machine that fell silent, is told by the beats.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.domain.ids import WorkerId
from gateway.errors import Unavailable
from gateway.storage.engines.postgresql import Connection, PostgresReader, PostgresWriter, translated

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_DOUBT_SECONDS: Final = 2.0
"""A lock must be missing for so long: a session that broke is replaced within a fraction of it."""
_PING_SECONDS: Final = 10.0
"""How often the session is used, so that nothing on the way forgets it and its end is noticed on this side too."""
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_KEY_BITS: Final = 63
_SHOW: Final = "UPDATE workers SET lock_key = ? WHERE id = ?"
_MISSING: Final = """
    SELECT w.id, w.lock_key FROM workers AS w
    WHERE w.lock_key IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM pg_locks AS l
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (CAST(l.classid AS BIGINT) << 32) | CAST(l.objid AS BIGINT) = w.lock_key
    )"""
"""The halves of an advisory lock's key stand apart (postgresql.org/docs/current/view-pg-locks.html)."""


class WorkerSessions:
    """`SignsOfLife` on PostgreSQL. A worker whose lock cannot be had is judged by its beats alone."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], reader: PostgresReader, writer: PostgresWriter
    ) -> None:
        self._connect = connect
        self._reader = reader
        self._writer = writer
        self._shown: set[WorkerId] = set()
        self._session: Connection | None = None
        self._turn = asyncio.Lock()
        self._lost = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def show(self, worker: WorkerId) -> None:
        """Hold a lock for it from now on; where there is none to be had now, as soon as there is."""
        self._shown.add(worker)
        try:
            await self._renew()
        except Unavailable:
            self._lost.set()
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="signs of life")

    async def hide(self, worker: WorkerId) -> None:
        """It is struck off: its lock says nothing any more, and goes with the session."""
        self._shown.discard(worker)

    async def missing(self) -> frozenset[WorkerId]:
        """Workers whose process has surely ended. Raises Unavailable."""
        first = await self._look()
        if not first:
            return frozenset()
        # One that lost its session only, as by a restart of the server, shows another lock by then.
        await asyncio.sleep(_DOUBT_SECONDS)
        return frozenset(worker for worker, _ in first & await self._look())

    async def aclose(self) -> None:
        """End the session, and with it every sign that is shown here."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        async with self._turn:
            self._end_session()

    async def _look(self) -> frozenset[tuple[WorkerId, int]]:
        rows = await self._reader.run(lambda driver: driver.fetch(_MISSING))
        return frozenset((WorkerId(row[0]), row[1]) for row in rows)

    async def _renew(self) -> None:
        """Show every worker by a new session: under new keys, for the server may not have noticed the old one's end."""
        async with self._turn:
            self._end_session()
            keys = {worker: secrets.randbits(_KEY_BITS) for worker in self._shown}
            with translated():
                session = await self._connect()
                try:
                    for key in keys.values():
                        await session.execute("SELECT pg_advisory_lock($1)", key)
                except BaseException:
                    session.terminate()
                    raise
            session.add_termination_listener(self._notice)
            self._session = session
            for worker, key in keys.items():
                if not await self._write(key, worker):
                    self._shown.discard(worker)

    async def _write(self, key: int | None, worker: WorkerId) -> int:
        return await self._writer.run(lambda driver: driver.execute(_SHOW, (key, worker)))

    def _notice(self, _session: object) -> None:
        self._lost.set()

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.remove_termination_listener(self._notice)
            session.terminate()

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await self._lost.wait()
            except TimeoutError:
                await self._ping()
                continue
            self._lost.clear()
            await self._replace()

    async def _ping(self) -> None:
        try:
            with translated():
                if self._session is not None:
                    await self._session.execute("SELECT 1")
        except Unavailable:
            self._lost.set()

    async def _replace(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while self._shown:
            try:
                return await self._renew()
            except Unavailable as error:
                _log.warning("worker.without_lock", error=error.message)
            with contextlib.suppress(Unavailable):
                # Others would take a lock that is not there for a death.
                for worker in tuple(self._shown):
                    await self._write(None, worker)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return None
