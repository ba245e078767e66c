"""Counters of frequency caps: to each person and cap the instants of its last slots, and who waits for one.

A counter keeps no more slots than its cap's limit, so that a check counts no messages. Whoever changes a person's
counters, or relies on them for a hold, locks the person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Lane
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.slots import WaitingDelivery
from gateway.ports import Claim
from gateway.storage.driver import Driver, each_key
from gateway.storage.statements import Row
from gateway.storage.tables import from_micros

_COUNTERS: Final = (
    "WITH k AS ({keys}) SELECT t.subject, t.cap, t.slots FROM k CROSS JOIN cap_counters t WHERE t.subject = k.column1"
)
_WAITING: Final = (
    "WITH k AS ({keys}) SELECT d.subject, m.live, d.id, d.channel, m.category, m.topic, d.lane, m.created_at, d.due_at"
    " FROM k CROSS JOIN deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.subject = k.column1 AND d.due_at IS NOT NULL AND d.status IN ('held', 'queued')"
)
_TEST: Final = ":test"


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """A slot as it is kept: `[instant, delivery, stays]`."""

    at: int
    """Microseconds, as in all tables."""
    delivery: str
    stays: bool = False
    """An earlier call of the delivery may have been taken: no later one that was not gives the slot back."""


Slots = tuple[Slot, ...]
"""Newest first."""
Counter = tuple[str, str]
"""Whose it is, and the cap's counter."""
Counted = tuple[Claim, Sequence[str]]
"""A claim and its subjects."""
_load: Final = msgspec.json.Decoder(Slots).decode


def counted_as(claim: Claim, subjects: Iterable[str]) -> tuple[str, ...]:
    """Whose counters a delivery uses: what a test key sends takes nothing away from what reaches people."""
    return tuple(subjects) if claim.message.live else tuple([f"{subject}{_TEST}" for subject in subjects])


async def lock_counters(driver: Driver, of: Sequence[Counted]) -> None:
    """Nobody else takes or frees a slot of these people until the transaction ends."""
    await driver.lock([f"slots:{name}" for name in sorted(_names(of))])


async def slots_under(driver: Driver, subjects: Iterable[str]) -> dict[Counter, Slots]:
    """Every counter of these subjects, and of what was tried out on them."""
    rows = await driver.select_in(_COUNTERS, each_key(name for one in subjects for name in (one, f"{one}{_TEST}")))
    return {(subject, cap): _load(slots) for subject, cap, slots in rows}


async def read_counters(driver: Driver, of: Sequence[Counted]) -> dict[Counter, Slots]:
    """Every counter of these people."""
    rows = await driver.select_in(_COUNTERS, each_key(_names(of)))
    return {(subject, cap): _load(slots) for subject, cap, slots in rows}


async def read_slots(driver: Driver, of: Sequence[Counted]) -> list[dict[str, tuple[datetime, ...]]]:
    """For each claim, by counter, when the slots of its people were taken, newest first, without its own."""
    counters = await read_counters(driver, of)
    return [_taken_by_others(counters, claim.delivery.id, counted_as(claim, subjects)) for claim, subjects in of]


async def read_waiting(driver: Driver, of: Sequence[Counted]) -> list[tuple[WaitingDelivery, ...]]:
    """For each claim the deliveries to its people that are held or queued, without itself."""
    found: dict[tuple[str, bool], list[WaitingDelivery]] = {}
    for subject, live, *row in await driver.select_in(_WAITING, each_key(name for _, names in of for name in names)):
        found.setdefault((subject, bool(live)), []).append(_waiting_of(row))
    return [
        tuple(
            other
            for subject in subjects
            for other in found.get((subject, claim.message.live), ())
            if other.id != claim.delivery.id
        )
        for claim, subjects in of
    ]


def _names(of: Sequence[Counted]) -> set[str]:
    return {name for claim, subjects in of for name in counted_as(claim, subjects)}


def _taken_by_others(
    counters: Mapping[Counter, Slots], own: DeliveryId, counted: Collection[str]
) -> dict[str, tuple[datetime, ...]]:
    taken: dict[str, set[tuple[int, str]]] = {}
    for (subject, cap), slots in counters.items():
        if subject in counted and (others := {(slot.at, slot.delivery) for slot in slots if slot.delivery != own}):
            taken.setdefault(cap, set()).update(others)
    return {cap: tuple([from_micros(at) for at, _ in sorted(slots, reverse=True)]) for cap, slots in taken.items()}


def _waiting_of(row: Row) -> WaitingDelivery:
    delivery_id, channel, category, topic, lane, created_at, due_at = row
    return WaitingDelivery(
        id=DeliveryId(delivery_id),
        channel=Channel(channel),
        category=Category(category),
        topic=topic,
        lane=Lane(lane),
        created_at=from_micros(created_at),
        due_at=from_micros(due_at),
    )
