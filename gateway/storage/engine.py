"""Connections to one SQLite file: many readers, one writer.

Every write of a process goes through one connection, one transaction at a time, so that writers never fail on
each other's snapshots; other processes are waited for up to `BUSY_SECONDS`.

    async with database.writer.transaction() as conn:      # BEGIN IMMEDIATE; commits unless the block raises
        await conn.execute(tables.recipients.insert().values(...))
    async with database.reader.connect() as conn:          # one consistent snapshot
        row = (await conn.execute(sa.select(tables.recipients).where(...))).one_or_none()

The hot paths use `run` of either: one call of a plain function on the driver's own connection, in its thread,
because a hop between loop and thread costs more than most statements.
Failures of the store come out as `Unavailable`, those of constraints as `sqlalchemy.exc.IntegrityError`.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from gateway.errors import ConfigurationError, InvalidRequest, Unavailable
from gateway.storage.documents import dump, load

log = structlog.get_logger()

T = TypeVar("T")

BUSY_SECONDS: Final = 4.0
"""How long a writer waits for another process; two such waits in a row stay below ten seconds."""
_READERS: Final = 4
_LOOKUPS: Final = 2
_CACHE_KIB: Final = 16_384
_CHECKPOINT_PAGES: Final = 4_000
_STATEMENTS: Final = 512
WAL_RESET_MENDED: Final = (3, 51, 3)
"""Older libraries may corrupt a file that two connections write and checkpoint at once (sqlite.org/wal.html)."""


def database_path(url: str) -> Path:
    """The file that a `sqlite:///…` URL names. Raises ConfigurationError for anything else."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError(
            f"store.url: it must be sqlite:///path/to/file.db, not {parsed.get_backend_name()}://…"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError("store.url: it must name a file: a store in memory would lose what a 202 promised")
    return Path(parsed.database)


_ITS_OWN_FAULT: Final = (
    sa.exc.IntegrityError,
    sa.exc.DataError,
    sa.exc.ProgrammingError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
)
"""What the statement or its values are to blame for, not the file."""


@contextmanager
def translated() -> Iterator[None]:
    """Name the failures of the store: Unavailable when the file, the disk or the lock is at fault, InvalidRequest for
    lone surrogates, which JSON can spell and UTF-8 cannot. Broken constraints stay what they are."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidRequest("a text holds lone surrogates, which are no characters") from error
    except _ITS_OWN_FAULT:
        raise
    except (sa.exc.DatabaseError, sqlite3.DatabaseError, sa.exc.TimeoutError) as error:
        raise Unavailable(f"the store cannot be used now: {_reason(error)}") from error
    except sa.exc.StatementError as error:
        # SQLAlchemy wraps what `dump` raises.
        if isinstance(error.orig, InvalidRequest):
            raise error.orig from error
        raise


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)


def _make_engine(path: Path, pool_size: int, *, begin: str, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=str(path)),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        # Every transaction here ends where it began, so a rollback on return would only cost a hop.
        pool_reset_on_return=None,
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS, "cached_statements": _STATEMENTS},
        # An error is logged with its text: no address or template data may stand in it.
        hide_parameters=True,
        json_serializer=dump,
        json_deserializer=load,
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{_CACHE_KIB}",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


async def run_on(connection: AsyncConnection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Call `work` on the driver's own connection, in its thread and in whatever transaction it is."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, aiosqlite.Connection)
    # aiosqlite has no public call for "this function in your thread"; SQLAlchemy's own dialect relies on the
    # same private pair. A test holds it.
    result: T = await driver._execute(work, driver._conn)  # type: ignore[no-untyped-call]
    return result


class Reader:
    """A few connections that only read; each use sees one snapshot."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a read transaction; everything read inside belongs together."""
        with translated():
            async with self._engine.connect() as connection:
                yield connection

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` in a driver's thread, inside one read transaction."""

        def in_snapshot(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("ROLLBACK")

        with translated():
            async with self._engine.connect() as connection:
                return await run_on(connection, in_snapshot)


class Writer:
    """The one connection that writes; transactions stand in line behind each other."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()
        # Kept out of the pool: going there and back costs as much as a small transaction.
        self._connection: AsyncConnection | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction: durable when the block has ended, undone when it raises."""
        with translated():
            async with self._turn:
                connection = await self._open()
                async with connection.begin():
                    yield connection

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` in the driver's thread, inside one write transaction; durable when it returns.

        Once begun it is carried through, even if the caller is cancelled meanwhile: what comes next stands behind
        it in the driver's thread.
        """
        with translated():
            async with self._turn:
                connection = await self._open()
                return await run_on(connection, lambda driver: _commit(driver, work))

    async def _open(self) -> AsyncConnection:
        if self._connection is None or self._connection.invalidated:
            self._connection = await self._engine.connect()
        return self._connection

    async def aclose(self) -> None:
        """Give the connection back."""
        async with self._turn:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None


def _commit(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # A full disk rolls back by itself; asking again would hide the real error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


class Database:
    """One open SQLite file: its readers and its writer."""

    def __init__(self, path: Path, reader: AsyncEngine, lookups: AsyncEngine, writer: AsyncEngine) -> None:
        self.path = path
        self.reader = Reader(reader)
        self.lookups = Reader(lookups)
        """For the hot path's short reads, so that they never stand behind somebody's long search."""
        self.writer = Writer(writer)
        self._engines = (reader, lookups, writer)

    async def aclose(self) -> None:
        """Close every connection and end their threads; aiosqlite's would else keep the process alive."""
        await self.writer.aclose()
        for engine in self._engines:
            await engine.dispose()


def warn_of_defects() -> None:
    """Name in the log what the SQLite library of this machine does wrong."""
    if sqlite3.sqlite_version_info < WAL_RESET_MENDED:
        log.warning(
            "store.sqlite_has_wal_reset_defect",
            version=sqlite3.sqlite_version,
            mended_in=".".join(map(str, WAL_RESET_MENDED)),
            advice="let one process only use this file, or upgrade the SQLite library",
        )


def open_database(path: Path) -> Database:
    """Prepare the file (made readable by its owner only) and its engines; connections open at first use."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigurationError(f"store.url: cannot open {path}: {error.strerror}") from error
    return Database(
        path,
        reader=_make_engine(path, _READERS, begin="BEGIN", read_only=True),
        lookups=_make_engine(path, _LOOKUPS, begin="BEGIN", read_only=True),
        writer=_make_engine(path, 1, begin="BEGIN IMMEDIATE", read_only=False),
    )
