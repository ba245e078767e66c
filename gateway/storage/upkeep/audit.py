"""The audit trail: entries are added with the deeds that they tell of, and never changed."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from gateway.domain.audit import Actor, AuditAction, AuditEntry
from gateway.domain.ids import AuditId, ServiceId
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.messages import Event
from gateway.ports import AuditQuery, Page
from gateway.storage.columns import stored
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.documents import dump, load
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.events import write_events
from gateway.storage.rows import event_row
from gateway.storage.tables import audit

_insert: Final = Insert(audit)


class Audit:
    """`gateway.ports.AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer

    async def add_audit(self, entry: AuditEntry, event: Event | None = None) -> None:
        """Add an entry that belongs to no other write, with its event in the timeline of a message."""

        async def add(driver: Driver) -> None:
            await write_audit(driver, (entry,))
            await write_events(driver, [] if event is None else [event_row(event)])

        await self._writer.run(add)

    async def list_audit(self, query: AuditQuery, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """Those that match, newest first."""
        select = sa.select(*stored(audit)).where(*_matching(query)).order_by(audit.c.at.desc(), audit.c.id.desc())
        if cursor is not None:
            select = select.where(older_than(cursor, audit.c.at, audit.c.id))
        async with self._reader.connect() as connection:
            rows = (await connection.execute(select.limit(limit + 1))).all()
        items = tuple(_entry_of(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(items=items, next_cursor=cursor_at(items[-1].at, items[-1].id) if more else None)


async def write_audit(driver: Driver, entries: Sequence[AuditEntry]) -> None:
    """Add entries in the transaction of the deeds that they tell of."""
    await driver.insert(_insert, [_row_of(entry) for entry in entries])


def _matching(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    wanted = {audit.c.action: query.action, audit.c.actor: query.actor, audit.c.subject: query.subject}
    conditions = [column == str(value) for column, value in wanted.items() if value is not None]
    if query.since is not None:
        conditions.append(audit.c.at >= query.since)
    if query.until is not None:
        conditions.append(audit.c.at < query.until)
    return conditions


def _row_of(entry: AuditEntry) -> Row:
    return (
        entry.id,
        to_micros(entry.at),
        entry.actor,
        entry.service_id,
        str(entry.action),
        entry.subject,
        entry.reason,
        dump(entry.data),
    )


def _entry_of(row: Row) -> AuditEntry:
    entry_id, at, actor, service_id, action, subject, reason, data = row
    return AuditEntry(
        id=AuditId(entry_id),
        at=from_micros(at),
        actor=Actor(actor),
        service_id=None if service_id is None else ServiceId(service_id),
        action=AuditAction(action),
        subject=subject,
        reason=reason,
        data=load(data),
    )
