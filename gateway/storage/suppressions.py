"""Addresses never to be written to."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import SuppressionId
from gateway.domain.preferences import Suppression, SuppressionReason
from gateway.domain.recipients import Channel, comparable
from gateway.errors import NotFound
from gateway.ports import Page
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.engine import Database
from gateway.storage.tables import suppressions

log = structlog.get_logger()


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
        suppression = replace(suppression, address=comparable(suppression.channel, suppression.address))
        async with self._writer.transaction() as connection:
            standing = await _find_same(connection, suppression)
            if standing is None:
                await connection.execute(suppressions.insert().values(_row(suppression)))
                return suppression
            if not _outlasts(suppression, standing):
                return standing
            mine = suppressions.c.id == standing.id
            if standing.expires_at is not None and standing.expires_at <= suppression.created_at:
                await connection.execute(suppressions.update().where(mine).values(_row(suppression)))
                return suppression
            prolonged = (
                suppressions.update().where(mine).values(expires_at=suppression.expires_at).returning(*suppressions.c)
            )
            return _suppression((await connection.execute(prolonged)).one())

    async def remove_suppression(self, suppression_id: SuppressionId, event_by: str, now: datetime) -> None:
        """Lift it. Raises NotFound."""
        async with self._writer.transaction() as connection:
            gone = await connection.execute(suppressions.delete().where(suppressions.c.id == suppression_id))
        if not gone.rowcount:
            raise NotFound(f"There is no suppression {suppression_id}.")
        log.info("suppression.removed", suppression=suppression_id, by=event_by, at=now.isoformat())

    async def list_suppressions(
        self, channel: Channel | None, address: str | None, limit: int, cursor: str | None
    ) -> Page[Suppression]:
        """Those that match, newest first; ended ones included, with their `expires_at` in the past."""
        query = sa.select(suppressions).order_by(suppressions.c.created_at.desc(), suppressions.c.id.desc())
        if channel is not None:
            query = query.where(suppressions.c.channel == channel.value)
        if address is not None:
            spellings = {comparable(each, address) for each in ([channel] if channel else Channel)}
            query = query.where(suppressions.c.address.in_(spellings))
        if cursor is not None:
            query = query.where(older_than(cursor, suppressions.c.created_at, suppressions.c.id))
        async with self._reader.connect() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        items = tuple(_suppression(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(
            items=items,
            next_cursor=cursor_at(items[-1].created_at, items[-1].id) if more else None,
        )


async def _find_same(connection: AsyncConnection, suppression: Suppression) -> Suppression | None:
    query = sa.select(suppressions).where(
        suppressions.c.channel == suppression.channel.value,
        suppressions.c.address == suppression.address,
        suppressions.c.reason == suppression.reason.value,
        suppressions.c.scope == suppression.scope,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _suppression(row)


def _outlasts(new: Suppression, standing: Suppression) -> bool:
    if standing.expires_at is None:
        return False
    return new.expires_at is None or new.expires_at > standing.expires_at


def _row(suppression: Suppression) -> dict[str, Any]:
    return {
        "id": suppression.id,
        "channel": suppression.channel.value,
        "address": suppression.address,
        "reason": suppression.reason.value,
        "scope": suppression.scope,
        "evidence": None if suppression.evidence is None else dict(suppression.evidence),
        "created_at": suppression.created_at,
        "expires_at": suppression.expires_at,
    }


def _suppression(row: "sa.Row[Any]") -> Suppression:
    return Suppression(
        id=SuppressionId(row.id),
        channel=Channel(row.channel),
        address=row.address,
        reason=SuppressionReason(row.reason),
        scope=row.scope,
        evidence=row.evidence,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
