"""The tables of the store: brought up to date, looked at, and copied from one store to another."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from gateway.errors import ConfigurationError
from gateway.ports import Clock
from gateway.settings import Settings, masked_url
from gateway.storage import migrations
from gateway.storage.engines.engine import Database, engine_of, may_exist, open_database
from gateway.storage.upkeep.copying import copy_rows
from gateway.storage.upkeep.readiness import upgrade

Progress = Callable[[str, int, int], None]
"""Told a table, how many of its rows are done, and how many there are."""


async def upgrade_store(settings: Settings, clock: Clock, *, pre: bool = False) -> None:
    """Bring the store's tables up to date; safe to repeat and to run from many places.

    With `pre` only as far as this version needs, which leaves the one before it working.
    """
    async with _opened(settings.store.url) as database:
        await upgrade(database, clock.now(), pre=pre)


async def read_revisions(settings: Settings) -> tuple[str | None, str]:
    """The revision that the store is at, None for one without tables, and the newest that this code knows."""
    if not may_exist(settings.store.url):
        return None, migrations.NEWEST
    async with _opened(settings.store.url) as database, database.reader.connect() as connection:
        return await connection.run_sync(migrations.current_revision), migrations.NEWEST


async def copy_store(source: str, target: str, clock: Clock, progress: Progress) -> Mapping[str, int]:
    """Copy every row of the store at one URL into the empty one at another; how many went into each table.

    Raises Conflict where rows could be lost, and leaves the target without rows; ConfigurationError for a bad URL.
    """
    for url in (source, target):
        try:
            engine_of(url)
        except ConfigurationError as error:
            raise ConfigurationError(f"{masked_url(url)}: {error.message}") from error
    if not may_exist(source):
        raise ConfigurationError(f"there is no store at {masked_url(source)}")
    async with _opened(source) as read, _opened(target) as write:
        return await copy_rows(read, write, clock.now(), progress)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.aclose()
