"""Claims: each due delivery to exactly one worker, proved by a fence that every change of hands raises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.domain.ids import WorkerId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Lane
from gateway.ports import Claim
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.driver import Driver, each_key
from gateway.storage.lanes import share
from gateway.storage.locks import locked, skipping_locked
from gateway.storage.rows import MESSAGE_WIDTH, delivery_of, message_of
from gateway.storage.standing import select_attachments
from gateway.storage.tables import to_micros

_DUE: Final = skipping_locked(
    "SELECT id FROM deliveries WHERE lane = ? AND due_at <= ? AND lease_owner IS NULL AND due_at IS NOT NULL"
    " ORDER BY due_at, id LIMIT ?"
)
_TAKE: Final = "UPDATE deliveries SET lease_owner = ?, fence = fence + 1 WHERE id = ?"
_CLAIMED: Final = (
    f"SELECT {names(tables.messages, 'm.')}, {names(tables.deliveries, 'd.')}"  # noqa: S608 - our own names
    " FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.id IN ({keys})"
)
_HELD: Final = locked("SELECT id, fence, status FROM deliveries WHERE lease_owner IS NOT NULL AND id IN ({keys})")
_ATTACHMENTS: Final = tables.messages.columns.keys().index("attachments")
_FENCE: Final = tables.deliveries.columns.keys().index("fence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a worker asks for: so many, of no lane below `lowest`."""

    worker: WorkerId
    limit: int
    now: datetime
    lowest: Lane


async def take(driver: Driver, demand: Demand, turn: int) -> list[Claim]:
    """Claim what is due, in the order of the lanes; `turn` counts the places given out before."""
    if not await driver.fetch("SELECT 1 FROM workers WHERE id = ?", (demand.worker,)):
        return []
    now = to_micros(demand.now)
    lanes = [lane for lane in Lane if lane <= demand.lowest]
    due = {
        lane: [row[0] for row in await driver.fetch(_DUE[driver.engine], (lane.value, now, demand.limit))]
        for lane in lanes
    }
    ids = share(due, demand.limit, turn)
    if not ids:
        return []
    await driver.execute_many(_TAKE, [(demand.worker, delivery_id) for delivery_id in ids])
    rows = await driver.select_in(_CLAIMED, [(delivery_id,) for delivery_id in ids])
    files = await select_attachments(driver, [row[0] for row in rows if row[_ATTACHMENTS]])
    claims = {
        row[MESSAGE_WIDTH]: Claim(
            message=message_of(row[:MESSAGE_WIDTH], files.get(row[0], ())),
            delivery=delivery_of(row[MESSAGE_WIDTH:]),
            fence=row[MESSAGE_WIDTH + _FENCE],
        )
        for row in rows
    }
    return [claims[delivery_id] for delivery_id in ids]


async def still_held(driver: Driver, claims: Sequence[Claim]) -> list[DeliveryStatus | None]:
    """The present status of each claim's delivery; None when it is no longer its holder's.

    Of several writes for one delivery in a batch only the first is served: after it the claim is another's.
    """
    rows = await driver.select_in(_HELD[driver.engine], each_key(claim.delivery.id for claim in claims))
    held = {(row[0], row[1]): DeliveryStatus(row[2]) for row in rows}
    return [held.pop((claim.delivery.id, claim.fence), None) for claim in claims]
