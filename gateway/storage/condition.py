"""Whether the store can commit now, asked by committing."""

import shutil
import sqlite3
from typing import Final

from gateway.errors import Unavailable
from gateway.ports import StoreCondition
from gateway.storage import migrations
from gateway.storage.engine import WAL_RESET_MENDED, Database

ROOM_BYTES: Final = 256 * 1024
"""What must be free on the disk: a message takes many pages, so that the probe's one may fit where none does."""
_REVISION: Final = "SELECT version_num FROM alembic_version"


class Condition:
    """`gateway.ports.ConditionStore` on SQLite."""

    def __init__(self, database: Database, *, room_bytes: int = ROOM_BYTES) -> None:
        self._database = database
        self._room_bytes = room_bytes

    async def probe(self) -> StoreCondition:
        """Make one durable commit and say what the store is. Raises Unavailable when it cannot commit."""
        revision = await self._database.writer.run(self._commit)
        return StoreCondition(
            revision=revision,
            is_current=revision == migrations.NEWEST,
            engine=f"SQLite {sqlite3.sqlite_version}",
            warnings=() if sqlite3.sqlite_version_info >= WAL_RESET_MENDED else (_DEFECT,),
        )

    def _commit(self, driver: sqlite3.Connection) -> str:
        if shutil.disk_usage(self._database.path.parent).free < self._room_bytes:
            raise Unavailable("the store cannot be used now: the disk is full")
        return _commit_something(driver)


_DEFECT: Final = (
    f"SQLite {sqlite3.sqlite_version} may damage a file that two processes write at once (sqlite.org/wal.html); "
    f"mended in {'.'.join(map(str, WAL_RESET_MENDED))}: let one process only use the store, or upgrade the library."
)


def _commit_something(driver: sqlite3.Connection) -> str:
    # Setting the version that nothing reads to what it is writes its page anew: a commit like any other.
    (version,) = driver.execute("PRAGMA user_version").fetchone()
    driver.execute(f"PRAGMA user_version = {int(version)}")
    (revision,) = driver.execute(_REVISION).fetchone()
    return str(revision)
