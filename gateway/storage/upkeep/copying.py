"""Every row of one store into another, of whichever engine: in one snapshot of the source, and all or nothing.

Values are carried over as the engines keep them, so that a copy of a copy is the same row for row.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import Conflict, InvalidRequest, Unavailable
from gateway.storage import migrations, tables
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Row
from gateway.storage.upkeep import partitions
from gateway.storage.upkeep.secret import keep_secret, read_secret

ROWS: Final = 1_000
_STAYS: Final = frozenset({"workers", "compatibility", "secrets"})
"""Workers live and die with the source; what its versions agreed on is the target's own; secrets go by themselves."""
COPIED: Final = tuple(table for table in tables.metadata.sorted_tables if table.name not in _STAYS)
"""What is copied, owners before what belongs to them."""
_NUMBERED: Final = {"events": "events_seq", "consents": "consents_seq_seq"}
_PARTITIONED_AT_MOST: Final = timedelta(days=5 * 366)
"""Older rows go to the default partition: a wrong clock of years ago should not cost thousands of tables."""
_OTHERS: Final = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'heliograph' AND pid <> pg_backend_pid()"
)
_SHUT: Final = (
    # Before the first look, which fixes what is seen.
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL lock_timeout = '2s'",
    f"LOCK TABLE {', '.join(table.name for table in COPIED)} IN SHARE MODE",
)
"""One snapshot of a server's tables, and no writer beside it."""
_PROBE_SECONDS: Final = 1.0

Progress = Callable[[str, int, int], None]
"""Told the table, how many of its rows are there, and how many there will be."""


async def copy_rows(source: Database, target: Database, now: datetime, progress: Progress) -> Mapping[str, int]:
    """Copy every row and say how many went into each table; the target gets its tables here, and its rows at once.

    Nothing but this copy may use either meanwhile. Raises Conflict when something else does, when the source's tables
    are not this version's, when the target holds rows already, and when the counts do not agree at the end; the
    target then holds no rows.
    """
    async with _alone(source) as read:
        await _check_source(read)
        counts = {table.name: await _count(read, table) for table in COPIED}
        at = ""
        try:
            async with target.migration() as write:
                await write.run_sync(migrations.upgrade)
                await _check_target(write)
                await _make_partitions(read, write, now)
                for table in COPIED:
                    at = table.name
                    await _copy_table(read, write, table, counts[at], progress)
                await _go_on_counting(write)
                await _check_counts(write, counts)
                await keep_secret(target, write, await read_secret(source, read))
        except InvalidRequest as error:
            raise Conflict(f"the copy was undone at {at}: {error.message}", "copy_differs") from error
    return counts


@asynccontextmanager
async def _alone(source: Database) -> AsyncIterator[AsyncConnection]:
    """One snapshot of the source, which nobody else has open: what was accepted after it would be lost.

    Whoever starts meanwhile is kept out, by the write lock of a file and by locks on a server's tables.
    """
    if source.path is not None and not await asyncio.to_thread(_is_alone, source.path):
        raise _in_use("another process has the file open")
    # A transaction without a time limit: one table may take longer than a request ever does.
    async with source.migration() as connection:
        if source.path is None:
            for statement in _SHUT:
                await connection.exec_driver_sql(statement)
            if others := await connection.scalar(_OTHERS):
                raise _in_use(f"{others} connections of other processes")
        yield connection


def _is_alone(path: Path) -> bool:
    """Whether nobody has the file open: in WAL mode every connection shares a lock for as long as it is open."""
    probe = sqlite3.connect(path, timeout=_PROBE_SECONDS, isolation_level=None)
    try:
        probe.execute("PRAGMA locking_mode = EXCLUSIVE")
        probe.execute("BEGIN IMMEDIATE")
        probe.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise Unavailable(f"the store cannot be used now: {error}") from error
    finally:
        probe.close()
    return True


def _in_use(by: str) -> Conflict:
    return Conflict(
        f"the source is in use ({by}), and what it accepts from now on would not be copied: stop every"
        " `heliograph serve` and `heliograph worker` on it first",
        "source_in_use",
    )


async def _check_source(read: AsyncConnection) -> None:
    if await read.run_sync(migrations.current_revision) != migrations.NEWEST:
        raise Conflict(
            "the source's tables are of another version: run `heliograph db upgrade` on it first", "not_current"
        )


async def _check_target(write: AsyncConnection) -> None:
    for table in (*COPIED, tables.workers):
        if (await write.execute(sa.select(sa.literal(1)).select_from(table).limit(1))).first() is not None:
            raise Conflict(f"the target is not empty: there are rows in {table.name}", "target_not_empty")


async def _check_counts(write: AsyncConnection, counts: Mapping[str, int]) -> None:
    if differing := [table.name for table in COPIED if await _count(write, table) != counts[table.name]]:
        raise Conflict(f"the copy was undone: the counts differ in {', '.join(differing)}", "copy_differs")


async def _count(connection: AsyncConnection, table: sa.Table) -> int:
    return (await connection.scalar(sa.select(sa.func.count()).select_from(table))) or 0


async def _make_partitions(read: AsyncConnection, write: AsyncConnection, now: datetime) -> None:
    since = await read.scalar(sa.select(sa.func.min(tables.messages.c.created_at)))
    earliest = None if since is None else max(since, now - _PARTITIONED_AT_MOST)
    await write.run_sync(partitions.make_partitions, partitions.months_ahead(now, earliest))


async def _copy_table(
    read: AsyncConnection, write: AsyncConnection, table: sa.Table, count: int, progress: Progress
) -> None:
    names = ", ".join(_as_kept(read, column) for column in table.columns)
    # Without the columns' types, so that the values come as the driver has them.
    rows = await read.stream(sa.text(f"SELECT {names} FROM {table.name}"), execution_options={"yield_per": ROWS})  # noqa: S608 - our own names
    done = 0
    progress(table.name, done, count)
    async for portion in rows.partitions():
        await _write_rows(write, table, [_of_target(table, tuple(row)) for row in portion])
        done += len(portion)
        progress(table.name, done, count)


def _as_kept(read: AsyncConnection, column: "sa.Column[Any]") -> str:
    """The column's expression; JSON as its text, which PostgreSQL's driver would read."""
    name = f'"{column.name}"'
    is_read = isinstance(column.type, sa.JSON) and read.dialect.name == "postgresql"
    return f"CAST({name} AS TEXT)" if is_read else name


def _of_target(table: sa.Table, row: Row) -> Row:
    """The row with truth values as such: SQLite has numbers for them, and takes them for numbers."""
    return tuple(
        value if value is None or not isinstance(column.type, sa.Boolean) else bool(value)
        for column, value in zip(table.columns, row, strict=True)
    )


async def _write_rows(write: AsyncConnection, table: sa.Table, rows: Sequence[Row]) -> None:
    raw = await write.get_raw_connection()
    driver: Any = raw.driver_connection
    columns = [column.name for column in table.columns]
    if write.dialect.name == "postgresql":
        await driver.copy_records_to_table(table.name, records=rows, columns=columns)
        return
    names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
    await driver.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608 - our own names


async def _go_on_counting(write: AsyncConnection) -> None:
    """Let PostgreSQL number new rows above the copied ones, as SQLite does by itself."""
    if write.dialect.name != "postgresql":
        return
    for table, sequence in _NUMBERED.items():
        await write.exec_driver_sql(
            f"SELECT setval('{sequence}', coalesce(max(seq), 0) + 1, false) FROM {table}"  # noqa: S608 - our own names
        )
