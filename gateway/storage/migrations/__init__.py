"""The history of the tables, and the way to the newest: `upgrade` is safe to repeat and to run from many places."""

from typing import Final

import sqlalchemy as sa

from gateway.errors import ConfigurationError

NEWEST: Final = "0001"
"""The revision that this code needs: the last step in `versions`. A test holds the two together."""

_BY_NAME: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
_REVISION: Final = "SELECT version_num FROM alembic_version"


def current_revision(connection: sa.Connection) -> str | None:
    """The revision that the store is at; None for a fresh one."""
    if connection.exec_driver_sql(_BY_NAME).first() is None:
        return None
    row = connection.exec_driver_sql(_REVISION).first()
    return None if row is None else str(row[0])


def upgrade(connection: sa.Connection) -> None:
    """Bring the store to this code's revision, in the caller's transaction, which must hold the write lock.

    Raises ConfigurationError when the store is newer than the code.
    """
    current = current_revision(connection)
    if current == NEWEST:
        return
    # Alembic takes a fifth of a start's time to import, and is of no use to a store that is up to date.
    from gateway.storage.migrations import steps  # noqa: PLC0415

    if not steps.is_known(current):
        raise ConfigurationError(
            f"the store is at revision {current}, which this version of Heliograph does not know: "
            "it was written by a newer one. Upgrade Heliograph, or point store.url at another file."
        )
    steps.take(connection)
