"""What is past its time goes: whole months on PostgreSQL where nothing in them is kept, rows by the hundred elsewhere.

A message is kept while one of its deliveries has something left to do or has changed within the time; what belongs
to it may be set to go earlier, never later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from gateway.domain.ids import DELIVERY, MESSAGE
from gateway.domain.lifecycle import DeliveryStatus
from gateway.ports import Retention
from gateway.storage import tables
from gateway.storage.engines.engine import Database
from gateway.storage.upkeep import partitions
from gateway.storage.upkeep.partitions import first_id, month_of

ROWS: Final = 200
"""So many messages, contents or keys at most go in one transaction: other writers wait for it."""
SHORT: Final = timedelta(days=62)
"""A time of less than that is kept to the day; above it PostgreSQL keeps whole months, at most one too many."""
_SETTLING: Final = timedelta(days=7)
"""So long a month that is past is given to become free as a whole, before its rows go one by one."""
_LOOK_AGAIN: Final = timedelta(days=1)
_LEADER: Final = sa.text("SELECT pg_try_advisory_xact_lock(7235428014431237493)")

_messages: Final = tables.messages.c
_deliveries: Final = tables.deliveries.c
_keys: Final = tables.idempotency_keys.c
_counters: Final = tables.cap_counters.c
_SPENDING: Final = (tables.spending_counters, tables.charges)
_HAS_WORK: Final = sa.or_(_deliveries.due_at.is_not(None), _deliveries.lease_owner.is_not(None))
_OF_DELIVERY: Final = (tables.contents, tables.attempts, tables.mailbox)
_OF_MESSAGE: Final = (tables.message_tags, tables.attachments, tables.events, tables.engagements, tables.deliveries)


class Forgetting:
    """Implements ports.RetentionStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer

    async def make_room(self, now: datetime) -> None:
        """Partitions of the months to come; nothing to do on SQLite."""
        months = partitions.months_ahead(now)
        async with self._reader.connect() as connection:
            if connection.dialect.name != "postgresql":
                return
            if set(months) <= set(await connection.run_sync(partitions.partition_months)):
                return
        async with self._writer.transaction() as connection:
            await connection.run_sync(partitions.make_partitions, months)

    async def forget(self, retention: Retention, now: datetime) -> Mapping[str, int]:
        """One round in one transaction; the write lock is not taken where a look finds nothing."""
        round_ = _Round(retention, now)
        async with self._reader.connect() as connection:
            if not await connection.run_sync(round_.finds_something):
                return {}
        async with self._writer.transaction() as connection:
            return await connection.run_sync(round_.forget)


@dataclass(frozen=True, slots=True)
class _Round:
    """One round, at one instant."""

    retention: Retention
    now: datetime

    def finds_something(self, connection: sa.Connection) -> bool:
        """Whether there is anything to forget."""
        on_postgresql = connection.dialect.name == "postgresql"
        if on_postgresql and any(self._free_months(connection)):
            return True
        queries = (query for _, query in self._rows(on_postgresql))
        return any(
            connection.execute(query.limit(1)).first()
            for query in (*queries, self._ended_keys(), self._ended_counters(), *self._ended_spending())
        )

    def forget(self, connection: sa.Connection) -> Mapping[str, int]:
        """Drop the months that are free and one portion of each kind of row."""
        on_postgresql = connection.dialect.name == "postgresql"
        gone: dict[str, int] = {}
        if on_postgresql:
            if not connection.scalar(_LEADER):
                return {}
            for month, dropped in self._shut_months(connection):
                partitions.drop_partitions(connection, month, dropped)
                gone["months"] = gone.get("months", 0) + 1
        for kind, query in self._rows(on_postgresql):
            if ids := connection.scalars(query.limit(ROWS)).all():
                _DELETE[kind](connection, ids)
                gone[kind] = len(ids)
        if ended := self._forget_keys(connection):
            gone["keys"] = ended
        if counters := self._forget_counters(connection):
            gone["counters"] = counters
        if spent := self._forget_spending(connection):
            gone["spending"] = spent
        return gone

    def _rows(self, on_postgresql: bool) -> Sequence[tuple[str, "sa.Select[Any]"]]:
        """The keys of rows that may go, by kind; the oldest first."""
        times, content, events = self.retention, tables.contents.c.delivery_id, tables.events.c.message_id
        mailbox, inbound = tables.mailbox.c, tables.inbound.c
        portions: list[tuple[str, sa.Select[Any]]] = [
            ("messages", self._aged(_messages.id, MESSAGE, times.messages, on_postgresql)),
            (
                "mailbox",
                sa.select(mailbox.delivery_id)
                .where(mailbox.received_at < self.now - min(times.mailbox, times.messages))
                .order_by(mailbox.received_at),
            ),
            ("inbound", sa.select(inbound.id).where(inbound.at < self.now - times.events).order_by(inbound.at)),
        ]
        ended = tables.suppressions.c
        told = tables.receipts.c
        # What a status follows from is kept as long as the message.
        portions.append(("receipts", sa.select(told.id).where(told.at < self.now - times.messages).order_by(told.at)))
        done = tables.engagements.c
        aged = done.at < self.now - min(times.events, times.messages)
        portions.append(("engagements", sa.select(done.id).where(aged).order_by(done.at)))
        # As long as the messages that it kept back: what they say of it can be looked up.
        gone = sa.select(ended.id).where(ended.expires_at < self.now - times.messages).order_by(ended.expires_at)
        portions.append(("suppressions", gone))
        if times.content < times.messages:
            portions.append(("content", self._aged(content, DELIVERY, times.content, on_postgresql)))
        if times.events < times.messages:
            portions.append(("events", self._aged(events, MESSAGE, times.events, on_postgresql).distinct()))
        if on_postgresql:
            portions.append(("deliveries", self._left(_deliveries.id, _deliveries.message_id)))
            left = self._left(tables.engagements.c.id, tables.engagements.c.message_id)
            portions.append(("left_engagements", left))
        return portions

    def _aged(self, key: "sa.Column[str]", prefix: str, time: timedelta, on_postgresql: bool) -> "sa.Select[Any]":
        """The ids in a column, of messages or of deliveries, that are past their time and not kept any longer."""
        end = self.now - time
        horizon = first_id(prefix, month_of(end - _SETTLING) if on_postgresql and time >= SHORT else end)
        owner = _deliveries.message_id if prefix == MESSAGE else _deliveries.id
        kept = sa.exists().where(owner == key, sa.or_(_HAS_WORK, _deliveries.updated_at >= end))
        return sa.select(key).where(key < horizon, ~kept).order_by(key)

    def _left(self, key: "sa.Column[str]", owner: "sa.Column[str]") -> "sa.Select[Any]":
        """Rows whose message went with its month."""
        return (
            sa.select(key)
            .where(owner < first_id(MESSAGE, self.now - self.retention.messages))
            .where(~sa.exists().where(_messages.id == owner))
            .order_by(owner)
        )

    def _free_months(self, connection: sa.Connection) -> list[tuple[datetime, tuple[str, ...]]]:
        """The months in which nothing is kept any more, each with the tables that may drop it."""
        times = self.retention
        whole: list[tuple[tuple[str, ...], timedelta, tuple[str, ...]]] = [
            (tuple(partitions.KEYS), times.messages, (MESSAGE, DELIVERY))
        ]
        if times.events < times.messages:
            whole.append((("events",), times.events, (MESSAGE,)))
        if times.content < times.messages:
            whole.append((("contents",), times.content, (DELIVERY,)))
        return [
            (month, dropped)
            for dropped, time, prefixes in whole
            for month in partitions.partition_months(connection, dropped[0])
            if all(self._is_free(connection, month, prefix, time) for prefix in prefixes)
        ]

    def _shut_months(self, connection: sa.Connection) -> list[tuple[datetime, tuple[str, ...]]]:
        """The free months, with whoever would add to one of their messages kept out until they are gone."""
        free = self._free_months(connection)
        for month, _ in free:
            partitions.shut_messages(connection, month)
        # Somebody may have come before us.
        return [each for each in self._free_months(connection) if each in free] if free else []

    def _is_free(self, connection: sa.Connection, month: datetime, prefix: str, time: timedelta) -> bool:
        if partitions.next_month(month) > self.now - time:
            return False
        first, beyond = partitions.bounds(prefix, month)
        key = _deliveries.message_id if prefix == MESSAGE else _deliveries.id
        # The latest first: they are the likeliest to be kept.
        kept = sa.select(key).where(
            key >= first, key < beyond, sa.or_(_HAS_WORK, _deliveries.updated_at >= self.now - time)
        )
        return connection.execute(kept.order_by(key.desc()).limit(1)).first() is None

    def _ended_keys(self) -> "sa.Select[Any]":
        return sa.select(tables.idempotency_keys).where(_keys.expires_at < self.now).order_by(_keys.expires_at)

    def _ended_counters(self) -> "sa.Select[Any]":
        """Of people none of whose slots counts any more."""
        ended = sa.select(_counters.subject).where(_counters.expires_at < self.now)
        return ended.order_by(_counters.expires_at)

    def _forget_counters(self, connection: sa.Connection) -> int:
        # The instant again: a slot may have been taken since.
        goes = tables.cap_counters.delete().where(_counters.expires_at < self.now)
        ended = connection.scalars(self._ended_counters().limit(ROWS)).all()
        return sum(connection.execute(goes.where(_counters.subject == subject)).rowcount for subject in ended)

    def _ended_spending(self) -> Sequence["sa.Select[Any]"]:
        """What counts to no limit any more."""
        return [
            sa.select(*table.primary_key.columns).where(table.c.expires_at < self.now).order_by(table.c.expires_at)
            for table in _SPENDING
        ]

    def _forget_spending(self, connection: sa.Connection) -> int:
        gone = 0
        for table, ended in zip(_SPENDING, self._ended_spending(), strict=True):
            for key in connection.execute(ended.limit(ROWS)).all():
                same = [column == value for column, value in zip(table.primary_key.columns, key, strict=True)]
                # The instant again: it may count anew.
                goes = table.delete().where(*same, table.c.expires_at < self.now)
                gone += connection.execute(goes).rowcount
        return gone

    def _forget_keys(self, connection: sa.Connection) -> int:
        """Drop keys that ended; those of messages that are not final are looked at again in a day."""
        ended = connection.execute(self._ended_keys().limit(ROWS)).all()
        messages = {(key.service_id, key.key): _messages_of(key) for key in ended}
        still_open = _open_messages(connection, sorted({message for ids in messages.values() for message in ids}))
        waiting = [key for key, ids in messages.items() if still_open.intersection(ids)]
        gone = [key for key in messages if key not in set(waiting)]
        for service_id, key in waiting:
            connection.execute(
                tables.idempotency_keys.update()
                .where(_keys.service_id == service_id, _keys.key == key)
                .values(expires_at=self.now + _LOOK_AGAIN)
            )
        for service_id, key in gone:
            connection.execute(tables.idempotency_keys.delete().where(_keys.service_id == service_id, _keys.key == key))
        return len(gone)


def _messages_of(key: "sa.Row[Any]") -> Sequence[str]:
    """The messages that a key stands for: its one, or those of a whole batch."""
    if key.message_id is not None:
        return [key.message_id]
    return [item["message"]["id"] for item in key.answer.get("items", ()) if "message" in item]


def _open_messages(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Those that are not final; one that stayed unknown counts as final once nothing is left to do for it."""
    if not ids:
        return set()
    final = [status for status in DeliveryStatus if status.is_final]
    at_work = sa.exists().where(_deliveries.message_id == _messages.id, _HAS_WORK)
    unsettled = sa.or_(_messages.status != DeliveryStatus.UNKNOWN, at_work)
    return set(
        connection.scalars(
            sa.select(_messages.id).where(_messages.id.in_(ids), _messages.status.not_in(final), unsettled)
        )
    )


def _delete_messages(connection: sa.Connection, ids: Sequence[str]) -> None:
    # Whoever adds a delivery to one of them at this very moment has its lock: waited for here, and seen below.
    connection.execute(sa.select(_messages.id).where(_messages.id.in_(ids)).order_by(_messages.id).with_for_update())
    wanted = set(
        connection.scalars(sa.select(_deliveries.message_id).where(_deliveries.message_id.in_(ids), _HAS_WORK))
    )
    gone = [message_id for message_id in ids if message_id not in wanted]
    deliveries = connection.scalars(sa.select(_deliveries.id).where(_deliveries.message_id.in_(gone))).all()
    for table in _OF_DELIVERY:
        connection.execute(table.delete().where(table.c.delivery_id.in_(deliveries)))
    connection.execute(tables.messages.delete().where(_messages.id.in_(gone)))
    for table in _OF_MESSAGE:
        connection.execute(table.delete().where(table.c.message_id.in_(gone)))


def _delete_deliveries(connection: sa.Connection, ids: Sequence[str]) -> None:
    for table in _OF_DELIVERY:
        connection.execute(table.delete().where(table.c.delivery_id.in_(ids)))
    connection.execute(tables.deliveries.delete().where(_deliveries.id.in_(ids)))


def _delete_by(column: "sa.Column[str]") -> Any:
    return lambda connection, ids: connection.execute(column.table.delete().where(column.in_(ids)))


_DELETE: Final = {
    "content": _delete_by(tables.contents.c.delivery_id),
    "events": _delete_by(tables.events.c.message_id),
    "messages": _delete_messages,
    "mailbox": _delete_by(tables.mailbox.c.delivery_id),
    "inbound": _delete_by(tables.inbound.c.id),
    "receipts": _delete_by(tables.receipts.c.id),
    "engagements": _delete_by(tables.engagements.c.id),
    "left_engagements": _delete_by(tables.engagements.c.id),
    "suppressions": _delete_by(tables.suppressions.c.id),
    "deliveries": _delete_deliveries,
}
