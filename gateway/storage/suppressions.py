"""Addresses never to be written to."""

from typing import Final

import sqlalchemy as sa

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import SuppressionId
from gateway.domain.preferences import Suppression
from gateway.domain.recipients import Channel, comparable
from gateway.domain.values import replace
from gateway.errors import NotFound
from gateway.ports import Page
from gateway.storage.audit import write_audit
from gateway.storage.columns import names, stored
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.driver import Driver
from gateway.storage.engine import Database
from gateway.storage.person_rows import suppression_of, suppression_row
from gateway.storage.statements import Insert
from gateway.storage.tables import suppressions

_SAME: Final = (
    f"SELECT {names(suppressions)} FROM suppressions"  # noqa: S608 - our own names
    " WHERE channel = ? AND address = ? AND reason = ? AND scope = ?"
)
_PROLONG: Final = "UPDATE suppressions SET expires_at = ? WHERE id = ?"
_LIFTED: Final = "SELECT channel, reason, scope FROM suppressions WHERE id = ?"
_LIFT: Final = "DELETE FROM suppressions WHERE id = ?"
_insert: Final = Insert(suppressions, skip=frozenset({"address_hash"}))


class Suppressions:
    """Implements ports.SuppressionStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer

    async def add_suppression(self, suppression: Suppression) -> Suppression:
        """Add it; the one that stands already for (channel, address, reason, scope) is answered instead.

        It is kept in its comparable spelling. One that has ended makes room, and one that would end sooner is
        prolonged: of two the longer holds.
        """
        return await self._writer.run(lambda driver: suppress(driver, suppression))

    async def remove_suppression(self, suppression_id: SuppressionId, entry: AuditEntry) -> None:
        """Lift it, and keep who did so and why. Raises NotFound."""
        await self._writer.run(lambda driver: _lift(driver, suppression_id, entry))

    async def list_suppressions(
        self, channel: Channel | None, address: str | None, limit: int, cursor: str | None
    ) -> Page[Suppression]:
        """Those that match, newest first; ended ones included, with their `expires_at` in the past."""
        query = sa.select(*stored(suppressions)).order_by(suppressions.c.created_at.desc(), suppressions.c.id.desc())
        if channel is not None:
            query = query.where(suppressions.c.channel == channel.value)
        if address is not None:
            spellings = {comparable(each, address) for each in ([channel] if channel else Channel)}
            query = query.where(suppressions.c.address.in_(spellings))
        if cursor is not None:
            query = query.where(older_than(cursor, suppressions.c.created_at, suppressions.c.id))
        async with self._reader.connect() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        items = tuple(suppression_of(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(
            items=items,
            next_cursor=cursor_at(items[-1].created_at, items[-1].id) if more else None,
        )


async def _lift(driver: Driver, suppression_id: SuppressionId, entry: AuditEntry) -> None:
    lifted = await driver.fetch(_LIFTED, (suppression_id,))
    if not lifted:
        raise NotFound(f"There is no suppression {suppression_id}.")
    ((channel, reason, scope),) = lifted
    told = {**entry.data, "channel": channel, "reason": reason, "scope": scope}
    await write_audit(driver, [replace(entry, data=told)])
    await driver.execute(_LIFT, (suppression_id,))


def address_lock(channel: str, address: str) -> str:
    """The name of the lock between those who suppress an address and those who are about to write to it."""
    return f"{channel}:{address}"


async def suppress(driver: Driver, asked: Suppression) -> Suppression:
    """`add_suppression`, within whatever transaction it is."""
    row = suppression_row(asked)
    suppression = suppression_of(row)
    await driver.lock([address_lock(row[1], row[2])])
    found = await driver.fetch(_SAME, row[1:5])
    if not found:
        await driver.insert(_insert, [row])
        return suppression
    standing = suppression_of(found[0])
    if not _outlasts(suppression, standing):
        return standing
    if standing.expires_at is not None and standing.expires_at <= suppression.created_at:
        await driver.execute(_LIFT, (standing.id,))
        await driver.insert(_insert, [row])
        return suppression
    prolonged = replace(standing, expires_at=suppression.expires_at)
    await driver.execute(_PROLONG, (row[-1], standing.id))
    return prolonged


def _outlasts(new: Suppression, standing: Suppression) -> bool:
    if standing.expires_at is None:
        return False
    return new.expires_at is None or new.expires_at > standing.expires_at
