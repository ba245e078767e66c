"""Counters of frequency caps: to each person, cap by cap, the instants of the last slots, and who waits for one.

A counter keeps no more slots than its cap's limit, so that a check counts no messages; a person's counters are one
row. Whoever changes them, or relies on them for a hold, locks the person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

from gateway.domain.ids import DeliveryId
from gateway.domain.instants import from_micros
from gateway.domain.messages import Lane
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.slots import WaitingDelivery
from gateway.ports import Claim
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.statements import Row

_COUNTERS: Final = (
    "WITH k AS ({keys}) SELECT t.subject, t.counters FROM k CROSS JOIN cap_counters t WHERE t.subject = k.column1"
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


class Counter(msgspec.Struct, frozen=True, array_like=True):
    """A cap's counter as it is kept: `[kept_until, slots]`."""

    kept_until: int
    """From this instant on none of its slots counts."""
    slots: Slots


Counters = Mapping[str, Counter]
"""A person's, by the cap's counter."""
Counted = tuple[Claim, Sequence[str]]
"""A claim and its subjects."""
# What a reservation reads was mostly just read for the decision.
_load: Final = lru_cache(maxsize=1_024)(msgspec.json.Decoder(Counters).decode)


def counted_as(claim: Claim, subjects: Iterable[str]) -> tuple[str, ...]:
    """Whose counters a delivery uses: what a test key sends takes nothing away from what reaches people."""
    return tuple(subjects) if claim.message.live else tuple([f"{subject}{_TEST}" for subject in subjects])


async def lock_counters(driver: Driver, of: Sequence[Counted]) -> None:
    """Nobody else takes or frees a slot of these people until the transaction ends."""
    await lock_subjects(driver, _names(of))


async def lock_subjects(driver: Driver, counted: Collection[str]) -> None:
    """The same, of those who are named by what they are counted as."""
    await driver.lock([f"slots:{name}" for name in sorted(counted)])


async def counters_under(driver: Driver, subjects: Iterable[str]) -> dict[str, Counters]:
    """The counters of these subjects, and of what was tried out on them."""
    return await _find(driver, {name for one in subjects for name in (one, f"{one}{_TEST}")})


async def read_counters(driver: Driver, of: Sequence[Counted]) -> dict[str, Counters]:
    """The counters of these people, by what they are counted as."""
    return await _find(driver, _names(of))


async def _find(driver: Driver, counted: Collection[str]) -> dict[str, Counters]:
    return {subject: _load(counters) for subject, counters in await driver.select_in(_COUNTERS, each_key(counted))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What others use, or wait to use, of the slots that a delivery may need."""

    slots: Mapping[str, tuple[int, ...]]
    """By counter, when they were taken, newest first."""
    waiting: tuple[WaitingDelivery, ...]
    """What is held or queued for the same people and has no slot yet."""


async def read_usage(driver: Driver, of: Sequence[Counted]) -> list[Usage]:
    """For each claim how the slots of its people are used by others."""
    counters = await read_counters(driver, of)
    waiting: dict[tuple[str, bool], list[WaitingDelivery]] = {}
    if rows := await driver.select_in(_WAITING, each_key(name for _, names in of for name in names)):
        # One that may have gone already is queued with the slot that it has.
        served = {slot.delivery for one in counters.values() for counter in one.values() for slot in counter.slots}
        for subject, live, *row in rows:
            if row[0] not in served:
                waiting.setdefault((subject, bool(live)), []).append(_waiting_of(row))
    return [
        Usage(
            slots=_taken_by_others(counters, claim.delivery.id, counted_as(claim, subjects)),
            waiting=tuple(
                [
                    other
                    for subject in subjects
                    for other in waiting.get((subject, claim.message.live), ())
                    if other.id != claim.delivery.id
                ]
            ),
        )
        for claim, subjects in of
    ]


def _names(of: Sequence[Counted]) -> set[str]:
    return {name for claim, subjects in of for name in counted_as(claim, subjects)}


def _taken_by_others(
    counters: Mapping[str, Counters], own: DeliveryId, counted: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    if len(counted) == 1:
        kept = counters.get(counted[0], {})
        return {
            cap: others
            for cap, counter in kept.items()
            if (others := tuple([slot.at for slot in counter.slots if slot.delivery != own]))
        }
    taken: dict[str, set[tuple[int, str]]] = {}
    for subject in counted:
        for cap, counter in counters.get(subject, {}).items():
            if others_of_one := [(slot.at, slot.delivery) for slot in counter.slots if slot.delivery != own]:
                # What went to several subjects of a person took one slot of each.
                taken.setdefault(cap, set()).update(others_of_one)
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
