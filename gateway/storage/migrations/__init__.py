"""The history of the tables, and the way to the newest: `upgrade` is safe to repeat and to run from many places."""

from importlib.resources import files
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from gateway.errors import ConfigurationError

_LOCATION: Final = str(files(__name__))


def _configure(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", _LOCATION.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The revision that this code needs."""
    return str(ScriptDirectory.from_config(_configure()).get_current_head())


def current_revision(connection: sa.Connection) -> str | None:
    """The revision that the store is at; None for a fresh one."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: sa.Connection) -> None:
    """Bring the store to this code's revision, in the caller's transaction, which must hold the write lock.

    Raises ConfigurationError when the store is newer than the code.
    """
    current = current_revision(connection)
    if current == head_revision():
        return
    try:
        ScriptDirectory.from_config(_configure()).get_revision(current or "base")
    except CommandError as error:
        raise ConfigurationError(
            f"the store is at revision {current}, which this version of Heliograph does not know: "
            "it was written by a newer one. Upgrade Heliograph, or point store.url at another file."
        ) from error
    command.upgrade(_configure(connection), "head")
