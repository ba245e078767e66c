"""Slots under frequency caps: taken in the transaction that marks `sending`, given back where nothing was sent."""

from collections.abc import Collection, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId
from gateway.domain.lifecycle import WAITING
from gateway.domain.messages import Message
from gateway.domain.slots import SlotNeed
from gateway.ports import Reservation, Step, StoredFacts
from gateway.storage import tables
from gateway.storage.counters import (
    Counter,
    Slot,
    Slots,
    Usage,
    counted_as,
    lock_counters,
    read_counters,
    read_usage,
)
from gateway.storage.documents import dump
from gateway.storage.driver import Driver
from gateway.storage.holds import look_again
from gateway.storage.statements import Insert
from gateway.storage.tables import to_micros

_keep: Final = Insert(
    tables.cap_counters,
    suffix=" ON CONFLICT (subject, cap) DO UPDATE SET slots = excluded.slots, expires_at = excluded.expires_at",
)
_FREE: Final = "UPDATE cap_counters SET slots = ? WHERE subject = ? AND cap = ?"


async def take_slots(driver: Driver, reservations: Sequence[Reservation]) -> set[DeliveryId]:
    """Take every slot that each reservation needs, or none of them; the deliveries that found a cap used up."""
    capped = [reservation for reservation in reservations if reservation.slots]
    if not capped:
        return set()
    of = [(reservation.claim, reservation.subjects) for reservation in capped]
    await lock_counters(driver, of)
    counters = await read_counters(driver, of)
    refused: set[DeliveryId] = set()
    kept_until: dict[Counter, int] = {}
    for reservation in capped:
        own, at = reservation.claim.delivery.id, to_micros(reservation.attempt.started_at)
        needs = [
            ((subject, need.counter), need)
            for subject in counted_as(reservation.claim, reservation.subjects)
            for need in reservation.slots
        ]
        if any(_is_used_up(counters.get(counter, ()), need, own) for counter, need in needs):
            refused.add(own)
            continue
        for counter, need in needs:
            counters[counter] = _with_slot(counters.get(counter, ()), own, at, need.limit)
            kept_until[counter] = to_micros(need.kept_until)
    await driver.insert(
        _keep, [(*counter, dump(counters[counter]), kept_until[counter]) for counter in sorted(kept_until)]
    )
    return refused


async def give_back(driver: Driver, freeing: Sequence[Step], now: int) -> None:
    """Free the slots of deliveries of which nothing was sent, and have those who wait for one looked at again.

    Their counters must be locked.
    """
    if not freeing:
        return
    before = await read_counters(driver, [(step.claim, step.subjects) for step in freeing])
    owners = {
        (subject, step.claim.delivery.id) for step in freeing for subject in counted_as(step.claim, step.subjects)
    }
    after = {counter: _without(slots, counter[0], owners) for counter, slots in before.items()}
    freed = [counter for counter in sorted(after) if after[counter] != before[counter]]
    await driver.execute_many(_FREE, [(dump(after[counter]), *counter) for counter in freed])
    # Of those that come back with nothing to give, as every refused one does, nobody need hear.
    woken = [step for step in freeing if step.status not in WAITING or _gave(step, freed)]
    await look_again(driver, {subject for step in woken for subject in step.subjects}, now)


def _gave(step: Step, freed: Collection[Counter]) -> bool:
    counted = counted_as(step.claim, step.subjects)
    return any(subject in counted for subject, _ in freed)


def is_held_for_caps(step: Step) -> bool:
    """Whether slots in use, or kept for others, were among what a hold was decided on."""
    return step.seen is not None and bool(step.seen.slots or step.seen.waiting)


async def freed_meanwhile(driver: Driver, held: Sequence[Step]) -> set[DeliveryId]:
    """Of deliveries to be held those that were decided with a slot in use, or kept, that is free by now.

    Their counters must be locked: who frees a slot later finds them held.
    """
    capped = [step for step in held if is_held_for_caps(step)]
    if not capped:
        return set()
    of = [(step.claim, step.subjects) for step in capped]
    used = await read_usage(driver, of)
    return {
        step.claim.delivery.id
        for step, usage in zip(capped, used, strict=True)
        if step.seen is not None and _has_freed(step.claim.message, step.seen, usage)
    }


def _has_freed(message: Message, seen: StoredFacts, usage: Usage) -> bool:
    still = {other.id for other in usage.waiting}
    kept = {other.id for other in seen.waiting if other.goes_before(message.lane, message.created_at)}
    if not kept <= still:
        return True
    return any(not set(instants) <= set(usage.slots.get(counter, ())) for counter, instants in seen.slots.items())


def _is_used_up(slots: Slots, need: SlotNeed, own: DeliveryId) -> bool:
    counted_from = to_micros(need.counted_from)
    used = sum(slot.at >= counted_from and slot.delivery != own for slot in slots)
    return used >= need.most


def _with_slot(slots: Slots, own: DeliveryId, at: int, limit: int) -> Slots:
    """With the delivery's slot at its newest call, and no more than there is a use for."""
    others = [slot for slot in slots if slot.delivery != own]
    mine = Slot(at, own, stays=len(others) < len(slots))
    return tuple(sorted([mine, *others], key=lambda slot: slot.at, reverse=True)[:limit])


def _without(slots: Slots, subject: str, owners: set[tuple[str, DeliveryId]]) -> Slots:
    return tuple([slot for slot in slots if slot.stays or (subject, slot.delivery) not in owners])
