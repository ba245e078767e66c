"""Addresses never to be written to."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import SuppressionId
from gateway.domain.instants import to_micros
from gateway.domain.preferences import Suppression
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, comparable
from gateway.domain.values import replace
from gateway.errors import NotFound
from gateway.ports import Page
from gateway.storage.columns import names, stored
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert
from gateway.storage.people.person_rows import suppression_of, suppression_row
from gateway.storage.queue.facts import find_suppressions
from gateway.storage.queue.holds import look_again_at_address
from gateway.storage.tables import suppressions
from gateway.storage.upkeep.audit import write_audit

_SAME: Final = (
    f"SELECT {names(suppressions)} FROM suppressions"  # noqa: S608 - our own names
    " WHERE channel = ? AND (address_hash = ? OR address_hash IS NULL AND address = ?) AND reason = ? AND scope = ?"
)
_PROLONG: Final = "UPDATE suppressions SET expires_at = ? WHERE id = ?"
_LIFTED: Final = "SELECT channel, reason, scope FROM suppressions WHERE id = ?"
_LIFT: Final = "DELETE FROM suppressions WHERE id = ?"
_UNNAMED: Final = "SELECT id, channel, address FROM suppressions WHERE address_hash IS NULL ORDER BY id LIMIT ?"
_DROP_TWIN: Final = (
    "DELETE FROM suppressions WHERE id = ? AND EXISTS (SELECT 1 FROM suppressions t"
    " WHERE t.channel = suppressions.channel AND t.address_hash = ?"
    " AND t.reason = suppressions.reason AND t.scope = suppressions.scope)"
)
_NAME: Final = "UPDATE suppressions SET address_hash = ? WHERE id = ?"
_NAMED_AT_ONCE: Final = 1_000
_insert: Final = Insert(suppressions)


class Suppressions:
    """Implements ports.SuppressionStore."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._pseudonyms = pseudonyms

    async def add_suppression(self, suppression: Suppression) -> Suppression:
        """Add it; the one that stands already for (channel, address, reason, scope) is answered instead.

        It is kept in its comparable spelling. One that has ended makes room, and one that would end sooner is
        prolonged: of two the longer holds.
        """
        return await self._writer.run(lambda driver: suppress(driver, suppression, self._pseudonyms))

    async def add_suppressions(self, suppressions: Sequence[Suppression]) -> Sequence[Suppression]:
        """`add_suppression` for each, all in one transaction."""
        return await self._writer.run(lambda driver: suppress_all(driver, suppressions, self._pseudonyms))

    async def find_suppressed(
        self, addresses: Collection[tuple[Channel, str]], now: datetime
    ) -> Collection[tuple[Channel, str]]:
        """Those of the addresses that any suppression speaks of at that instant, whatever its scope."""
        spelled = {(channel, address): (channel.value, comparable(channel, address)) for channel, address in addresses}
        found = await self._reader.run(
            lambda driver: find_suppressions(driver, set(spelled.values()), self._pseudonyms)
        )
        return {
            given
            for given, spelling in spelled.items()
            if any(one.expires_at is None or one.expires_at > now for one in found.get(spelling, ()))
        }

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
            spellings = [(each.value, comparable(each, address)) for each in ([channel] if channel else Channel)]
            hashes = [self._pseudonyms.of_address(*spelling) for spelling in spellings]
            unnamed = sa.and_(
                suppressions.c.address_hash.is_(None), suppressions.c.address.in_([text for _, text in spellings])
            )
            query = query.where(sa.or_(suppressions.c.address_hash.in_(hashes), unnamed))
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


def address_lock_of(suppression: Suppression) -> str:
    """The same of what is to be suppressed."""
    return address_lock(suppression.channel.value, comparable(suppression.channel, suppression.address or ""))


async def name_addresses(database: Database, pseudonyms: Pseudonyms) -> None:
    """Give every suppression that an older version wrote its keyed hash; one that has none is matched as it reads.

    In portions, each a transaction: whoever is stopped in between goes on at the next start.
    """

    async def name_some(driver: Driver) -> int:
        await driver.lock(["suppressions without a name"])
        rows = await driver.fetch(_UNNAMED, (_NAMED_AT_ONCE,))
        named = [(row[0], pseudonyms.of_address(row[1], row[2])) for row in rows]
        await driver.execute_many(_DROP_TWIN, named)
        await driver.execute_many(_NAME, [(name, row_id) for row_id, name in named])
        return len(rows)

    if await database.lookups.run(lambda driver: driver.fetch(_UNNAMED, (1,))):
        while await database.writer.run(name_some) == _NAMED_AT_ONCE:
            pass


async def suppress_all(
    driver: Driver, suppressions: Sequence[Suppression], pseudonyms: Pseudonyms
) -> Sequence[Suppression]:
    """`suppress` for each, in whatever transaction it is."""
    # All at once, as reservations do: who takes them one by one may meet one of those crosswise.
    await driver.lock([address_lock_of(one) for one in suppressions])
    return [await suppress(driver, one, pseudonyms) for one in suppressions]


async def suppress(driver: Driver, asked: Suppression, pseudonyms: Pseudonyms) -> Suppression:
    """`add_suppression`, within whatever transaction it is."""
    row = suppression_row(asked, pseudonyms)
    suppression = suppression_of(row)
    channel, address, reason, scope = row[1:5]
    await driver.lock([address_lock(channel, address)])
    await look_again_at_address(driver, suppression.channel, address, pseudonyms, to_micros(suppression.created_at))
    found = await driver.fetch(_SAME, (channel, row[-1], address, reason, scope))
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
    await driver.execute(_PROLONG, (row[-2], standing.id))
    return prolonged


def _outlasts(new: Suppression, standing: Suppression) -> bool:
    if standing.expires_at is None:
        return False
    return new.expires_at is None or new.expires_at > standing.expires_at
