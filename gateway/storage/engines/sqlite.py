"""Connections to one SQLite file: many readers, one writer.

Every write of a process goes through one connection at a time, so that writers never fail on each other's
snapshots; other processes are waited for up to `BUSY_SECONDS`.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from gateway.errors import ConfigurationError, InvalidRequest, Unavailable
from gateway.storage.documents import dump, load
from gateway.storage.engines.driver import ConstraintBroken, SqliteDriver, Work, finish
from gateway.storage.engines.hot import Hot, Thread

log = structlog.get_logger()

T = TypeVar("T")

BUSY_SECONDS: Final = 4.0
"""How long a writer waits for another process; two such waits in a row stay below ten seconds."""
_READERS: Final = 4
_HOT_KIB: Final = 12_288
"""Of the pages that hot work reads and writes: what waits together was mostly accepted together, and lies together."""
_COLD_KIB: Final = 4_096
_CHECKPOINT_PAGES: Final = 4_000
_STATEMENTS: Final = 512
WAL_RESET_MENDED: Final = (3, 51, 3)
"""Older libraries may corrupt a file that two connections write and checkpoint at once (sqlite.org/wal.html)."""


def database_path(url: str) -> Path:
    """The file that a `sqlite:///…` URL names. Raises ConfigurationError for anything else."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError(f"store.url: {parsed.get_backend_name()}://… names no file")
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError("store.url: it must name a file: a store in memory would lose what a 202 promised")
    return Path(parsed.database)


_ITS_OWN_FAULT: Final = (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError, sqlite3.ProgrammingError)
"""What the statement or its values are to blame for, not the file."""


@contextmanager
def translated() -> Iterator[None]:
    """Name the failures of the store: Unavailable when the file, the disk or the lock is at fault, InvalidRequest for
    lone surrogates, which JSON can spell and UTF-8 cannot. Core's broken constraints stay what they are."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidRequest("a text holds lone surrogates, which are no characters") from error
    except (sqlite3.DataError, OverflowError) as error:
        raise InvalidRequest("a value is larger than the store can keep") from error
    except sqlite3.IntegrityError as error:
        raise ConstraintBroken(str(error)) from error
    except _ITS_OWN_FAULT:
        raise
    except (sa.exc.DatabaseError, sqlite3.DatabaseError, sa.exc.TimeoutError) as error:
        if isinstance(error, sqlite3.OperationalError) and not hasattr(error, "sqlite_errorcode"):
            # Not the library's word, but the module's, of text that is none.
            raise InvalidRequest("the store holds a text that cannot be read") from error
        raise Unavailable(f"the store cannot be used now: {_reason(error)}") from error
    except sa.exc.StatementError as error:
        # SQLAlchemy wraps what `dump` raises.
        if isinstance(error.orig, InvalidRequest):
            raise error.orig from error
        raise


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)


def _pragmas(*, read_only: bool, cache_kib: int) -> tuple[str, ...]:
    return (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        # What is deleted or blanked leaves nothing in the pages that it stood on.
        "PRAGMA secure_delete = ON",
        f"PRAGMA cache_size = -{cache_kib}",
        f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        f"PRAGMA query_only = {'ON' if read_only else 'OFF'}",
    )


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
        for pragma in _pragmas(read_only=read_only, cache_kib=_COLD_KIB):
            cursor.execute(pragma)
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    for pragma in _pragmas(read_only=read_only, cache_kib=_HOT_KIB):
        connection.execute(pragma).fetchall()
    return connection


async def _run_on(connection: AsyncConnection, work: Work[T]) -> T:
    """Run `work` on the driver's own connection of a Core connection, in its thread and transaction."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, aiosqlite.Connection)
    # aiosqlite has no public call for "this function in your thread"; SQLAlchemy's own dialect relies on the
    # same private pair. A test holds it.
    result: T = await driver._execute(lambda raw: finish(work(SqliteDriver(raw))), driver._conn)  # type: ignore[no-untyped-call]
    return result


class SqliteReader:
    """A few connections that only read, each in a thread of its own; each use sees one snapshot."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a read transaction; everything read inside belongs together."""
        with translated():
            async with self._engine.connect() as connection:
                yield connection

    async def run(self, work: Work[T]) -> T:
        """Run `work` in a driver's thread, inside one read transaction."""
        with translated():
            async with self._engine.connect() as connection, connection.begin():
                return await _run_on(connection, work)


class SqliteLookups:
    """The hot path's reads, on one connection that the event loop uses itself."""

    def __init__(self, engine: AsyncEngine, hot: Hot) -> None:
        self._cold = SqliteReader(engine)
        self._hot = hot
        self._turn = asyncio.Lock()

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """As the reader's."""
        return self._cold.connect()

    async def run(self, work: Work[T]) -> T:
        """Run `work`; each of its statements sees what was committed when it began."""
        with translated():
            async with self._turn:
                return await self._hot.read(work)


class SqliteWriter:
    """Transactions that write stand in line behind each other."""

    def __init__(self, engine: AsyncEngine, hot: Hot) -> None:
        self._engine = engine
        self._hot = hot
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction: durable when the block has ended, undone when it raises."""
        with translated():
            async with self._turn, self._engine.begin() as connection:
                yield connection

    async def run(self, work: Work[T]) -> T:
        """Run `work` inside one write transaction; durable when it returns.

        Once its commit has begun it is carried through, even if the caller is cancelled meanwhile.
        """
        with translated():
            async with self._turn:
                return await self._hot.write(work)

    async def aclose(self) -> None:
        """Give the connection back."""
        async with self._turn:
            self._hot.close()


class SqliteConnections:
    """One open SQLite file (made readable by its owner only): its readers and its writer."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise ConfigurationError(f"store.url: cannot open {path}: {error.strerror}") from error
        reader = _make_engine(path, _READERS, begin="BEGIN", read_only=True)
        writer = _make_engine(path, 1, begin="BEGIN IMMEDIATE", read_only=False)
        self._engines = (reader, writer)
        self._thread = Thread("store")
        self._glances = Hot(lambda: _connect(path, read_only=True), self._thread, BUSY_SECONDS)
        self.reader = SqliteReader(reader)
        self.lookups = SqliteLookups(reader, self._glances)
        self.writer = SqliteWriter(writer, Hot(lambda: _connect(path, read_only=False), self._thread, BUSY_SECONDS))

    async def aclose(self) -> None:
        """Close every connection and end their threads; aiosqlite's would else keep the process alive."""
        await self.writer.aclose()
        self._glances.close()
        self._thread.close()
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
