"""The secret that signs links when the settings name none: made once, and the same for every process of a store.

On SQLite it lies in a file beside the database, readable by its owner alone; on PostgreSQL, where processes share
nothing else, in a table.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import ConfigurationError
from gateway.storage import tables
from gateway.storage.engine import Database

_BYTES: Final = 32
_LINKS: Final = "links"


async def signing_secret(database: Database) -> bytes:
    """Read it, or make it at the first start; processes that start at once agree on one.

    Raises ConfigurationError for a file that cannot be read or made, Unavailable for a server that is away.
    """
    if database.path is not None:
        return _secret_in(_file_of(database.path))
    async with database.writer.transaction() as connection:
        await _insert(connection, secrets.token_bytes(_BYTES))
        return await _select(connection) or b""


async def read_secret(database: Database, connection: AsyncConnection) -> bytes | None:
    """The secret that was made for this store; None where none was. Raises ConfigurationError."""
    if database.path is None:
        return await _select(connection)
    file = _file_of(database.path)
    return _secret_in(file) if file.exists() else None


async def keep_secret(database: Database, connection: AsyncConnection, secret: bytes | None) -> None:
    """Give a store without links another one's secret, so that links which were sent stay good."""
    if secret is None:
        return
    if database.path is None:
        await _insert(connection, secret)
    else:
        file = _file_of(database.path)
        file.unlink(missing_ok=True)
        _write(file, secret)


async def _insert(connection: AsyncConnection, secret: bytes) -> None:
    row = postgresql.insert(tables.secrets).values(name=_LINKS, value=secret)
    await connection.execute(row.on_conflict_do_nothing())


async def _select(connection: AsyncConnection) -> bytes | None:
    query = sa.select(tables.secrets.c.value).where(tables.secrets.c.name == _LINKS)
    secret: bytes | None = await connection.scalar(query)
    return secret


def _file_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.secret")


def _secret_in(path: Path) -> bytes:
    try:
        if not path.exists():
            _write(path, secrets.token_bytes(_BYTES))
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: the signing secret cannot be read or made: {error}") from error
    if len(secret) < _BYTES:
        raise ConfigurationError(f"{path}: the signing secret is too short; remove the file to have a new one made")
    return secret


def _write(path: Path, secret: bytes) -> None:
    """Put the whole file in its place at once; whoever does so first wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret.hex())
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
