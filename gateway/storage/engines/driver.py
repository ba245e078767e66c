"""One logic over two drivers: the few calls that every hot statement is made of.

Hot code is a coroutine function of a `Driver`, written once. On PostgreSQL its calls wait for the server; on SQLite
none of them ever suspends, and `finish` drives the same coroutine to its end like a plain function, in whichever
thread holds the connection. SQL is shared where both engines agree, with `?` for each parameter; where they do not,
the texts of both stand side by side in the module that needs them.
"""

import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from gateway.storage.engines.statements import (
    Insert,
    Row,
    all_of_arrays,
    chunks,
    flat,
    keys_of_arrays,
    keys_of_values,
    numbered,
)

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
Batch = tuple[Insert, Sequence[Row]]


class Engine(StrEnum):
    """Which database stands behind a store."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class ConstraintBroken(Exception):
    """What was to be written contradicts what is there: a key that is taken, a row that something refers to."""


class Driver(Protocol):
    """A connection in its transaction, as hot code sees it.

    A parameter is written `?` in a statement. Broken constraints raise ConstraintBroken, values that the engine
    cannot keep InvalidRequest; everything else that fails is Unavailable by the time it leaves `run`.
    """

    @property
    def engine(self) -> Engine:
        """Which of two texts to use."""

    async def lock(self, names: Sequence[str], *, shared: bool = False) -> None:
        """Until the transaction ends, keep out whoever locks one of these names; those who share one, only from
        those who do not. A SQLite transaction that writes is alone anyway."""

    async def fetch(self, statement: str, parameters: Row = ()) -> Sequence[Row]:
        """All rows of a statement."""

    async def execute(self, statement: str, parameters: Row = ()) -> int:
        """How many rows a statement changed."""

    async def execute_many(self, statement: str, rows: Sequence[Row]) -> None:
        """The statement once for each row of parameters, in their order."""

    async def insert(self, insert: Insert, rows: Sequence[Row]) -> Sequence[Row]:
        """Insert the rows; what the statement's RETURNING gives, if it has one."""

    async def insert_new(self, insert: Insert, rows: Sequence[Row]) -> int:
        """Insert the rows that conflict with none; how many they were."""

    async def insert_all(self, *batches: Batch, then: str | None = None) -> Sequence[Row]:
        """Insert rows into several tables, those first that others refer to; the rows of the SELECT `then`, which may
        see them or not. It is not asked where nothing is inserted."""

    async def select_in(self, statement: str, keys: Sequence[Row], parameters: Row = ()) -> Sequence[Row]:
        """The rows of a statement whose `{keys}` stands for a table of all these keys: texts, in columns named
        `column1`, `column2`, … Its other parameters stand before them."""


_LOCK: Final = (
    "SELECT pg_advisory_xact_lock{}(k) FROM"
    " (SELECT DISTINCT hashtextextended(n, 0) AS k FROM unnest(CAST($1 AS TEXT[])) AS n ORDER BY k) AS keys"
)
Work = Callable[[Driver], Coroutine[Any, Any, T]]
"""What `run` of a reader or a writer takes. It may be called twice: it must leave no traces but in the store."""


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine that never suspends to its end."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("on SQLite hot code may wait for nothing but its driver")


class SqliteDriver:
    """`Driver` on a connection of the standard library.

    A row at a time of a statement that is prepared once is the cheapest way to write; what reads a batch is one
    statement of many keys, in a few fixed sizes that stay in the driver's statement cache.
    """

    engine: Final = Engine.SQLITE

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany

    async def lock(self, names: Sequence[str], *, shared: bool = False) -> None:
        """Nobody else writes."""

    async def fetch(self, statement: str, parameters: Row = ()) -> Sequence[Row]:
        """All rows of a statement."""
        return self._execute(statement, parameters).fetchall()

    async def execute(self, statement: str, parameters: Row = ()) -> int:
        """How many rows a statement changed."""
        return self._execute(statement, parameters).rowcount

    async def execute_many(self, statement: str, rows: Sequence[Row]) -> None:
        """The statement once for each row of parameters, in their order."""
        if rows:
            self._executemany(statement, rows)

    async def insert(self, insert: Insert, rows: Sequence[Row]) -> Sequence[Row]:
        """Insert the rows; what the statement's RETURNING gives, if it has one."""
        returned: list[Row] = []
        for start, size in chunks(len(rows)):
            returned += self._execute(insert.of_values(size), flat(rows[start : start + size])).fetchall()
        return returned

    async def insert_new(self, insert: Insert, rows: Sequence[Row]) -> int:
        """Insert the rows that conflict with none; how many they were."""
        return self._executemany(insert.of_values(1), rows).rowcount if rows else 0

    async def insert_all(self, *batches: Batch, then: str | None = None) -> Sequence[Row]:
        """Insert rows into several tables, one at a time; the rows of `then`."""
        filled = [(insert, rows) for insert, rows in batches if rows]
        for insert, rows in filled:
            self._executemany(insert.of_values(1), rows)
        return self._execute(then).fetchall() if filled and then is not None else ()

    async def select_in(self, statement: str, keys: Sequence[Row], parameters: Row = ()) -> Sequence[Row]:
        """The rows of a statement about all these keys."""
        found: list[Row] = []
        for start, size in chunks(len(keys)):
            part = keys[start : start + size]
            text = keys_of_values(statement, len(part[0]), size)
            found += self._execute(text, (*parameters, *flat(part))).fetchall()
        return found


class PostgresDriver:
    """`Driver` on an asyncpg connection; a batch is one statement over arrays, one array a column."""

    engine: Final = Engine.POSTGRESQL

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def lock(self, names: Sequence[str], *, shared: bool = False) -> None:
        """Advisory locks, taken in the order of their keys."""
        if names:
            await self._connection.fetch(_LOCK.format("_shared" if shared else ""), names)

    async def fetch(self, statement: str, parameters: Row = ()) -> Sequence[Row]:
        """All rows of a statement."""
        rows: Sequence[Row] = await self._connection.fetch(numbered(statement), *parameters)
        return rows

    async def execute(self, statement: str, parameters: Row = ()) -> int:
        """How many rows a statement changed."""
        told = await self._connection.execute(numbered(statement), *parameters)
        # Such as "UPDATE 3", "INSERT 0 1" or "LOCK TABLE".
        count = told.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, statement: str, rows: Sequence[Row]) -> None:
        """The statement once for each row of parameters, in their order; sent together."""
        if rows:
            await self._connection.executemany(numbered(statement), rows)

    async def insert(self, insert: Insert, rows: Sequence[Row]) -> Sequence[Row]:
        """Insert the rows; what the statement's RETURNING gives, if it has one."""
        return await self.fetch(insert.of_arrays, _columns(rows)) if rows else ()

    async def insert_new(self, insert: Insert, rows: Sequence[Row]) -> int:
        """Insert the rows that conflict with none; how many they were."""
        return await self.execute(insert.of_arrays, _columns(rows)) if rows else 0

    async def insert_all(self, *batches: Batch, then: str | None = None) -> Sequence[Row]:
        """Insert rows into several tables and ask `then`, in one statement."""
        filled = [(insert, rows) for insert, rows in batches if rows]
        if not filled:
            return ()
        statement = all_of_arrays(tuple(insert for insert, _ in filled), then)
        return await self.fetch(statement, [column for _, rows in filled for column in _columns(rows)])

    async def select_in(self, statement: str, keys: Sequence[Row], parameters: Row = ()) -> Sequence[Row]:
        """The rows of a statement about all these keys."""
        if not keys:
            return ()
        return await self.fetch(keys_of_arrays(statement, len(keys[0])), (*parameters, *_columns(keys)))


def _columns(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))


def each_key(values: Iterable[str]) -> list[Row]:
    """Keys of one column, once each and in a fixed order, so that two transactions never lock them crosswise."""
    return [(value,) for value in sorted(set(values))]
