"""What waits, found through indexes that are there for other reasons: nothing that a message must pay for.

Neither a claim nor its recording moves an index on a delivery's status, so there is none; but a message's own status is
indexed where it is rare, and held and unknown are.
"""

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Lane
from gateway.domain.recipients import Channel
from gateway.ports import Waiting
from gateway.storage import tables
from gateway.storage.engines.engine import Database

HEAD: Final = 500
"""So many of those due longest are looked at in each lane: a channel that is not among them waits less than they do."""
COUNTED: Final = 10_000
"""Held and unknown deliveries are counted up to here."""

_messages: Final = tables.messages.c
_deliveries: Final = tables.deliveries.c


class Watching:
    """Implements ports.WatchStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader

    async def waiting(self, now: datetime) -> Waiting:
        """One look at each of them. Raises Unavailable."""
        async with self._reader.connect() as connection:
            oldest = {
                (Channel(channel), lane): due_at
                for lane in Lane
                for channel, due_at in await connection.execute(_oldest_due(lane, now))
            }
            held = {reason or "": count for reason, count in await connection.execute(_HELD)}
            unknown = tuple(row.updated_at for row in await connection.execute(_UNKNOWN))
        return Waiting(oldest_due=oldest, held=held, unknown_since=unknown)


def _oldest_due(lane: Lane, now: datetime) -> "sa.Select[Any]":
    head = (
        sa.select(_deliveries.channel, _deliveries.due_at)
        .where(
            _deliveries.lane == lane.value,
            _deliveries.due_at <= now,
            _deliveries.lease_owner.is_(None),
            _deliveries.due_at.is_not(None),
        )
        .order_by(_deliveries.due_at, _deliveries.id)
        .limit(HEAD)
        .subquery()
    )
    return sa.select(head.c.channel, sa.func.min(head.c.due_at)).group_by(head.c.channel)


def _with_status(status: DeliveryStatus, *columns: "sa.Column[Any]") -> "sa.Select[Any]":
    return (
        sa.select(*columns)
        .join_from(tables.messages, tables.deliveries, _deliveries.message_id == _messages.id)
        .where(_messages.status == status, tables.RARE_STATUS, _deliveries.status == status)
        .limit(COUNTED)
    )


_held = _with_status(DeliveryStatus.HELD, _deliveries.reason).subquery()
_HELD: Final = sa.select(_held.c.reason, sa.func.count()).group_by(_held.c.reason)
_UNKNOWN: Final = _with_status(DeliveryStatus.UNKNOWN, _deliveries.updated_at)
