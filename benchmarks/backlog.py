"""A backlog made fast: copies of what the gateway accepted, written straight into its tables.

A copy has its original's instants and an id of its own: it lies in the same month and falls due when the original does.
All the copies of one lie together, before those of one that was accepted later: as they would had they been accepted
one after the other.
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
_SEEDS: Final = "SELECT id, row_number() OVER (ORDER BY id) AS place FROM messages"


def fill(url: str, count: int) -> int:
    """Copy the messages of a store that nobody has open until `count` wait in it; how many there are then."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as driver:
            driver.execute("PRAGMA synchronous = OFF")
            return _fill_sqlite(driver, count)
    return asyncio.run(_fill_postgres(url, count))


def _fill_sqlite(driver: sqlite3.Connection, count: int) -> int:
    present = driver.execute("SELECT count(*) FROM messages").fetchone()[0]
    driver.execute(f"CREATE TEMP TABLE seeds AS {_SEEDS}")
    copies, steps = _steps(present, count)
    series = f"WITH RECURSIVE series(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM series WHERE n < {copies}) "
    for first, last in steps:
        driver.execute("BEGIN")
        for table in (tables.messages, tables.deliveries):
            driver.execute(series + _copy(table, f"printf('%0{_DIGITS}d', n)", first, last))
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
        await driver.execute(f"CREATE TEMP TABLE seeds AS {_SEEDS}")
        copies, steps = _steps(present, count)
        series = f"WITH series AS (SELECT n FROM generate_series(1, {copies}) n) "
        for first, last in steps:
            for table in (tables.messages, tables.deliveries):
                await driver.execute(series + _copy(table, f"lpad(n::text, {_DIGITS}, '0')", first, last))
        await driver.execute("VACUUM (ANALYZE) messages, deliveries")
        return int(await driver.fetchval("SELECT count(*) FROM deliveries"))
    finally:
        await driver.close()


def _steps(present: int, count: int) -> tuple[int, list[tuple[int, int]]]:
    """How many copies to make of each present message, and of which of them in steps of about a batch: from, to."""
    assert present, "a backlog needs some messages to copy"
    copies = max(-(-(count - present) // present), 0)
    step = max(_BATCH // max(copies, 1), 1)
    return copies, [(first, first + step - 1) for first in range(1, present + 1, step)] if copies else []


def _copy(table: sa.Table, number: str, first: int, last: int) -> str:
    columns = [f'"{column.name}"' for column in table.columns]
    cut = f"1, length(t.{{}}) - {_DIGITS}) || {number}"
    values = [
        f"substr(t.{column}, {cut.format(column)}" if column in {'"id"', '"message_id"'} else f"t.{column}"
        for column in columns
    ]
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM seeds JOIN {table.name} t ON t.{_PARENTS[table.name]} = seeds.id, series"
        f" WHERE seeds.place BETWEEN {first} AND {last} ORDER BY seeds.place, n"
    )
