"""The tables in the store are those of the code, on both engines, however often and from wherever one upgrades."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.delivery.people.ledger import verify
from gateway.domain.ids import ConsentId, ServiceId
from gateway.errors import ConfigurationError
from gateway.storage import migrations, tables
from gateway.storage.engines.engine import open_database
from gateway.storage.migrations import steps
from gateway.storage.store import open_store
from tests.factories import make_consent
from tests.fakes import SetClock

OPEN = """
import asyncio, sys
from gateway.storage.store import open_store
from tests.fakes import SetClock

async def main():
    async with open_store(sys.argv[1], SetClock()) as store:
        assert await store.dispatch.next_due() is None

asyncio.run(main())
"""
ENGINES = ("sqlite", "postgresql")


@pytest.fixture(params=ENGINES)
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """A store without tables."""
    if request.param == "sqlite":
        url = sa.make_url(f"sqlite+aiosqlite:///{tmp_path}/store.db")
    else:
        url = sa.make_url(request.getfixturevalue("empty_postgres_url")).set(drivername="postgresql+asyncpg")
    made = create_async_engine(url)
    yield made
    await made.dispose()


@pytest.fixture
async def upgraded(engine: AsyncEngine) -> AsyncEngine:
    """A store with the newest tables."""
    async with engine.begin() as connection:
        await connection.run_sync(migrations.upgrade)
    return engine


def compare(connection: sa.Connection) -> list[object]:
    engine = connection.dialect.name

    def include(thing: sa.schema.SchemaItem, name: str | None, kind: str, reflected: bool, _: object) -> bool:
        if kind == "table" and reflected:
            return name in tables.metadata.tables
        condition = getattr(thing, "_ddl_if", None)
        return condition is None or condition.dialect == engine

    options = {"compare_type": True, "include_object": include}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))


async def test_the_migrations_lead_to_the_tables_of_the_code(upgraded: AsyncEngine) -> None:
    async with upgraded.connect() as connection:
        differences = await connection.run_sync(compare)
        revision = await connection.run_sync(migrations.current_revision)

    assert differences == []
    assert revision == migrations.NEWEST == steps.last()


async def test_every_text_of_postgresql_is_compared_byte_by_byte(empty_postgres_url: str) -> None:
    engine = create_async_engine(sa.make_url(empty_postgres_url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(migrations.upgrade)

        others = await connection.execute(
            sa.text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
            )
        )

    assert others.all() == []
    await engine.dispose()


async def test_the_partial_indexes_are_those_of_the_code(tmp_path: Path) -> None:
    names = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
    plain, other = sa.create_engine(f"sqlite:///{tmp_path}/migrated.db"), sa.create_engine("sqlite://")

    with plain.begin() as connection:
        migrations.upgrade(connection)
        migrated = connection.exec_driver_sql(names).all()
    with other.begin() as fresh:
        tables.metadata.create_all(fresh)
        made = fresh.exec_driver_sql(names).all()
    plain.dispose()
    other.dispose()

    def squeeze(rows: object) -> list[tuple[str, str]]:
        return [(name, "".join(text.split()).replace("(status", "status").rstrip(")")) for name, text in rows]  # type: ignore[attr-defined]

    assert squeeze(migrated) == squeeze(made)


async def test_upgrading_is_safe_to_repeat_and_to_run_at_once(engine: AsyncEngine) -> None:
    async def upgrade() -> None:
        async with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            await connection.run_sync(migrations.upgrade)
            await connection.commit()

    await asyncio.gather(*(upgrade() for _ in range(4)))
    await upgrade()

    async with engine.connect() as connection:
        assert await connection.run_sync(migrations.current_revision) == migrations.NEWEST


def test_the_steps_are_numbered_without_gaps_and_each_says_its_phase() -> None:
    taken = steps.phases()

    assert [revision for revision, _ in taken] == [f"{number:04}" for number in range(1, len(taken) + 1)]
    assert {phase for _, phase in taken} <= {"pre", "post"}
    assert max(revision for revision, phase in taken if phase == "pre") == migrations.NEEDED
    assert taken[-1][0] == migrations.NEWEST


async def test_a_store_of_the_first_release_is_brought_up_to_date(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: steps.take(sync, "0001"))
        assert not await connection.run_sync(migrations.is_usable)

        await connection.run_sync(lambda sync: migrations.upgrade(sync, pre=True))

        assert await connection.run_sync(migrations.is_usable)


async def test_the_version_before_goes_on_beside_a_newer_one_until_it_is_left_behind(upgraded: AsyncEngine) -> None:
    async with upgraded.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9998'")
        assert await connection.run_sync(migrations.is_usable)
        await connection.run_sync(migrations.upgrade)
        assert await connection.run_sync(migrations.current_revision) == "9998"

        await connection.exec_driver_sql("UPDATE compatibility SET oldest = '9999'")

        with pytest.raises(ConfigurationError, match="written by a newer one"):
            await connection.run_sync(migrations.is_usable)
        with pytest.raises(ConfigurationError, match="written by a newer one"):
            await connection.run_sync(migrations.upgrade)


def test_opening_an_up_to_date_store_does_not_wait_for_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    script = OPEN + "\nprint('alembic' in sys.modules)"

    runs = [subprocess.check_output((sys.executable, "-c", script, url), text=True) for _ in range(2)]

    assert [run.splitlines()[-1] for run in runs] == ["True", "False"]


async def test_processes_that_start_together_on_a_fresh_file_all_open_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'store.db'}"
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPEN, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]

    results = await asyncio.gather(*(child.communicate() for child in children))

    assert [child.returncode for child in children] == [0] * 3, results


LINE = (
    "INSERT INTO consents (id, service_id, recipient_id, channel, topic, state, source, wording, evidence, at,"
    " recorded_at) VALUES ('{0}', 'svc_{1}', 'user-42', 'email', 'offers', 'granted', 'form', 'Yes',"
    """ '{{"b": [1, 2.5], "a": "é"}}', 1700000000000001, 1700000000000002)"""
)


@pytest.mark.parametrize("engine_name", ENGINES)
async def test_consents_of_versions_without_a_chain_are_put_into_one(
    request: pytest.FixtureRequest, tmp_path: Path, engine_name: str
) -> None:
    fixture = "empty_postgres_url"
    url = f"sqlite:///{tmp_path}/store.db" if engine_name == "sqlite" else request.getfixturevalue(fixture)
    database = open_database(url)
    async with database.migration() as connection:
        await connection.run_sync(lambda sync: steps.take(sync, "0003"))
        for number in range(5):
            await connection.exec_driver_sql(LINE.format(f"cns_{number}", number % 2))
        await connection.run_sync(lambda sync: steps.take(sync, "0004"))
    await database.aclose()

    async with open_store(url, SetClock()) as store:
        await store.consents.add_consents([make_consent(id=ConsentId("cns_new"), service_id=ServiceId("svc_0"))])
        found = await verify(store.ledger, store.audit, store.pseudonyms.of_person, (), lambda _done, _total: None)

    assert (found.lines, found.findings) == (6, ())
    assert {head.service_id: head.length for head in found.heads} == {"svc_0": 4, "svc_1": 2}
