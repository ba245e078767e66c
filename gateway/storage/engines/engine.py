"""An open database, whichever engine it is: readers, and a way to write.

    async with database.writer.transaction() as conn:      # commits unless the block raises
        await conn.execute(tables.recipients.insert().values(...))
    async with database.reader.connect() as conn:          # one consistent snapshot
        row = (await conn.execute(sa.select(tables.recipients).where(...))).one_or_none()
    await database.writer.run(lambda driver: write_events(driver, rows))

What few call uses SQLAlchemy Core, through `transaction` and `connect`. The hot paths use `run` of either: one
coroutine function of a `Driver`. Failures of the store come out as `Unavailable`; those of constraints as
`sqlalchemy.exc.IntegrityError` from Core and as `ConstraintBroken` from `run`.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import WorkerId
from gateway.errors import ConfigurationError
from gateway.storage.engines import sqlite
from gateway.storage.engines.driver import Engine, Work
from gateway.storage.engines.worker_locks import WorkerLocks

T = TypeVar("T")

_ENGINES: Final = {"sqlite": Engine.SQLITE, "postgresql": Engine.POSTGRESQL}


class Reader(Protocol):
    """Connections that only read."""

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection in a read transaction; everything read inside belongs together."""

    async def run(self, work: Work[T]) -> T:
        """Run `work`."""


class Writer(Protocol):
    """The way to write."""

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A write transaction: durable when the block has ended, undone when it raises."""

    async def run(self, work: Work[T]) -> T:
        """Run `work` inside one write transaction; durable when it returns."""


class SignsOfLife(Protocol):
    """Of workers, each of which ends with its process, however that ends."""

    async def show(self, worker: WorkerId) -> None:
        """Show that a worker of this process lives, for as long as it does."""

    async def hide(self, worker: WorkerId) -> None:
        """Show it no longer, and take away what another one that ended has left."""

    async def missing(self) -> frozenset[WorkerId]:
        """Workers whose process has surely ended; of others nothing is said. Raises Unavailable."""

    async def aclose(self) -> None:
        """Show nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One open database."""

    engine: Engine
    reader: Reader
    """Whatever is read inside one use is one snapshot."""
    lookups: Reader
    """For the hot path's short reads by key, which never stand behind somebody's long search. Each statement of a
    `run` sees what was committed when it began."""
    writer: Writer
    migration: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    """A write transaction that may take as long as it needs."""
    path: Path | None
    """The file, on SQLite."""
    signs: SignsOfLife
    aclose: Callable[[], Awaitable[None]]
    """Close every connection."""


def engine_of(url: str) -> Engine:
    """The engine that a URL names. Raises ConfigurationError for one that there is none for."""
    try:
        return _ENGINES[sa.make_url(url).get_backend_name()]
    except (KeyError, sa.exc.ArgumentError) as error:
        raise ConfigurationError("a store is sqlite:///path/to/file.db or postgresql://…") from error


def may_exist(url: str) -> bool:
    """Whether there may be a store: a file is there or not, a server has to be asked. Raises ConfigurationError."""
    return engine_of(url) is not Engine.SQLITE or sqlite.database_path(url).exists()


def open_database(url: str) -> Database:
    """Prepare the database that a URL names; connections open at first use. Raises ConfigurationError."""
    if engine_of(url) is Engine.SQLITE:
        path = sqlite.database_path(url)
        files = sqlite.SqliteConnections(path)
        return Database(
            engine=Engine.SQLITE,
            reader=files.reader,
            lookups=files.lookups,
            writer=files.writer,
            migration=files.writer.transaction,
            path=path,
            signs=WorkerLocks(path),
            aclose=files.aclose,
        )
    # The server's driver takes a while to import, and is of no use to a store in a file.
    from gateway.storage.engines import postgresql, worker_sessions  # noqa: PLC0415

    server = postgresql.PostgresConnections(url)
    return Database(
        engine=Engine.POSTGRESQL,
        reader=server.reader,
        lookups=server.lookups,
        writer=server.writer,
        migration=server.migration,
        path=None,
        signs=worker_sessions.WorkerSessions(server.session, server.lookups, server.writer),
        aclose=server.aclose,
    )
