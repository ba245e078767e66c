"""A backlog made fast: copies of what the gateway accepted, written straight into its tables.

A copy has its original's instants and an id of its own: it lies in the same month and falls due when the original does.
"""

import asyncio
import sqlite3
from contextlib import closing
from typing import Final

import asyncpg
import sqlalchemy as sa

from gateway.storage import tables

_DIGITS: Final = 7
"""Of an id's random end: they count the copies."""
_PARENTS: Final = {tables.messages.name: "id", tables.deliveries.name: "message_id"}
"""What a claim reads, and the column by which a row belongs to its message."""
_BATCH: Final = 20_000


def fill(url: str, count: int) -> int:
    """Copy the messages of a store that nobody has open until `count` wait in it; how many there are then."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as driver:
            driver.execute("PRAGMA synchronous = OFF")
            return _fill_sqlite(driver, count)
    return asyncio.run(_fill_postgres(url, count))


def _fill_sqlite(driver: sqlite3.Connection, count: int) -> int:
    present = driver.execute("SELECT count(*) FROM messages").fetchone()[0]
    driver.execute("CREATE TEMP TABLE seeds AS SELECT id FROM messages")
    series = "WITH RECURSIVE series(n) AS (VALUES(?) UNION ALL SELECT n + 1 FROM series WHERE n < ?) "
    for first, last in _steps(present, count):
        driver.execute("BEGIN")
        for table in (tables.messages, tables.deliveries):
            driver.execute(series + _copy(table, f"printf('%0{_DIGITS}d', n)"), (first, last))
        driver.execute("COMMIT")
    driver.execute("ANALYZE")
    return int(driver.execute("SELECT count(*) FROM deliveries").fetchone()[0])


async def _fill_postgres(url: str, count: int) -> int:
    address = sa.make_url(url)
    driver = await asyncpg.connect(
        host=address.query.get("host") or address.host,
        port=address.port or 5432,
        user=address.username,
        password=address.password,
        database=address.database,
    )
    try:
        # The copies belong to each other as their originals do, so no key needs to be looked up.
        await driver.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        present = await driver.fetchval("SELECT count(*) FROM messages")
        await driver.execute("CREATE TEMP TABLE seeds AS SELECT id FROM messages")
        for first, last in _steps(present, count):
            for table in (tables.messages, tables.deliveries):
                series = f"WITH series AS (SELECT n FROM generate_series({first}, {last}) n) "
                await driver.execute(series + _copy(table, f"lpad(n::text, {_DIGITS}, '0')"))
        await driver.execute("VACUUM (ANALYZE) messages, deliveries")
        return int(await driver.fetchval("SELECT count(*) FROM deliveries"))
    finally:
        await driver.close()


def _steps(present: int, count: int) -> list[tuple[int, int]]:
    """The copies to make of each present message, in steps of about a batch: from, to."""
    assert present, "a backlog needs some messages to copy"
    copies, step = -(-(count - present) // present), max(_BATCH // present, 1)
    return [(first, min(first + step, copies + 1) - 1) for first in range(1, copies + 1, step)]


def _copy(table: sa.Table, number: str) -> str:
    columns = [f'"{column.name}"' for column in table.columns]
    cut = f"1, length(t.{{}}) - {_DIGITS}) || {number}"
    values = [
        f"substr(t.{column}, {cut.format(column)}" if column in {'"id"', '"message_id"'} else f"t.{column}"
        for column in columns
    ]
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM {table.name} t JOIN seeds ON seeds.id = t.{_PARENTS[table.name]}, series"
    )
