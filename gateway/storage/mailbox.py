"""What the mailbox provider keeps for people to look at."""

from typing import Any

import sqlalchemy as sa

from gateway.domain.ids import DeliveryId
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from gateway.ports import MailboxItem, Page
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.engine import Database
from gateway.storage.tables import mailbox


class Mailbox:
    """Implements ports.MailboxStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer

    async def keep(self, item: MailboxItem) -> bool:
        """Keep it unless this delivery is there already; True when it is new. Durable on return."""
        async with self._writer.transaction() as connection:
            written = await connection.execute(mailbox.insert().prefix_with("OR IGNORE").values(_row(item)))
        return written.rowcount == 1

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


def _row(item: MailboxItem) -> dict[str, Any]:
    return {
        "delivery_id": item.delivery_id,
        "channel": item.channel.value,
        "sender": item.sender,
        "to": item.to,
        "content": dict(item.content),
        "raw": item.raw,
        "received_at": item.received_at,
    }


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
