"""The steps between revisions, which Alembic knows and takes."""

from importlib.resources import files
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

_LOCATION: Final = str(files("gateway.storage.migrations"))


def _configure(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", _LOCATION.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def last() -> str:
    """The revision that the last step leads to."""
    return str(ScriptDirectory.from_config(_configure()).get_current_head())


def is_known(revision: str | None) -> bool:
    """Whether a step leads to this revision; None, a fresh store, is always known."""
    try:
        ScriptDirectory.from_config(_configure()).get_revision(revision or "base")
    except CommandError:
        return False
    return True


def take(connection: sa.Connection) -> None:
    """Take every step that the store has before it, in the transaction that is open."""
    command.upgrade(_configure(connection), "head")
