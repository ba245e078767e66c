"""A store copied to another engine and back is the same row for row, or nothing happened at all."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.bootstrap import copy_store, upgrade_store
from gateway.bootstrap.stores import link_secret
from gateway.domain.ids import DELIVERY, MESSAGE, make_id
from gateway.errors import ConfigurationError, Conflict
from gateway.ports import Idempotency
from gateway.settings import Settings
from gateway.storage import tables
from gateway.storage.engines.engine import Database, open_database
from gateway.storage.store import open_store
from gateway.storage.upkeep.copying import COPIED
from tests.contract.store_builders import WORKER, new_message, reservation_for, sent_step
from tests.factories import NOW, SERVICE, make_consent, make_suppression
from tests.fakes import SetClock
from tests.servers import PostgresDatabases

Rows = Mapping[str, list[tuple[Any, ...]]]
CLOCK = SetClock()
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_values: dict[type, st.SearchStrategy[Any]] = {
    sa.Boolean: st.booleans(),
    sa.Integer: st.integers(-(2**31), 2**31 - 1),
    sa.BigInteger: st.integers(-(2**63), 2**63 - 1),
    tables.Instant: st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
    sa.Float: st.floats(allow_nan=False, allow_infinity=False),
    sa.LargeBinary: st.binary(max_size=20),
    sa.JSON: st.sampled_from(["{}", "[]", '{"b": 1.50, "a": "\\u0000é"}', '{"z":1,"a":[1e2,null]}', '"\\ud800"']),
}


def quiet(*_: object) -> None:
    """Nobody looks at the progress."""


def plain(url: str) -> Settings:
    return Settings.model_validate({"store": {"url": url}})


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.aclose()


async def rows_of(url: str) -> Rows:
    """Every row of every copied table as its driver has it, sorted."""
    async with opened(url) as database, database.reader.connect() as connection:
        found = {}
        for table in COPIED:
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            rows = (await connection.execute(sa.text(f"SELECT {names} FROM {table.name}"))).all()
            found[table.name] = sorted(map(tuple, rows), key=repr)
        return found


async def insert(url: str, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
    await upgrade_store(plain(url), CLOCK)
    async with opened(url) as database, database.writer.transaction() as connection:
        for table in COPIED:
            marks = ", ".join("?" * len(table.columns))
            for row in rows.get(table.name, ()):
                await connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({marks})", row)


def column_values(column: "sa.Column[Any]") -> st.SearchStrategy[Any]:
    kind = type(column.type)
    values = _texts if kind is sa.Text else _values[kind]
    return st.none() | values if column.nullable else values


@st.composite
def stores(draw: st.DrawFn) -> Rows:
    """A few rows of every table, with whatever their columns may hold; owners exist."""
    number = draw(st.integers(0, 3))
    rows: dict[str, list[tuple[Any, ...]]] = {}
    at = NOW - timedelta(days=draw(st.integers(0, 70)))
    owners = {name: [make_id(prefix, at, index) for index in range(number)] for name, prefix in
              (("services", "svc"), ("messages", MESSAGE), ("deliveries", DELIVERY))}  # fmt: skip
    for table in COPIED:
        rows[table.name] = []
        for index in range(number):
            row = {column.name: draw(column_values(column)) for column in table.columns}
            keys = {column.name for column in table.primary_key} | {"key", "name", "id", "address", "scope"}
            row |= {name: f"{row[name]}{index}" for name in keys & row.keys() if isinstance(row[name], str)}
            row |= {name: index + 1 for name in ("seq", "number", "position") if name in row}
            if table.name in owners:
                row["id"] = owners[table.name][index]
            owned = {"message_id": "messages", "delivery_id": "deliveries"}
            row |= {name: owners[owner][index] for name, owner in owned.items() if name in row}
            if table.name == "api_keys":
                row["service_id"] = owners["services"][index]
            rows[table.name].append(tuple(row.values()))
    return rows


@settings(
    max_examples=5,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(stores())
async def test_there_and_back_again_every_row_is_the_same(
    postgres: PostgresDatabases, postgres_template: str, rows: Rows
) -> None:
    between = postgres.create_database(postgres_template)
    with TemporaryDirectory() as folder:
        first, last = (f"sqlite:///{folder}/{name}.db" for name in ("first", "last"))
        await insert(first, rows)

        there = await copy_store(first, between, CLOCK, quiet)
        back = await copy_store(between, last, CLOCK, quiet)

        assert there == back == {name: len(held) for name, held in rows.items()}
        assert await rows_of(last) == await rows_of(first)
    postgres.drop_database(between)


async def fill(url: str) -> None:
    """A message that was sent, one that waits, a consent and a suppression."""
    async with open_store(url, CLOCK) as store:
        await store.leases.join(WORKER)
        await store.accepting.accept(new_message(1, key="k"))
        (claim,) = await store.dispatch.claim(WORKER, 1, NOW)
        assert await store.dispatch.reserve(reservation_for(claim))
        await store.dispatch.record(sent_step(claim))
        await store.accepting.accept(new_message(2))
        await store.consents.add_consents([make_consent()])
        await store.suppressions.add_suppression(make_suppression())


async def test_a_store_that_moved_up_goes_on_where_it_was(tmp_path: Path, postgres_url: str) -> None:
    small = f"sqlite:///{tmp_path}/small.db"
    await fill(small)

    await copy_store(small, postgres_url, CLOCK, quiet)

    async with open_store(postgres_url, CLOCK) as store:
        await store.leases.join(WORKER)
        assert await store.accepting.recall(SERVICE, Idempotency(key="k", fingerprint="a" * 64)) is not None
        (claim,) = await store.dispatch.claim(WORKER, 5, NOW + timedelta(minutes=1))
        assert claim.message.id == "msg_000002"
        assert len((await store.suppressions.list_suppressions(None, None, 5, None)).items) == 1
        # New rows are numbered above the copied ones.
        await store.consents.add_consents([make_consent(id="cns_new")])
        await store.accepting.accept(new_message(3))
        async with store.database.reader.connect() as connection:
            numbers = (await connection.execute(sa.select(tables.events.c.seq))).scalars().all()
            assert len(set(numbers)) == len(numbers) == 5


async def test_links_that_were_sent_stay_good_after_a_move(tmp_path: Path, postgres_url: str) -> None:
    small, last = f"sqlite:///{tmp_path}/small.db", f"sqlite:///{tmp_path}/last.db"
    await fill(small)
    async with open_store(small, CLOCK) as store:
        secret = await link_secret(plain(small), store.database)

    await copy_store(small, postgres_url, CLOCK, quiet)
    await copy_store(postgres_url, last, CLOCK, quiet)

    for url in (postgres_url, last):
        async with open_store(url, CLOCK) as store:
            assert await link_secret(plain(url), store.database) == secret


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_target_with_rows_is_left_as_it_is(tmp_path: Path, postgres_url: str, way: str) -> None:
    small = f"sqlite:///{tmp_path}/small.db"
    await fill(small)
    await fill(postgres_url)
    source, target = (small, postgres_url) if way == "up" else (postgres_url, small)
    before = await rows_of(target)

    with pytest.raises(Conflict, match="the target is not empty"):
        await copy_store(source, target, CLOCK, quiet)

    assert await rows_of(target) == before


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_source_that_is_in_use_is_refused(tmp_path: Path, postgres_url: str, way: str) -> None:
    small = f"sqlite:///{tmp_path}/small.db"
    source, target = (small, postgres_url) if way == "up" else (postgres_url, f"sqlite:///{tmp_path}/new.db")
    await fill(source)

    async with open_store(source, CLOCK) as living:
        await living.dispatch.next_due()
        with pytest.raises(Conflict, match="stop every `heliograph serve`"):
            await copy_store(source, target, CLOCK, quiet)

    assert (await copy_store(source, target, CLOCK, quiet))["messages"] == 2


async def test_nobody_writes_to_a_server_while_it_is_copied(tmp_path: Path, postgres_url: str) -> None:
    await fill(postgres_url)
    told: list[str | None] = []

    async def write() -> None:
        connection = await asyncpg.connect(postgres_url, server_settings={"lock_timeout": "50ms"})
        try:
            await connection.execute("UPDATE messages SET status = status")
        except asyncpg.PostgresError as error:
            told.append(error.sqlstate)
        finally:
            await connection.close()

    def interrupt(table: str, done: int, total: int) -> None:
        # Another process, while the copy stands still.
        if table == "messages" and done == total:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, write()).result()

    counts = await copy_store(postgres_url, f"sqlite:///{tmp_path}/last.db", CLOCK, interrupt)

    assert counts["messages"] == 2
    assert told == [asyncpg.LockNotAvailableError.sqlstate]


async def test_a_copy_that_breaks_leaves_the_target_empty(tmp_path: Path, postgres_url: str) -> None:
    small = f"sqlite:///{tmp_path}/small.db"
    await fill(small)

    def break_at_the_end(table: str, done: int, total: int) -> None:
        if table == COPIED[-1].name:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        await copy_store(small, postgres_url, CLOCK, break_at_the_end)

    assert {len(rows) for rows in (await rows_of(postgres_url)).values()} == {0}
    assert (await copy_store(small, postgres_url, CLOCK, quiet))["messages"] == 2


async def test_a_text_that_postgresql_cannot_keep_is_named_by_its_table(tmp_path: Path, postgres_url: str) -> None:
    small = f"sqlite:///{tmp_path}/small.db"
    await fill(small)
    async with open_store(small, CLOCK) as store, store.database.writer.transaction() as connection:
        await connection.execute(tables.deliveries.update().values(reason="a\0b"))

    with pytest.raises(Conflict, match="deliveries"):
        await copy_store(small, postgres_url, CLOCK, quiet)


async def test_where_there_is_no_store_nothing_is_copied_or_made(tmp_path: Path, postgres_url: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no store"):
        await copy_store(f"sqlite:///{tmp_path}/none.db", postgres_url, CLOCK, quiet)

    assert os.listdir(tmp_path) == []


def test_every_table_is_copied_but_those_of_the_running_store() -> None:
    left = {table.name for table in tables.metadata.sorted_tables} - {table.name for table in COPIED}

    assert left == {"workers", "compatibility", "secrets"}
