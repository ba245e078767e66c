"""Whether the store can commit now, asked by committing."""

import shutil
import sqlite3
from pathlib import Path
from typing import Final, assert_never

from gateway.errors import Unavailable
from gateway.ports import StoreCondition
from gateway.storage import migrations
from gateway.storage.engines.driver import Driver, Engine
from gateway.storage.engines.engine import Database
from gateway.storage.engines.sqlite import WAL_RESET_MENDED

ROOM_BYTES: Final = 256 * 1024
"""What must be free on the disk: a message takes many pages, so that the probe's one may fit where none does."""
_REVISION: Final = "SELECT version_num FROM alembic_version"
_SETTINGS: Final = (
    "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"
)


class Condition:
    """`gateway.ports.ConditionStore`."""

    def __init__(self, database: Database, *, room_bytes: int = ROOM_BYTES) -> None:
        self._database = database
        self._room_bytes = room_bytes

    async def probe(self) -> StoreCondition:
        """Make one durable commit and say what the store is. Raises Unavailable when it cannot commit."""
        return await self._database.writer.run(self._commit)

    async def _commit(self, driver: Driver) -> StoreCondition:
        match driver.engine:
            case Engine.SQLITE:
                return await _commit_to_file(driver, self._database.path, self._room_bytes)
            case Engine.POSTGRESQL:
                return await _commit_to_server(driver)
            case never:
                assert_never(never)


_DEFECT: Final = (
    f"SQLite {sqlite3.sqlite_version} may damage a file that two processes write at once (sqlite.org/wal.html); "
    f"mended in {'.'.join(map(str, WAL_RESET_MENDED))}: let one process only use the store, or upgrade the library."
)
_FORGETFUL: Final = "PostgreSQL runs with {setting} = off: a power cut may take back what a 202 promised."


async def _commit_to_file(driver: Driver, path: Path | None, room_bytes: int) -> StoreCondition:
    if path is not None and shutil.disk_usage(path.parent).free < room_bytes:
        raise Unavailable("the store cannot be used now: the disk is full")
    # Setting the version that nothing reads to what it is writes its page anew: a commit like any other.
    ((version,),) = await driver.fetch("PRAGMA user_version")
    await driver.execute(f"PRAGMA user_version = {int(version)}")
    ((revision,),) = await driver.fetch(_REVISION)
    return StoreCondition(
        revision=revision,
        is_current=revision >= migrations.NEEDED,
        engine=f"SQLite {sqlite3.sqlite_version}",
        warnings=() if sqlite3.sqlite_version_info >= WAL_RESET_MENDED else (_DEFECT,),
    )


async def _commit_to_server(driver: Driver) -> StoreCondition:
    # Locking a row writes to the log: a commit like any other.
    ((revision,),) = await driver.fetch(f"{_REVISION} FOR UPDATE")
    ((version, fsync, synchronous),) = await driver.fetch(_SETTINGS)
    settings = {"fsync": fsync, "synchronous_commit": synchronous}
    return StoreCondition(
        revision=revision,
        is_current=revision >= migrations.NEEDED,
        engine=f"PostgreSQL {version.partition(' ')[0]}",
        warnings=tuple(_FORGETFUL.format(setting=name) for name, value in settings.items() if value == "off"),
    )
