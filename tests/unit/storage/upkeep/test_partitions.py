"""Months on PostgreSQL: each has its partition in time, and what came without one finds its place later."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.domain.ids import MESSAGE, make_id
from gateway.storage import migrations, tables
from gateway.storage.upkeep import partitions

NOW = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))


@pytest.fixture
async def engine(empty_postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """A PostgreSQL store with default partitions only."""
    made = create_async_engine(sa.make_url(empty_postgres_url).set(drivername="postgresql+asyncpg"))
    async with made.begin() as connection:
        await connection.run_sync(migrations.upgrade)
    yield made
    await made.dispose()


async def add_event(connection: AsyncConnection, at: datetime) -> str:
    message_id = make_id(MESSAGE, at)
    row = {"id": "evt_1", "message_id": message_id, "type": "accepted", "at": at, "data": {}}
    await connection.execute(tables.events.insert().values(row))
    return message_id


async def place_of(connection: AsyncConnection, message_id: str) -> str:
    query = sa.text("SELECT tableoid::regclass::text FROM events WHERE message_id = :id")
    return str(await connection.scalar(query, {"id": message_id}))


@given(instants)
def test_an_id_lies_within_the_bounds_of_its_month(at: datetime) -> None:
    first, beyond = partitions.bounds(MESSAGE, partitions.month_of(at))

    assert first <= make_id(MESSAGE, at) < beyond


@given(instants, st.timedeltas(timedelta(0), timedelta(days=800)))
def test_the_months_that_should_be_ready_follow_each_other_without_a_gap(since: datetime, later: timedelta) -> None:
    now = since + later

    months = partitions.months_ahead(now, since)

    assert months[0] == partitions.month_of(since)
    assert [partitions.next_month(month) for month in months[:-1]] == list(months[1:])
    assert months.index(partitions.month_of(now)) == len(months) - 1 - partitions.AHEAD


async def test_partitions_are_made_once_and_take_the_rows_of_their_month(engine: AsyncEngine) -> None:
    months = partitions.months_ahead(NOW)

    async with engine.begin() as connection:
        made = await connection.run_sync(partitions.make_partitions, months)
        again = await connection.run_sync(partitions.make_partitions, months)
        known = await connection.run_sync(partitions.partition_months)
        place = await place_of(connection, await add_event(connection, NOW))

    assert (made, again) == (3, 0)
    assert known == list(months)
    assert place == "events_2026_11"


async def test_a_row_of_no_month_is_taken_and_moves_when_its_month_is_made(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        early, other = await add_event(connection, NOW), await add_event(connection, NOW - timedelta(days=400))
        assert await place_of(connection, early) == "events_rest"

        await connection.run_sync(partitions.make_partitions, partitions.months_ahead(NOW))

        assert await place_of(connection, early) == "events_2026_11"
        assert await place_of(connection, other) == "events_rest"


async def test_a_month_is_dropped_whole_and_takes_nothing_else_along(engine: AsyncEngine) -> None:
    last_month = partitions.month_of(NOW - timedelta(days=30))
    async with engine.begin() as connection:
        await connection.run_sync(partitions.make_partitions, partitions.months_ahead(NOW, last_month))
        old, new = await add_event(connection, last_month), await add_event(connection, NOW)

        await connection.run_sync(partitions.drop_partitions, last_month)

        kept = (await connection.execute(sa.select(tables.events.c.message_id))).scalars().all()
        assert kept == [new] != [old]
        assert last_month not in await connection.run_sync(partitions.partition_months)
