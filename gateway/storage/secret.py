"""The secret that signs links when the settings name none: made once, kept beside a SQLite file or in PostgreSQL."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gateway.errors import ConfigurationError
from gateway.storage.engine import Database
from gateway.storage.tables import secrets as table

_BYTES: Final = 32
LINKS: Final = "links"
"""The name of the secret in the table."""


async def shared_secret(database: Database) -> bytes:
    """The secret that all processes on one PostgreSQL share, made by whoever comes first."""
    new = insert(table).values(name=LINKS, value=secrets.token_bytes(_BYTES)).on_conflict_do_nothing()
    async with database.writer.transaction() as connection:
        await connection.execute(new)
    async with database.reader.connect() as connection:
        return bytes((await connection.execute(sa.select(table.c.value).where(table.c.name == LINKS))).scalar_one())


def signing_secret(database: Path) -> bytes:
    """Read `<database>.secret`, or make it at the first start, readable by its owner alone.

    Two processes that start at once agree on one: whoever links the whole file first wins. Raises
    ConfigurationError for a file that cannot be read or made.
    """
    path = database.with_name(f"{database.name}.secret")
    try:
        if not path.exists():
            _make(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: the signing secret cannot be read or made: {error}") from error
    if len(secret) < _BYTES:
        raise ConfigurationError(f"{path}: the signing secret is too short; remove the file to have a new one made")
    return secret


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
