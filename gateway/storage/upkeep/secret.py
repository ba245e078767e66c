"""The gateway's own secret: made once, and the same for every process of a store.

It names people and addresses that were erased, and signs links where the settings say nothing else. On SQLite it lies
in a file beside the database, readable by its owner alone; on PostgreSQL, where processes share nothing else, in a
table.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.pseudonyms import Pseudonyms
from gateway.errors import ConfigurationError
from gateway.storage import tables
from gateway.storage.engines.engine import Database

_BYTES: Final = 32
_LINKS: Final = "links"
_PSEUDONYMS: Final = "pseudonyms"
"""Not a secret itself: what tells the one in use from another."""


async def signing_secret(database: Database) -> bytes:
    """Read it, or make it at the first start; processes that start at once agree on one.

    Raises ConfigurationError for a file that cannot be read or made, Unavailable for a server that is away.
    """
    if database.path is not None:
        return _secret_in(_file_of(database.path))
    async with database.reader.connect() as connection:
        kept = await _select(connection, _LINKS)
    if kept is not None:
        return kept
    async with database.writer.transaction() as connection:
        return await _insert(connection, _LINKS, secrets.token_bytes(_BYTES))


async def kept_pseudonyms(database: Database) -> Pseudonyms:
    """The names that this store knows people and addresses by, whatever the settings say of links.

    The store remembers which key they were made with. Raises ConfigurationError for another one: what is suppressed
    under a name would be written to again.
    """
    pseudonyms = Pseudonyms(await signing_secret(database))
    check = pseudonyms.check.encode()
    async with database.reader.connect() as connection:
        known = await _select(connection, _PSEUDONYMS)
    if known is None:
        async with database.writer.transaction() as connection:
            known = await _insert(connection, _PSEUDONYMS, check)
    if known != check:
        where = "the table `secrets`" if database.path is None else str(_file_of(database.path))
        raise ConfigurationError(
            f"{where}: the secret is not the one that this store's suppressions are kept under, and addresses that"
            " must not be written to would be: put the store's own secret back from a backup"
        )
    return pseudonyms


def secret_of(connection: sa.Connection) -> bytes:
    """The secret of the store behind a connection, for a migration's step; made where there is none yet.

    Raises ConfigurationError.
    """
    if connection.dialect.name == "sqlite":
        (database,) = (row[2] for row in connection.exec_driver_sql("PRAGMA database_list") if row[1] == "main")
        return _secret_in(_file_of(Path(database)))
    row = postgresql.insert(tables.secrets).values(name=_LINKS, value=secrets.token_bytes(_BYTES))
    connection.execute(row.on_conflict_do_nothing())
    query = sa.select(tables.secrets.c.value).where(tables.secrets.c.name == _LINKS)
    secret: bytes = connection.execute(query).scalar_one()
    return secret


async def read_secret(database: Database, connection: AsyncConnection) -> bytes | None:
    """The secret that was made for this store; None where none was. Raises ConfigurationError."""
    if database.path is None:
        return await _select(connection, _LINKS)
    file = _file_of(database.path)
    return _secret_in(file) if file.exists() else None


async def keep_secret(database: Database, connection: AsyncConnection, secret: bytes | None) -> None:
    """Give a store that is a copy the other one's secret: links that were sent stay good, and names mean the same."""
    if secret is None:
        return
    await connection.execute(tables.secrets.delete())
    await _insert(connection, _PSEUDONYMS, Pseudonyms(secret).check.encode())
    if database.path is None:
        await _insert(connection, _LINKS, secret)
    else:
        file = _file_of(database.path)
        file.unlink(missing_ok=True)
        _write(file, secret)


async def _insert(connection: AsyncConnection, name: str, value: bytes) -> bytes:
    """Keep it unless there is one; the one that is kept."""
    # Both engines spell this alike.
    row = postgresql.insert(tables.secrets).values(name=name, value=value)
    await connection.execute(row.on_conflict_do_nothing())
    return await _select(connection, name) or b""


async def _select(connection: AsyncConnection, name: str) -> bytes | None:
    query = sa.select(tables.secrets.c.value).where(tables.secrets.c.name == name)
    value: bytes | None = await connection.scalar(query)
    return value


def _file_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.secret")


def _secret_in(path: Path) -> bytes:
    try:
        if not path.exists():
            _write(path, secrets.token_bytes(_BYTES))
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: the store's secret cannot be read or made: {error}") from error
    if len(secret) < _BYTES:
        raise ConfigurationError(f"{path}: the store's secret is too short; put the whole file back from a backup")
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
