"""The tables in the file are those of the code, however often and from wherever one upgrades."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.errors import ConfigurationError
from gateway.storage import migrations, tables
from gateway.storage.engine import Database, open_database
from gateway.storage.migrations import steps
from gateway.storage.store import open_store
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


def compare(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, tables.metadata))


async def upgraded(path: Path) -> Database:
    database = open_database(path)
    async with database.writer.transaction() as connection:
        await connection.run_sync(migrations.upgrade)
    return database


async def test_the_migrations_lead_to_the_tables_of_the_code(tmp_path: Path) -> None:
    database = await upgraded(tmp_path / "store.db")

    async with database.reader.connect() as connection:
        differences = await connection.run_sync(compare)
        revision = await connection.run_sync(migrations.current_revision)
    await database.aclose()

    assert differences == []
    assert revision == migrations.NEWEST == steps.last()


async def test_the_file_s_partial_indexes_are_those_of_the_code(tmp_path: Path) -> None:
    names = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
    database = await upgraded(tmp_path / "store.db")
    plain = sa.create_engine("sqlite://")

    async with database.reader.connect() as connection:
        migrated = (await connection.exec_driver_sql(names)).all()
    await database.aclose()
    with plain.begin() as fresh:
        tables.metadata.create_all(fresh)
        made = fresh.exec_driver_sql(names).all()
    plain.dispose()

    def squeeze(rows: object) -> list[tuple[str, str]]:
        return [(name, "".join(text.split()).replace("(status", "status").rstrip(")")) for name, text in rows]  # type: ignore[attr-defined]

    assert squeeze(migrated) == squeeze(made)


async def test_upgrading_is_safe_to_repeat(tmp_path: Path) -> None:
    for _ in range(3):
        async with open_store(f"sqlite:///{tmp_path / 'store.db'}", SetClock()) as store:
            assert await store.dispatch.next_due() is None


async def test_a_store_that_is_newer_than_the_code_is_refused(tmp_path: Path) -> None:
    database = await upgraded(tmp_path / "store.db")
    async with database.writer.transaction() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    await database.aclose()

    with pytest.raises(ConfigurationError, match="written by a newer one"):
        async with open_store(f"sqlite:///{tmp_path / 'store.db'}", SetClock()):
            pass


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
