"""Claims: each due delivery to exactly one worker, proved by a fence that every change of hands raises."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog

from gateway.domain.ids import ServiceId, WorkerId
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attachment, Lane
from gateway.ports import Claim
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.documents import UNREADABLE
from gateway.storage.engines.driver import Driver, Engine, each_key
from gateway.storage.engines.locks import locked
from gateway.storage.engines.statements import Row
from gateway.storage.queue.lanes import share
from gateway.storage.queue.shares import first_portion, in_turn, next_portions
from gateway.storage.queue.standing import select_attachments
from gateway.storage.rows import MESSAGE_WIDTH, delivery_of, message_of

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_FREE: Final = "lease_owner IS NULL AND due_at IS NOT NULL"
_WAITING: Final = f"""
    WITH RECURSIVE waiting (lane, service_id) AS (
        SELECT l.lane, (SELECT service_id FROM deliveries WHERE lane = l.lane AND {_FREE} ORDER BY service_id LIMIT 1)
        FROM ({" UNION ALL ".join(f"SELECT {lane.value} AS lane" for lane in Lane)}) AS l
        WHERE l.lane <= ? AND EXISTS (SELECT 1 FROM workers WHERE id = ?)
        UNION ALL
        SELECT w.lane, (SELECT service_id FROM deliveries WHERE lane = w.lane AND service_id > w.service_id AND {_FREE}
            ORDER BY service_id LIMIT 1)
        FROM waiting AS w WHERE w.service_id IS NOT NULL
    )
    SELECT lane, service_id FROM waiting WHERE service_id IS NOT NULL"""  # noqa: S608 - our own words
"""One look into the index for each service that waits in a lane, however much of it; nothing for a worker who is not
in the book."""
_OLDEST: Final = f"""
    SELECT id FROM deliveries WHERE lane = ? AND service_id = ? AND due_at <= ? AND {_FREE}
    ORDER BY due_at, id LIMIT ?"""  # noqa: S608 - our own words
_OLDEST_OF_EACH: Final = f"""
    SELECT w.lane, w.service_id, d.id
    FROM unnest(CAST(? AS INTEGER[]), CAST(? AS TEXT[]), CAST(? AS INTEGER[])) AS w (lane, service_id, portion)
    CROSS JOIN LATERAL (
        SELECT id FROM deliveries WHERE lane = w.lane AND service_id = w.service_id AND due_at <= ? AND {_FREE}
        ORDER BY due_at, id LIMIT w.portion FOR NO KEY UPDATE SKIP LOCKED
    ) AS d"""  # noqa: S608 - our own words
_TAKE: Final = "UPDATE deliveries SET lease_owner = ?, fence = fence + 1 WHERE id IN ({keys})"
_SET_ASIDE: Final = "UPDATE deliveries SET lease_owner = NULL, fence = fence + 1, due_at = ? WHERE id IN ({keys})"
_REST: Final = timedelta(seconds=30)
"""How long a delivery rests that this version cannot read, as one of a later version during an upgrade: its neighbours
must not wait for it, and who can read it finds it due."""
_CLAIMED: Final = (
    f"SELECT {names(tables.messages, 'm.')}, {names(tables.deliveries, 'd.')}"  # noqa: S608 - our own names
    " FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.id IN ({keys})"
)
_HELD: Final = locked("SELECT id, fence, status FROM deliveries WHERE lease_owner IS NOT NULL AND id IN ({keys})")
_ATTACHMENTS: Final = tables.messages.columns.keys().index("attachments")
_FENCE: Final = tables.deliveries.columns.keys().index("fence")
_CLAIMS: Final = tables.deliveries.columns.keys().index("claims")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a worker asks for: so many, of no lane below `lowest`."""

    worker: WorkerId
    limit: int
    now: datetime
    lowest: Lane


async def take(driver: Driver, demand: Demand, turn: int) -> list[Claim]:
    """Claim what is due, in the order of the lanes and in each the services in turn, the oldest of each first.

    `turn` counts the places given out before.
    """
    due = await _find_due(driver, demand)
    ids = share({lane: in_turn(of, demand.limit, turn) for lane, of in due.items()}, demand.limit, turn)
    if not ids:
        return []
    await driver.select_in(_TAKE, [(delivery_id,) for delivery_id in ids], (demand.worker,))
    rows = await driver.select_in(_CLAIMED, [(delivery_id,) for delivery_id in ids])
    files = await select_attachments(driver, [row[0] for row in rows if row[_ATTACHMENTS]])
    claims: dict[str, Claim] = {}
    unreadable: list[str] = []
    for row in rows:
        try:
            claims[row[MESSAGE_WIDTH]] = _claim_of(row, files.get(row[0], ()))
        except UNREADABLE as error:
            _log.error("claim.unreadable", delivery=row[MESSAGE_WIDTH], error=type(error).__name__)
            unreadable.append(row[MESSAGE_WIDTH])
    if unreadable:
        rested = to_micros(demand.now + _REST)
        await driver.select_in(_SET_ASIDE, [(delivery_id,) for delivery_id in unreadable], (rested,))
    return [claims[delivery_id] for delivery_id in ids if delivery_id in claims]


def _claim_of(row: Row, files: Sequence[Attachment]) -> Claim:
    return Claim(
        message=message_of(row[:MESSAGE_WIDTH], files),
        delivery=delivery_of(row[MESSAGE_WIDTH:]),
        fence=row[MESSAGE_WIDTH + _FENCE],
        failed_claims=row[MESSAGE_WIDTH + _CLAIMS],
    )


_Place = tuple[Lane, ServiceId]


async def _find_due(driver: Driver, demand: Demand) -> Mapping[Lane, Mapping[ServiceId, Sequence[str]]]:
    """Of each lane as many as are asked for, if there are, and of each service that waits in it its share at least."""
    waiting = [
        (Lane(row[0]), ServiceId(row[1])) for row in await driver.fetch(_WAITING, (demand.lowest, demand.worker))
    ]
    services = Counter(lane for lane, _ in waiting)
    portions = {place: first_portion(services[place[0]], demand.limit) for place in waiting}
    now, found = to_micros(demand.now), dict[Lane, dict[ServiceId, Sequence[str]]]()
    while portions:
        for (lane, service), ids in (await _find_oldest(driver, portions, now)).items():
            found.setdefault(lane, {})[service] = ids
        portions = {
            (lane, service): portion
            for lane, of in found.items()
            for service, portion in _further_portions(lane, of, portions, demand.limit).items()
        }
    return found


def _further_portions(
    lane: Lane, found: Mapping[ServiceId, Sequence[str]], portions: Mapping[_Place, int], limit: int
) -> Mapping[ServiceId, int]:
    counts = {service: len(ids) for service, ids in found.items()}
    # Who was not asked again had no more.
    return next_portions(counts, {service: portions.get((lane, service), -1) for service in found}, limit)


async def _find_oldest(driver: Driver, portions: Mapping[_Place, int], now: int) -> Mapping[_Place, Sequence[str]]:
    """The ids of so many of the oldest that are due in each place; on PostgreSQL they are locked."""
    match driver.engine:
        case Engine.SQLITE:
            return {
                place: [row[0] for row in await driver.fetch(_OLDEST, (*place, now, portion))]
                for place, portion in portions.items()
            }
        case Engine.POSTGRESQL:
            lanes, services = zip(*portions, strict=True)
            found: dict[_Place, list[str]] = {place: [] for place in portions}
            for lane, service, delivery_id in await driver.fetch(
                _OLDEST_OF_EACH, (lanes, services, list(portions.values()), now)
            ):
                found[Lane(lane), service].append(delivery_id)
            return found
        case never:
            assert_never(never)


async def still_held(driver: Driver, claims: Sequence[Claim]) -> list[DeliveryStatus | None]:
    """The present status of each claim's delivery; None when it is no longer its holder's.

    Of several writes for one delivery in a batch only the first is served: after it the claim is another's.
    """
    rows = await driver.select_in(_HELD[driver.engine], each_key(claim.delivery.id for claim in claims))
    held = {(row[0], row[1]): DeliveryStatus(row[2]) for row in rows}
    return [held.pop((claim.delivery.id, claim.fence), None) for claim in claims]
