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
from gateway.domain.webhooks import DisabledReason
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
            endpoints = {str(state): count for state, count in await connection.execute(_ENDPOINTS)}
            notices = (await connection.execute(_NOTICES)).scalar_one()
        return Waiting(oldest_due=oldest, held=held, unknown_since=unknown, endpoints=endpoints, notices=notices)


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


_endpoints: Final = tables.webhook_endpoints.c
_STATE: Final = sa.case(
    (_endpoints.disabled_reason == DisabledReason.BY_HAND, "off"),
    (~_endpoints.enabled, "disabled"),
    (_endpoints.not_before.is_not(None), "failing"),
    else_="working",
)
_ENDPOINTS: Final = (
    sa.select(_STATE.label("state"), sa.func.count().label("count"))
    .where(sa.func.coalesce(_endpoints.disabled_reason, "") != DisabledReason.REMOVED)
    .group_by(sa.literal_column("1"))
)
_NOTICES: Final = sa.select(sa.func.count()).select_from(sa.select(tables.notices.c.event_id).limit(COUNTED).subquery())
_held = _with_status(DeliveryStatus.HELD, _deliveries.reason).subquery()
_HELD: Final = sa.select(_held.c.reason, sa.func.count()).group_by(_held.c.reason)
_UNKNOWN: Final = _with_status(DeliveryStatus.UNKNOWN, _deliveries.updated_at)
