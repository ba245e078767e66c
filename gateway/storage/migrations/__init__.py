"""The history of the tables, and the way to the newest: `upgrade` is safe to repeat and to run from many places.

A new version starts as soon as the steps up to `NEEDED` were taken, beside processes of the old one; those after it
wait until the old ones are gone.
"""

from typing import Final

import sqlalchemy as sa

from gateway.errors import ConfigurationError

NEWEST: Final = "0011"
"""The last step in `versions`. A test holds the two together, as it does with NEEDED."""
NEEDED: Final = "0010"
"""The revision that this code cannot work without: the last step that says "pre"."""

_REVISION: Final = "SELECT version_num FROM alembic_version"
_OLDEST: Final = "SELECT oldest FROM compatibility"
_LOCK: Final = "SELECT pg_advisory_xact_lock(7235428014431237491)"
_PATIENCE: Final = "SET LOCAL lock_timeout = '5s'"
"""A step that waits for somebody's long transaction has everybody else wait behind it."""


def current_revision(connection: sa.Connection) -> str | None:
    """The revision that the store is at; None for a fresh one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql(_REVISION).first()
    return None if row is None else str(row[0])


def is_usable(connection: sa.Connection) -> bool:
    """Whether this code can work with the store as it is; False where steps must be taken first.

    Raises ConfigurationError when a newer version has left this one behind.
    """
    current = current_revision(connection)
    if current is not None and current > NEWEST:
        oldest = connection.exec_driver_sql(_OLDEST).scalar_one()
        if oldest > NEWEST:
            raise ConfigurationError(
                f"the store is at revision {current}, which this version of Heliograph does not know: "
                "it was written by a newer one. Upgrade Heliograph, or point store.url at another store."
            )
    return current is not None and current >= NEEDED


def upgrade(connection: sa.Connection, *, pre: bool = False) -> None:
    """Bring the store to this code's newest revision, in the caller's transaction; several at once take turns.

    With `pre` only as far as this code needs, which leaves the version before it working. On SQLite the caller must
    hold the write lock. Raises ConfigurationError when a newer version has left this one behind.
    """
    wanted = NEEDED if pre else NEWEST
    if is_usable(connection) and _is_at(connection, wanted):
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_LOCK)
        connection.exec_driver_sql(_PATIENCE)
        if is_usable(connection) and _is_at(connection, wanted):
            return
    # Alembic takes a fifth of a start's time to import, and is of no use to a store that is up to date.
    from gateway.storage.migrations import steps  # noqa: PLC0415

    steps.take(connection, wanted)


def _is_at(connection: sa.Connection, wanted: str) -> bool:
    return (current_revision(connection) or "") >= wanted
