"""Connections to a PostgreSQL server: a pool for hot work, and SQLAlchemy's pools for what few call.

A server that is away is `Unavailable` within `PATIENCE_SECONDS`, however it is away: refused, silent, read-only,
out of room or shutting down. Connections that broke are thrown away, so that work goes on with its return.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias, TypeVar

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from gateway.errors import GatewayError, InvalidRequest, Unavailable
from gateway.storage.documents import dump, load
from gateway.storage.engines.driver import ConstraintBroken, PostgresDriver, Work

T = TypeVar("T")

Connection: TypeAlias = asyncpg.Connection

PATIENCE_SECONDS: Final = 4.0
"""How long one use of the hot pool may take in all; two such waits in a row stay below ten seconds."""
_CONNECT_SECONDS: Final = 3.0
_COLD_SECONDS: Final = 8.0
_HOT: Final = 8
_READERS: Final = 4
_WRITERS: Final = 2
_STATEMENTS: Final = 512
_WATCHED: Final = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}

_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE: Final = "BEGIN"
_UNFIT: Final = "a value is one that the store cannot keep"
_TRY_AGAIN: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Two transactions met crosswise and the server ended ours; nothing of it was kept."""


@contextmanager
def translated() -> Iterator[None]:
    """Name the failures of the store: Unavailable when the server or the way to it is at fault, InvalidRequest for
    values that it cannot keep. Core's broken constraints stay what they are."""
    try:
        yield
    except (GatewayError, sa.exc.IntegrityError):
        raise
    except UnicodeEncodeError as error:
        raise InvalidRequest("a text holds lone surrogates, which are no characters") from error
    except asyncpg.PostgresError as error:
        raise _named(error, error.sqlstate, str(error.args[0])) from error
    except sa.exc.DBAPIError as error:
        # SQLAlchemy wraps what `dump` raises.
        if isinstance(error.orig, InvalidRequest):
            raise error.orig from error
        raise _named(error, getattr(error.orig, "sqlstate", None), type(error.orig).__name__) from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):
            raise InvalidRequest(_UNFIT) from error
        raise Unavailable(f"the store cannot be used now: {error}") from error
    except (asyncpg.InternalClientError, sa.exc.TimeoutError, OSError) as error:
        raise Unavailable(f"the store cannot be used now: {str(error) or type(error).__name__}") from error


def _named(error: Exception, state: str | None, reason: str) -> Exception:
    """By the class of its SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html)."""
    match (state or "")[:2]:
        case "22":
            # The server's words would repeat the value.
            return InvalidRequest(_UNFIT)
        case "23":
            return ConstraintBroken(reason)
        case "42":
            return error
        case _:
            return Unavailable(f"the store cannot be used now: {reason}")


class _Pool:
    """A few connections for hot work, made when they are needed."""

    def __init__(self, dsn: str, size: int) -> None:
        self._dsn = dsn
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside of any transaction; one that is left in another state is closed."""
        async with self._places:
            connection = self._take() or await connect(self._dsn)
            try:
                yield connection
            except (GatewayError, asyncpg.PostgresError):
                self._give_back(connection)
                raise
            except BaseException:
                # Cancelled, out of time, misused or worse: what was asked may still be under way.
                connection.terminate()
                raise
            self._give_back(connection)

    def _take(self) -> "Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _give_back(self, connection: Connection) -> None:
        if connection.is_in_transaction():
            connection.terminate()
        elif not connection.is_closed():
            self._idle.append(connection)

    async def aclose(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.pop().close(timeout=_CONNECT_SECONDS)


async def connect(
    dsn: str, *, patience_seconds: float | None = PATIENCE_SECONDS, further: Mapping[str, str] | None = None
) -> Connection:
    """A connection that waits for nothing longer than that, neither here nor on the server; None for no limit.

    `further` are settings of the session.
    """
    limits = {} if patience_seconds is None else {
        "statement_timeout": str(int(patience_seconds * 1000)),
        "lock_timeout": str(int(patience_seconds * 1000)),
        "idle_in_transaction_session_timeout": str(int(patience_seconds * 2000)),
    }  # fmt: skip
    connection: Connection = await asyncpg.connect(
        dsn,
        timeout=_CONNECT_SECONDS,
        command_timeout=patience_seconds,
        statement_cache_size=_STATEMENTS,
        # Compiling costs more than any statement here takes.
        server_settings={"application_name": "heliograph", "jit": "off", **limits, **(further or {})},
    )
    return connection


class PostgresReader:
    """Connections that only read."""

    def __init__(self, engine: AsyncEngine, pool: _Pool, *, snapshot: bool) -> None:
        self._engine = engine
        self._pool = pool
        self._snapshot = snapshot

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a read transaction; everything read inside belongs together."""
        with translated():
            async with self._engine.connect() as connection:
                yield connection

    async def run(self, work: Work[T]) -> T:
        """Run `work`, in one snapshot where this reader keeps to one."""
        with translated():
            async with asyncio.timeout(PATIENCE_SECONDS), self._pool.connection() as connection:
                if not self._snapshot:
                    return await work(PostgresDriver(connection))
                return await _in_transaction(connection, _READ, work)


class PostgresWriter:
    """Transactions that write, several at once."""

    def __init__(self, engine: AsyncEngine, pool: _Pool) -> None:
        self._engine = engine
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction: durable when the block has ended, undone when it raises."""
        with translated():
            async with self._engine.begin() as connection:
                yield connection

    async def run(self, work: Work[T]) -> T:
        """Run `work` inside one write transaction; durable when it returns.

        It is done once more when it met another transaction crosswise.
        """
        with translated():
            async with asyncio.timeout(PATIENCE_SECONDS):
                try:
                    return await self._run(work)
                except _TRY_AGAIN:
                    return await self._run(work)

    async def _run(self, work: Work[T]) -> T:
        async with self._pool.connection() as connection:
            return await _in_transaction(connection, _WRITE, work)


async def _in_transaction(connection: Connection, begin: str, work: Work[T]) -> T:
    await connection.execute(begin)
    try:
        result = await work(PostgresDriver(connection))
    except (GatewayError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
    return result


class PostgresConnections:
    """One open PostgreSQL database: its readers and its writer. Connections are made at first use."""

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        self._dsn = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool = _Pool(self._dsn, _HOT)
        reader = self._make_engine(_READERS, isolation_level="REPEATABLE READ")
        writer = self._make_engine(_WRITERS, isolation_level="READ COMMITTED")
        self._engines = (reader, writer)
        self.reader = PostgresReader(reader, self._pool, snapshot=True)
        self.lookups = PostgresReader(reader, self._pool, snapshot=False)
        self.writer = PostgresWriter(writer, self._pool)

    def _make_engine(self, size: int, *, isolation_level: str) -> AsyncEngine:
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(self._dsn, patience_seconds=_COLD_SECONDS),
            pool_size=size,
            max_overflow=0,
            pool_timeout=PATIENCE_SECONDS,
            pool_pre_ping=True,
            isolation_level=isolation_level,
            # An error is logged with its text: no address or template data may stand in it.
            hide_parameters=True,
            json_serializer=dump,
            json_deserializer=load,
        )

    async def session(self) -> Connection:
        """A connection that stands for this process: the server soon notices when its machine has gone."""
        return await connect(self._dsn, further=_WATCHED)

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction that may take as long as it needs."""
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(self._dsn, patience_seconds=None),
            poolclass=NullPool,
            hide_parameters=True,
        )
        with translated():
            async with engine.begin() as connection:
                yield connection

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()
        for engine in self._engines:
            await engine.dispose()
