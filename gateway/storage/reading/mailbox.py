"""What the mailbox provider keeps for people to look at."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from gateway.domain.ids import DeliveryId
from gateway.domain.instants import to_micros
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from gateway.ports import MailboxItem, Page
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.documents import dump
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.tables import mailbox


class Mailbox:
    """Implements ports.MailboxStore."""

    def __init__(self, database: Database, commit: GroupCommit) -> None:
        self._reader = database.reader
        self._commit = commit

    async def keep(self, item: MailboxItem) -> bool:
        """Keep it unless this delivery is there already; True when it is new. Durable on return."""
        return await self._commit.write(_keep, item)

    async def get_item(self, delivery_id: DeliveryId) -> MailboxItem:
        """Raises NotFound."""
        async with self._reader.connect() as connection:
            query = sa.select(mailbox).where(mailbox.c.delivery_id == delivery_id)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"The mailbox holds nothing of {delivery_id}.")
        return _item(row, row.raw)

    async def list_items(self, channel: Channel | None, limit: int, cursor: str | None) -> Page[MailboxItem]:
        """Newest first, without `raw`."""
        columns = [column for column in mailbox.c if column is not mailbox.c.raw]
        query = sa.select(*columns).order_by(mailbox.c.received_at.desc(), mailbox.c.delivery_id.desc())
        if channel is not None:
            query = query.where(mailbox.c.channel == channel.value)
        if cursor is not None:
            query = query.where(older_than(cursor, mailbox.c.received_at, mailbox.c.delivery_id))
        async with self._reader.connect() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        items = tuple(_item(row, None) for row in rows[:limit])
        more = len(rows) > limit
        return Page(
            items=items,
            next_cursor=cursor_at(items[-1].received_at, items[-1].delivery_id) if more else None,
        )


_insert: Final = Insert(mailbox, suffix=" ON CONFLICT DO NOTHING RETURNING delivery_id")


async def _keep(driver: Driver, items: Sequence[MailboxItem]) -> Sequence[bool]:
    """Insert all; of two with one delivery id in one batch the first is the new one."""
    first = {item.delivery_id: item for item in reversed(items)}
    new = {row[0] for row in await driver.insert(_insert, [_row(item) for item in first.values()])}
    return [item.delivery_id in new and first[item.delivery_id] is item for item in items]


def _row(item: MailboxItem) -> Row:
    return (
        item.delivery_id,
        item.channel.value,
        item.sender,
        item.to,
        dump(item.content),
        item.raw,
        to_micros(item.received_at),
    )


def _item(row: "sa.Row[Any]", raw: bytes | None) -> MailboxItem:
    return MailboxItem(
        delivery_id=DeliveryId(row.delivery_id),
        channel=Channel(row.channel),
        sender=row.sender,
        to=row.to,
        content=row.content,
        raw=raw,
        received_at=row.received_at,
    )
