"""Before a store is used: its tables are those that this code needs, made here or by whoever upgrades it."""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog

from gateway.errors import ConfigurationError
from gateway.storage import migrations
from gateway.storage.engines.engine import Database
from gateway.storage.upkeep import partitions

log = structlog.get_logger()

_LOOK_SECONDS: Final = 1.0
_BEHIND: Final = "the store's tables are not there yet, or of an older version: run `heliograph db upgrade`"


class WhenBehind(StrEnum):
    """What is done about tables that this code cannot work with yet."""

    UPGRADE = "upgrade"
    """Take the steps here: who opens it is the only one, or the first of several alike."""
    WAIT = "wait"
    """Wait until they were taken."""
    REFUSE = "refuse"
    """Raise ConfigurationError: a command should not stand still."""


async def make_ready(database: Database, now: datetime, when_behind: WhenBehind) -> None:
    """Return when the store can be used.

    Raises ConfigurationError when newer code has left this one behind, Unavailable for a store that is away.
    """
    match when_behind:
        case WhenBehind.UPGRADE:
            await upgrade(database, now)
        case WhenBehind.WAIT:
            await _wait(database)
        case WhenBehind.REFUSE:
            if not await _is_usable(database):
                raise ConfigurationError(_BEHIND)


async def upgrade(database: Database, now: datetime, *, pre: bool = False) -> None:
    """Take the steps that are missing, and make the months to come; safe to repeat and to run from many places."""
    async with database.migration() as connection:
        await connection.run_sync(lambda sync: migrations.upgrade(sync, pre=pre))
        await connection.run_sync(partitions.make_partitions, partitions.months_ahead(now))


async def _wait(database: Database) -> None:
    told = False
    while not await _is_usable(database):
        if not told:
            log.warning("store.waiting", reason=_BEHIND)
            told = True
        await asyncio.sleep(_LOOK_SECONDS)


async def _is_usable(database: Database) -> bool:
    async with database.reader.connect() as connection:
        return await connection.run_sync(migrations.is_usable)
