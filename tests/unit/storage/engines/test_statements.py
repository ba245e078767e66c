"""Batches in few steps, and no hot statement that walks through a whole table."""

import sqlite3
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway.storage import tables
from gateway.storage.engines.driver import Driver, Engine, SqliteDriver, finish
from gateway.storage.engines.statements import Insert, chunks, keys_of_arrays, keys_of_values, numbered
from gateway.storage.notifying import notices, outbox, replays
from gateway.storage.queue import accept, claims, facts, idempotency, leases, standing
from gateway.storage.reading import records
from gateway.storage.store import open_store
from gateway.storage.tracking import calls
from tests.fakes import SetClock


@given(st.integers(0, 700))
def test_chunks_cover_every_row_once(count: int) -> None:
    parts = list(chunks(count))

    assert [row for start, size in parts for row in range(start, start + size)] == list(range(count))
    assert len({size for _, size in parts}) <= 7


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(st.characters(codec="utf-8"))), max_size=150))
def test_what_is_inserted_is_selected(rows: list[tuple[int, str]]) -> None:
    table = sa.Table("pairs", sa.MetaData(), sa.Column("number", sa.Integer), sa.Column("word", sa.Text))
    connection = sqlite3.connect(":memory:")
    driver = SqliteDriver(connection)
    connection.execute("CREATE TABLE pairs (number INTEGER, word TEXT)")

    finish(driver.insert(Insert(table), rows))

    keys = list({(number,) for number, _ in rows})
    found = finish(driver.select_in("SELECT number, word FROM pairs WHERE number IN ({keys})", keys))
    connection.close()
    assert sorted(map(tuple, found)) == sorted(rows)


HOT: Mapping[str, tuple[str | Mapping[Engine, str], int]] = {
    "waiting": (claims._WAITING, 0),
    "oldest": (claims._OLDEST, 0),
    "claimed": (claims._CLAIMED, 1),
    "held": (claims._HELD, 1),
    "recipients": (facts._RECIPIENTS, 2),
    "consents": (facts._CONSENTS, 3),
    "suppressions": (facts._SUPPRESSIONS, 3),
    "keys": (idempotency._SELECT, 2),
    "oldest due": (accept._OLDEST_DUE, 0),
    "statuses": (standing._STATUSES, 1),
    "attachments": (standing._ATTACHMENTS, 1),
    "attempts": (records._ATTEMPTS, 1),
    "contents": (records._CONTENTS, 1),
    "lost claims": (leases._LOST_CLAIMS, 0),
    "listeners": (outbox._LISTENERS, 1),
    "last call": (calls._LAST, 0),
    "holders": (calls._HOLDERS, 1),
    "due notices": (notices._DUE, 0),
    "events of notices": (notices._EVENTS, 2),
    "replayed messages": (replays._NEXT, 0),
    "replayed events": (replays._EVENTS, 1),
}
SERVER: Mapping[str, tuple[str | Mapping[Engine, str], int]] = {
    **{name: hot for name, hot in HOT.items() if name != "lost claims"},
    "oldest of each": (claims._OLDEST_OF_EACH, 0),
}


@pytest.mark.parametrize(("statement", "width"), HOT.values(), ids=HOT.keys())
def test_a_hot_statement_finds_its_rows_by_an_index(statement: str | Mapping[Engine, str], width: int) -> None:
    engine = sa.create_engine("sqlite://")
    shared = statement if isinstance(statement, str) else statement[Engine.SQLITE]
    text = keys_of_values(shared, width, 2) if width else shared

    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        parameters = (1,) * text.count("?")
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)]
    engine.dispose()

    names = set(tables.metadata.tables) | {"t", "d", "m"}
    assert not [line for line in plan if line.startswith("SCAN") and line.split()[1] in names], plan
    assert any(line.startswith("SEARCH") for line in plan)


async def test_a_hot_statement_finds_its_rows_by_an_index_on_postgresql_too(postgres_url: str) -> None:
    async with open_store(postgres_url, SetClock()) as store:

        async def plans(driver: Driver) -> dict[str, str]:
            await driver.execute("SET LOCAL enable_seqscan = off")
            await driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            return {name: await _plan(driver, name, statement, width) for name, (statement, width) in SERVER.items()}

        found = await store.database.writer.run(plans)

    for name, plan in found.items():
        # What the planner does where it may not read a whole table; a sort would read all that waits.
        assert "Seq Scan" not in plan, f"{name}: {plan}"
        if name in ("waiting", "oldest of each", "oldest due"):
            assert "Sort" not in plan, f"{name}: {plan}"


async def _plan(driver: Driver, name: str, statement: str | Mapping[Engine, str], width: int) -> str:
    shared = statement if isinstance(statement, str) else statement[Engine.POSTGRESQL]
    text = keys_of_arrays(shared, width) if width else shared
    prepared = f'"{name}"'
    await driver.execute(f"PREPARE {prepared} AS {numbered(text)}")
    parameters = f"({','.join(['NULL'] * text.count('?'))})" if "?" in text else ""
    rows = await driver.fetch(f"EXPLAIN EXECUTE {prepared}{parameters}")
    return "\n".join(row[0] for row in rows)
