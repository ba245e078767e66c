"""Whether the store can commit now, asked by committing."""

import sqlite3
from typing import Final

from gateway.ports import StoreCondition
from gateway.storage import migrations
from gateway.storage.engine import WAL_RESET_MENDED, Database

_REVISION: Final = "SELECT version_num FROM alembic_version"


class Condition:
    """`gateway.ports.ConditionStore` on SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def probe(self) -> StoreCondition:
        """Make one durable commit and say what the store is. Raises Unavailable when it cannot commit."""
        revision = await self._database.writer.run(_commit_something)
        return StoreCondition(
            revision=revision,
            is_current=revision == migrations.NEWEST,
            engine=f"SQLite {sqlite3.sqlite_version}",
            warnings=() if sqlite3.sqlite_version_info >= WAL_RESET_MENDED else (_DEFECT,),
        )


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
