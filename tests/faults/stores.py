"""The store as the rig sees it, past the product: what it holds at an instant, and its writers made to wait."""

import fcntl
import os
import shutil
import sqlite3
import struct
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg
import sqlalchemy as sa

from tests.servers import PostgresServer
from tests.waiting import eventually

_WRITE_LOCK: Final = 120
"""The byte of the -shm file that a writer locks (sqlite.org/walformat.html, section 2.3.2)."""
_OFD_LOCK: Final = "hhqqi"
"""struct flock: type, whence, start, length, process (0 for a lock of an open file)."""

Row = tuple[Any, ...]


class StoreView(Protocol):
    """One store, looked at from outside."""

    @property
    def url(self) -> str:
        """As the settings name it."""
        ...

    async def rows(self, statement: str) -> Sequence[Row]:
        """What a SELECT answers now."""
        ...

    async def change(self, statement: str) -> None:
        """One statement, committed: what a rig does to a row that no caller could."""
        ...

    async def back_up(self, to: Path) -> Path:
        """A consistent copy, taken while others write."""
        ...

    async def restore(self, backup: Path) -> None:
        """Put a copy in the store's place; nobody may be at work."""
        ...

    def stalled(self) -> AbstractAsyncContextManager[None]:
        """While the block lasts nobody can commit."""
        ...


class SqliteView:
    """A file. Looking at it never writes, and never takes over what a killed gateway left to be recovered."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        """As the settings name it."""
        return f"sqlite:///{self.path}"

    async def rows(self, statement: str) -> Sequence[Row]:
        """What a SELECT answers now."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(statement).fetchall()

    async def change(self, statement: str) -> None:
        """One statement, committed."""
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.execute(statement)

    async def back_up(self, to: Path) -> Path:
        """By SQLite's own backup, which a copy of the files would not be."""
        with closing(sqlite3.connect(self.path, timeout=10)) as source, closing(sqlite3.connect(to)) as target:
            source.backup(target)
        return to

    async def restore(self, backup: Path) -> None:
        """The copy alone; what stood beside the file belonged to the other one."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(backup, self.path)

    @asynccontextmanager
    async def stalled(self) -> AsyncIterator[None]:
        """Hold the lock that every writer needs, as another process at work would."""

        async def lock() -> bool:
            try:
                _lock(file, fcntl.F_WRLCK)
            except BlockingIOError:
                return False
            return True

        file = os.open(f"{self.path}-shm", os.O_RDWR)
        try:
            await eventually(lock, bool)
            yield
        finally:
            _lock(file, fcntl.F_UNLCK)
            os.close(file)


def _lock(file: int, kind: int) -> None:
    # A lock of the open file and not of this process, or closing any other look at it would let go.
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack(_OFD_LOCK, kind, os.SEEK_SET, _WRITE_LOCK, 1, 0))


class PostgresView:
    """A database of a server that the rig started."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._url = server.create_database()

    @property
    def url(self) -> str:
        """As the settings name it."""
        return self._url

    async def rows(self, statement: str) -> Sequence[Row]:
        """What a SELECT answers now."""
        async with self._connected() as connection:
            return [tuple(row) for row in await connection.fetch(statement)]

    async def change(self, statement: str) -> None:
        """One statement, committed."""
        async with self._connected() as connection:
            await connection.execute(statement)

    async def back_up(self, to: Path) -> Path:
        """By pg_dump, as an operator would."""
        to.write_text(self._server.run("pg_dump", "--no-owner", f"--dbname={self._url}"), encoding="utf-8")
        return to

    async def restore(self, backup: Path) -> None:
        """Into a database of the same name, made anew."""
        name = sa.make_url(self._url).database
        self._server.drop_database(self._url)
        self._server.execute(f'CREATE DATABASE "{name}"')
        # pg_dump's own words for psql (\\restrict) are no SQL; psql runs as the server's user and reads by a pipe.
        with backup.open("rb") as dump:
            self._server.run("psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={self._url}", stdin=dump)

    @asynccontextmanager
    async def stalled(self) -> AsyncIterator[None]:
        """Lock the tables that every write needs, as a careless migration would."""
        async with self._connected() as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {', '.join(_LOCKED)} IN EXCLUSIVE MODE")
            yield

    @asynccontextmanager
    async def _connected(self) -> "AsyncIterator[asyncpg.Connection]":
        connection = await asyncpg.connect(self._url)
        try:
            yield connection
        finally:
            await connection.close()


_LOCKED: Final = ("messages", "deliveries", "attempts", "events", "mailbox")

_STANDING: Final = (
    "SELECT CASE WHEN lease_owner IS NOT NULL AND status <> 'sending' THEN 'claimed' ELSE status END, count(*)"
    " FROM deliveries"
)


async def statuses(view: StoreView) -> dict[str, int]:
    """How many deliveries stand where; those that are claimed and not yet handed over stand under `claimed`."""
    return {row[0]: row[1] for row in await view.rows(f"{_STANDING} GROUP BY 1")}


async def statuses_of(view: StoreView, messages: Collection[str]) -> dict[str, int]:
    """The same for the deliveries of these messages."""
    named = ", ".join(f"'{message}'" for message in messages)
    found = await view.rows(f"{_STANDING} WHERE message_id IN ({named}) GROUP BY 1")
    return {row[0]: row[1] for row in found}
