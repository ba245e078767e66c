"""Slots under frequency caps: taken in the transaction that marks `sending`, given back where nothing was sent."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import WAITING
from gateway.domain.messages import Message
from gateway.domain.slots import SlotNeed
from gateway.ports import Reservation, Step, StoredFacts
from gateway.storage import tables
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.statements import Insert
from gateway.storage.queue.counters import Usage, counted_as, lock_counters, read_counters, read_usage
from gateway.storage.queue.holds import look_again
from gateway.storage.queue.slots import NO_COUNTER, Counter, Counters, dump_counters, with_slots

_keep: Final = Insert(
    tables.cap_counters,
    suffix=" ON CONFLICT (subject) DO UPDATE SET counters = excluded.counters, expires_at = excluded.expires_at",
)
# Most leave the instant as it is, and with it the index on it.
_CHANGE: Final = "UPDATE cap_counters SET counters = ? WHERE subject = ?"
_DAY: Final = 86_400_000_000
_NOTHING: Final[Counters] = {}


async def take_slots(driver: Driver, reservations: Sequence[Reservation]) -> set[DeliveryId]:
    """Take every slot that each reservation needs, or none of them; the deliveries that found a cap used up."""
    capped = [(one, counted_as(one.claim, one.subjects)) for one in reservations if one.slots]
    if not capped:
        return set()
    names = {name for _, counted in capped for name in counted}
    await lock_counters(driver, names)
    counters = await read_counters(driver, names)
    refused: set[DeliveryId] = set()
    before = {name: _forgotten_at(of_one) for name, of_one in counters.items()}
    taken: set[str] = set()
    for reservation, counted in capped:
        own, at = reservation.claim.delivery.id, to_micros(reservation.attempt.started_at)
        so_far = {name: counters.get(name, _NOTHING) for name in counted}
        if _is_used_up(so_far.values(), reservation.slots, own):
            refused.add(own)
            continue
        for name, of_one in so_far.items():
            counters[name] = with_slots(of_one, reservation.slots, own, at)
        taken.update(so_far)
    rows = [(one, dump_counters(counters[one]), _forgotten_at(counters[one])) for one in sorted(taken)]
    await driver.insert_all((_keep, [row for row in rows if row[2] != before.get(row[0])]))
    await driver.execute_many(_CHANGE, [(text, one) for one, text, at in rows if at == before.get(one)])
    return refused


def _forgotten_at(counters: Counters) -> int:
    """The end of the day in UTC on which the last slot ends to count."""
    return -(-max([counter.kept_until for counter in counters.values()]) // _DAY) * _DAY


async def give_back(driver: Driver, freeing: Sequence[Step], now: int) -> None:
    """Free the slots of deliveries of which nothing was sent, and have those who wait for one looked at again.

    Their counters must be locked.
    """
    if not freeing:
        return
    owners: dict[str, set[str]] = {}
    for step in freeing:
        for name in counted_as(step.claim, step.subjects):
            owners.setdefault(name, set()).add(step.claim.delivery.id)
    before = await read_counters(driver, owners)
    after = {name: _without(counters, owners[name]) for name, counters in before.items()}
    freed = [subject for subject in sorted(after) if after[subject] != before[subject]]
    await driver.execute_many(_CHANGE, [(dump_counters(after[subject]), subject) for subject in freed])
    # Of those that come back with nothing to give, as every refused one does, nobody need hear.
    woken = [step for step in freeing if step.status not in WAITING or _gave(step, freed)]
    await look_again(driver, {subject for step in woken for subject in step.subjects}, now)


def _gave(step: Step, freed: Collection[str]) -> bool:
    return any(subject in freed for subject in counted_as(step.claim, step.subjects))


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


def _is_used_up(counters: Iterable[Counters], needs: Sequence[SlotNeed], own: DeliveryId) -> bool:
    """Whether anyone whose counters these are has no slot left of one that is needed."""
    for of_one in counters:
        for need in needs:
            slots = of_one.get(need.counter, NO_COUNTER).slots
            if len(slots.at) >= need.most:
                used = sum([at >= need.counted_from for at in slots.of_others(own)])
                if used >= need.most:
                    return True
    return False


def _without(counters: Counters, owners: set[str]) -> Counters:
    """Without the slots of these deliveries, but for those that stay."""
    return {
        cap: Counter(counter.kept_until, counter.slots.without(owners.difference(counter.slots.stay)))
        for cap, counter in counters.items()
    }
