"""The delivery log: one message, a page of those that match, a timeline, and counts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from gateway.domain.ids import DeliveryId, MessageId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Event
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from gateway.ports import MessageQuery, MessageRecord, Page
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Row
from gateway.storage.reading.records import load_records
from gateway.storage.reading.timelines import Place, read_place
from gateway.storage.rows import event_of

_messages: Final = tables.messages.c
_deliveries: Final = tables.deliveries.c
_OWNER: Final = "SELECT service_id FROM messages WHERE id = ?"
_EVENTS: Final = (
    f"SELECT {names(tables.events)} FROM events"  # noqa: S608 - our own names
    " WHERE message_id = ? AND seq > ? ORDER BY seq LIMIT ?"
)


class MessageLog:
    """`gateway.ports.LogStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader

    async def read(self, message_id: MessageId, service_id: ServiceId | None) -> MessageRecord:
        """One message with all that is known of it. Raises NotFound, also for another service's."""
        records = await self._reader.run(lambda driver: load_records(driver, [message_id], with_files=True))
        return own_record(records, service_id)

    async def read_delivery(self, delivery_id: DeliveryId) -> MessageRecord:
        """The message that a delivery belongs to, whoever's it is; for links that name a delivery. Raises NotFound."""
        owner = "SELECT message_id FROM deliveries WHERE id = ?"
        rows = await self._reader.run(lambda driver: driver.fetch(owner, (delivery_id,)))
        if not rows:
            raise _absent()
        return await self.read(rows[0][0], None)

    async def search(self, query: MessageQuery) -> Page[MessageRecord]:
        """Messages that match, newest first. Raises InvalidRequest for a cursor that is not ours."""
        statement = (
            sa.select(_messages.id, _messages.created_at)
            .where(*_conditions(query))
            .order_by(_messages.created_at.desc(), _messages.id.desc())
            .limit(query.limit + 1)
        )
        async with self._reader.connect() as connection:
            found = (await connection.execute(statement)).all()
        ids = [row.id for row in found[: query.limit]]
        records = await self._reader.run(lambda driver: load_records(driver, ids))
        last = found[query.limit - 1] if len(found) > query.limit else None
        cursor = None if last is None else cursor_at(last.created_at, last.id)
        return Page(items=tuple(records), next_cursor=cursor)

    async def events(
        self, message_id: MessageId, service_id: ServiceId | None, limit: int, cursor: str | None
    ) -> Page[Event]:
        """The timeline, oldest first. Raises NotFound."""
        place = Place() if cursor is None else read_place(cursor)

        async def read(driver: Driver) -> Sequence[Row]:
            owners = await driver.fetch(_OWNER, (message_id,))
            if not owners or service_id not in (None, owners[0][0]):
                raise _absent()
            found = await driver.fetch(_EVENTS, (message_id, place.after, limit + len(place.shown) + 1))
            return [row for row in found if row[0] not in place.shown]

        rows = await self._reader.run(read)
        following = place.past(rows[:limit]) if len(rows) > limit else None
        return Page(
            items=tuple(event_of(row) for row in rows[:limit]),
            next_cursor=None if following is None else following.cursor(),
        )

    async def summary(self, since: datetime) -> Mapping[tuple[str, Channel, str, DeliveryStatus], int]:
        """How many deliveries by (template, channel, locale, status) were created since then; locale "" before
        anything was rendered."""
        locale = sa.func.coalesce(_messages.locale, "")
        keys = (_messages.template, _deliveries.channel, locale, _deliveries.status)
        statement = (
            sa.select(*keys, sa.func.count())
            .select_from(tables.messages.join(tables.deliveries))
            .where(_messages.created_at >= since)
            .group_by(*keys)
        )
        async with self._reader.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return {
            (template, Channel(channel), tag, DeliveryStatus(status)): count
            for template, channel, tag, status, count in rows
        }


def own_record(records: list[MessageRecord], service_id: ServiceId | None) -> MessageRecord:
    """The only record. Raises NotFound when there is none or it is another service's."""
    if not records or service_id not in (None, records[0].message.service_id):
        raise _absent()
    return records[0]


def _absent() -> NotFound:
    return NotFound("there is no such message")


def _conditions(query: MessageQuery) -> list[sa.ColumnElement[bool]]:
    equal = {
        _messages.service_id: query.service_id,
        _messages.template: query.template,
        _messages.topic: query.topic,
        _messages.category: query.category,
        _messages.locale: query.locale,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if query.status is not None:
        conditions.append(_messages.status == query.status)
        if query.status not in tables.COMMON_STATUSES:
            conditions.append(tables.RARE_STATUS)
    if query.created_from is not None:
        conditions.append(_messages.created_at >= query.created_from)
    if query.created_before is not None:
        conditions.append(_messages.created_at < query.created_before)
    if query.text is not None:
        conditions.append(_messages.search.contains(query.text.lower(), autoescape=True))
    if query.cursor is not None:
        conditions.append(older_than(query.cursor, _messages.created_at, _messages.id))
    return conditions + _deliveries_conditions(query)


def _deliveries_conditions(query: MessageQuery) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if query.recipient is not None:
        by_id = sa.select(_messages.id).where(_messages.recipient_id == query.recipient).correlate(None)
        by_address = sa.select(_deliveries.message_id).where(_deliveries.address == query.recipient)
        conditions.append(_messages.id.in_(sa.union(by_id, by_address)))
    if query.tag is not None:
        tagged = tables.message_tags.c
        conditions.append(_messages.id.in_(sa.select(tagged.message_id).where(tagged.tag == query.tag)))
    on_delivery = {_deliveries.channel: query.channel, _deliveries.provider: query.provider}
    wanted = [column == value for column, value in on_delivery.items() if value is not None]
    if wanted:
        conditions.append(sa.exists().where(_deliveries.message_id == _messages.id, *wanted).correlate(tables.messages))
    return conditions
