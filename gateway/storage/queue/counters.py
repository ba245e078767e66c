"""Counters of frequency caps: to each person, cap by cap, the instants of the last slots, and who waits for one.

A counter keeps no more slots than its cap's limit, so that a check counts no messages; a person's counters are one
row. Whoever changes them, or relies on them for a hold, locks the person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId
from gateway.domain.instants import from_micros
from gateway.domain.messages import Lane
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.slots import WaitingDelivery
from gateway.domain.values import Value
from gateway.ports import Claim
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.statements import Row
from gateway.storage.queue.slots import Counters, load_counters

_COUNTERS: Final = (
    "WITH k AS ({keys}) SELECT t.subject, t.counters FROM k CROSS JOIN cap_counters t WHERE t.subject = k.column1"
)
_WAITING: Final = (
    "WITH k AS ({keys}) SELECT d.subject, m.live, d.id, d.channel, m.category, m.topic, d.lane, m.created_at, d.due_at"
    " FROM k CROSS JOIN deliveries d JOIN messages m ON m.id = d.message_id"
    " WHERE d.subject = k.column1 AND d.due_at IS NOT NULL AND d.status IN ('held', 'queued')"
)
_TEST: Final = ":test"

Counted = tuple[Claim, Sequence[str]]
"""A claim and its subjects."""


def counted_as(claim: Claim, subjects: Iterable[str]) -> tuple[str, ...]:
    """Whose counters a delivery uses: what a test key sends takes nothing away from what reaches people."""
    return tuple(subjects) if claim.message.live else tuple([f"{subject}{_TEST}" for subject in subjects])


def names_of(of: Iterable[Counted]) -> set[str]:
    """What these people are counted as, for all of these claims."""
    return {name for claim, subjects in of for name in counted_as(claim, subjects)}


async def lock_counters(driver: Driver, counted: Collection[str]) -> None:
    """Nobody else takes or frees a slot of those who are counted as this until the transaction ends."""
    await driver.lock([f"slots:{name}" for name in sorted(counted)])


async def read_counters(driver: Driver, counted: Collection[str]) -> dict[str, Counters]:
    """The counters of those who are counted as this."""
    return {name: load_counters(counters) for name, counters in await driver.select_in(_COUNTERS, each_key(counted))}


async def counters_under(driver: Driver, subjects: Iterable[str]) -> dict[str, Counters]:
    """The counters of these subjects, and of what was tried out on them."""
    return await read_counters(driver, {name for one in subjects for name in (one, f"{one}{_TEST}")})


class Usage(Value, frozen=True, kw_only=True):
    """What others use, or wait to use, of the slots that a delivery may need."""

    slots: Mapping[str, tuple[int, ...]]
    """By counter, when they were taken, newest first."""
    waiting: tuple[WaitingDelivery, ...]
    """What is held or queued for the same people and has no slot yet."""


_Waiting = Mapping[tuple[str, bool], Sequence[WaitingDelivery]]
"""By subject, and whether it is for people."""


async def read_usage(driver: Driver, of: Sequence[Counted]) -> list[Usage]:
    """For each claim how the slots of its people are used by others."""
    counted = [counted_as(claim, subjects) for claim, subjects in of]
    counters = await read_counters(driver, {name for names in counted for name in names})
    waiting = await _find_waiting(driver, of, counters)
    return [
        Usage(
            slots=_taken_by_others(counters, claim.delivery.id, names),
            waiting=_beside(claim, subjects, waiting) if waiting else (),
        )
        for (claim, subjects), names in zip(of, counted, strict=True)
    ]


async def _find_waiting(driver: Driver, of: Sequence[Counted], counters: Mapping[str, Counters]) -> _Waiting:
    rows = await driver.select_in(_WAITING, each_key([name for _, names in of for name in names]))
    if not rows:
        return {}
    # One that may have gone already is queued with the slot that it has.
    served = {one for of_one in counters.values() for counter in of_one.values() for one in counter.slots.deliveries}
    waiting: dict[tuple[str, bool], list[WaitingDelivery]] = {}
    for subject, live, *row in rows:
        if row[0] not in served:
            waiting.setdefault((subject, bool(live)), []).append(_waiting_of(row))
    return waiting


def _beside(claim: Claim, subjects: Sequence[str], waiting: _Waiting) -> tuple[WaitingDelivery, ...]:
    return tuple(
        [
            other
            for subject in subjects
            for other in waiting.get((subject, claim.message.live), ())
            if other.id != claim.delivery.id
        ]
    )


def _taken_by_others(
    counters: Mapping[str, Counters], own: DeliveryId, counted: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    if len(counted) == 1:
        kept = counters.get(counted[0], {})
        return {cap: others for cap, counter in kept.items() if (others := counter.slots.of_others(own))}
    taken: dict[str, set[tuple[int, str]]] = {}
    for subject in counted:
        for cap, counter in counters.get(subject, {}).items():
            slots = counter.slots.without((own,))
            if slots.at:
                # What went to several subjects of a person took one slot of each.
                taken.setdefault(cap, set()).update(zip(slots.at, slots.deliveries, strict=True))
    return {cap: tuple([at for at, _ in sorted(slots, reverse=True)]) for cap, slots in taken.items()}


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
