"""The steps between revisions, which Alembic knows and takes."""

from importlib.resources import files
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

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


def phases() -> list[tuple[str, str]]:
    """Every step's revision and phase, in the order in which they are taken."""
    history = ScriptDirectory.from_config(_configure()).walk_revisions()
    return [(step.revision, step.module.phase) for step in reversed(list(history))]


def take(connection: sa.Connection, revision: str) -> None:
    """Take every step up to this revision that the store has before it, in the transaction that is open."""
    command.upgrade(_configure(connection), revision)
