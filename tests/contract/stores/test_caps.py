"""What every store keeps to when it counts under frequency caps: never one too many, and nothing kept for nothing."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.instants import from_micros, to_micros
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome, Priority, SendResult
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, PushDevice, PushPlatform, Recipient
from gateway.domain.slots import SlotNeed
from gateway.domain.values import replace
from gateway.ports import Claim, Retention, Step, StoredFacts
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import (
    WORKER,
    answered_attempt,
    attempt_for,
    new_event,
    new_message,
    reservation_for,
    sent_step,
    status_of,
    step_for,
)
from tests.factories import NOW, make_recipient

S = DeliveryStatus
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LONG = Retention(messages=400 * DAY, events=400 * DAY, content=400 * DAY, mailbox=400 * DAY)


def need(limit: int = 3, *, most: int | None = None, counter: str = "offers", at: Any = NOW) -> SlotNeed:
    """A slot under `limit` in 24 hours."""
    return SlotNeed(
        counter=counter,
        limit=limit,
        most=limit if most is None else most,
        counted_from=to_micros(at - DAY) + 1,
        kept_for=DAY // timedelta(microseconds=1),
    )


def taken(*instants: datetime) -> dict[str, tuple[int, ...]]:
    """Slots under `offers`, as the facts tell them."""
    return {"offers": tuple([to_micros(at) for at in instants])}


async def facts_of(store: Store, claim: Claim) -> StoredFacts:
    """With the slots that were taken."""
    return (await store.dispatch.facts([claim], slots=True))[claim.delivery.id]


async def claims_of(store: Store, numbers: Sequence[int], **changes: Any) -> list[Claim]:
    """A claim on each message, all for one person."""
    for number in numbers:
        await store.accepting.accept(new_message(number, **changes))
    claims = await store.dispatch.claim(WORKER, len(numbers), NOW + HOUR)
    return sorted(claims, key=lambda claim: claim.delivery.id)


async def reserve(store: Store, claim: Claim, *needs: SlotNeed, at: Any = NOW, **changes: Any) -> bool:
    """Reserve the call, with the slots of the claim's own person."""
    subjects = (await facts_of(store, claim)).subjects
    attempt = attempt_for(claim, number=claim.delivery.attempts + 1, at=at)
    intent = reservation_for(claim, attempt=attempt, subjects=subjects, slots=needs or (need(),), events=())
    return await store.dispatch.reserve(replace(intent, **changes))


def unsent_step(claim: Claim, **changes: Any) -> Step:
    """The provider did not take it, and it is due again."""
    attempt = answered_attempt(claim, SendResult(outcome=Outcome.TRANSIENT))
    step = step_for(claim, S.QUEUED, attempt=attempt, due_at=NOW, frees_slots=True, events=())
    return replace(step, **changes)


async def free(store: Store, claim: Claim, **changes: Any) -> None:
    """Record that nothing was sent."""
    subjects = (await facts_of(store, claim)).subjects
    assert await store.dispatch.record(unsent_step(claim, subjects=subjects, **changes))


async def hold(store: Store, claim: Claim, until: Any, seen: StoredFacts | None = None, **changes: Any) -> None:
    """Record that it waits, as decided on what was seen."""
    facts = seen or await facts_of(store, claim)
    step = step_for(claim, S.HELD, due_at=until, reason="frequency_cap", subjects=facts.subjects, seen=facts)
    assert await store.dispatch.record(replace(step, **changes))


async def counters_in(store: Store) -> int:
    """Of how many people the store keeps counters."""
    async with store.database.reader.connect() as connection:
        return len((await connection.execute(sa.select(tables.cap_counters.c.subject))).all())


async def test_of_sixty_four_reservations_at_once_three_are_granted(store: Store) -> None:
    claims = await claims_of(store, range(64))

    granted = await asyncio.gather(*(reserve(store, claim) for claim in claims))

    assert sum(granted) == 3
    assert sum([await status_of(store, claim.message.id) is S.SENDING for claim in claims]) == 3


async def test_two_processes_share_the_last_slots(place: Any, store: Store, clock: Any) -> None:
    claims = await claims_of(store, range(16))

    async with place.open(clock) as other:
        stores = [store, other] * 8
        granted = await asyncio.gather(*(reserve(one, claim) for one, claim in zip(stores, claims, strict=True)))

    assert sum(granted) == 3


async def test_every_slot_is_taken_or_none(store: Store) -> None:
    first, second, third = await claims_of(store, range(3))
    await reserve(store, first, need(1, counter="one"))

    refused = await reserve(store, second, need(3, counter="three"), need(1, counter="one"))
    granted = await reserve(store, third, need(1, counter="three"))

    assert (refused, granted) == (False, True)
    assert await status_of(store, second.message.id) is S.ACCEPTED


async def test_a_slot_is_given_back_where_nothing_was_sent(store: Store) -> None:
    first, second = await claims_of(store, range(2))
    await reserve(store, first, need(1))
    assert not await reserve(store, second, need(1))

    await free(store, first)

    assert await reserve(store, second, need(1))


async def test_a_slot_stays_with_what_was_sent_or_may_have_been(store: Store) -> None:
    sent, lost, third = await claims_of(store, range(3))
    for claim in (sent, lost):
        await reserve(store, claim, need(2))

    await store.dispatch.record(replace(sent_step(sent), events=()))
    await store.dispatch.record(step_for(lost, S.UNKNOWN, events=()))

    assert not await reserve(store, third, need(2))
    assert (await facts_of(store, third)).slots == taken(NOW, NOW)


async def test_a_retry_takes_no_second_slot_and_gives_back_none_that_may_have_been_spent(store: Store) -> None:
    first, second = await claims_of(store, range(2))
    await reserve(store, first, need(2))
    answer = answered_attempt(first, SendResult(outcome=Outcome.UNKNOWN))
    lost = step_for(first, S.QUEUED, due_at=NOW, events=(), attempt=answer)
    await store.dispatch.record(lost)
    (again,) = await store.dispatch.claim(WORKER, 1, NOW)
    assert (await facts_of(store, again)).slots == {}

    await reserve(store, again, need(1), at=NOW + HOUR)
    await free(store, again, attempt=None)

    assert (await facts_of(store, second)).slots == taken(NOW + HOUR)


async def test_a_counter_keeps_no_more_slots_than_its_limit(store: Store) -> None:
    claims = await claims_of(store, range(8))

    granted = [
        await reserve(store, claim, need(2, at=NOW + number * DAY), at=NOW + number * DAY)
        for number, claim in enumerate(claims[:7])
    ]

    assert granted == [True] * 7
    assert (await facts_of(store, claims[7])).slots == taken(NOW + 6 * DAY, NOW + 5 * DAY)


async def test_slots_kept_for_others_are_not_there(store: Store) -> None:
    first, second = await claims_of(store, range(2))

    assert await reserve(store, first, need(3, most=1))
    assert not await reserve(store, second, need(3, most=1))


async def test_a_test_key_takes_nothing_away_from_what_reaches_people(store: Store) -> None:
    (real,) = await claims_of(store, [1])
    (trial,) = await claims_of(store, [2], live=False)

    assert await reserve(store, trial, need(1))
    assert await reserve(store, real, need(1))


async def test_a_device_that_is_named_twice_counts_once_and_its_slot_is_given_back(store: Store) -> None:
    device = PushDevice(platform=PushPlatform.FCM, token="device-7")
    anybody = Recipient(push=(device, device))
    claim, later = await claims_of(store, (1, 2), to=anybody, channels=(Channel.PUSH,))
    assert len((await facts_of(store, claim)).subjects) == 1
    assert await reserve(store, claim, need(1))
    assert not await reserve(store, later, need(1))

    await free(store, claim)

    assert await reserve(store, later, need(1))


async def test_people_are_counted_apart_and_those_without_an_id_by_address(store: Store) -> None:
    people: list[dict[str, Any]] = [{}, {"id": "user-7"}, {"id": None}, {"id": None, "email": "AMINA@example.org"}]
    known, other, by_address, same_address = [
        (await claims_of(store, [number], to=make_recipient(**to)))[0] for number, to in enumerate(people)
    ]

    granted = [await reserve(store, claim, need(1)) for claim in (known, other, by_address, same_address)]

    assert granted == [True, True, True, False]


async def test_a_freed_slot_has_those_who_wait_for_it_looked_at_at_once(store: Store) -> None:
    first, second = await claims_of(store, range(2))
    await reserve(store, first, need(1))
    await hold(store, second, NOW + DAY)

    await free(store, first, status=S.FAILED, due_at=None)

    (again,) = await store.dispatch.claim(WORKER, 2, NOW)
    assert again.delivery.id == second.delivery.id


async def test_a_hold_decided_on_a_slot_that_was_freed_meanwhile_is_looked_at_at_once(store: Store) -> None:
    first, second = await claims_of(store, range(2))
    await reserve(store, first, need(1))
    seen = await facts_of(store, second)
    await free(store, first, status=S.FAILED, due_at=None)

    await hold(store, second, NOW + DAY, seen)

    (again,) = await store.dispatch.claim(WORKER, 2, NOW)
    assert again.delivery.id == second.delivery.id
    assert again.delivery.not_before == NOW + DAY


async def test_what_waits_with_a_higher_priority_is_told_to_what_comes_later(store: Store) -> None:
    (urgent,) = await claims_of(store, [1], priority=Priority.HIGH, category=Category.MARKETING, topic="offers")
    await hold(store, urgent, NOW + DAY, not_before=NOW)

    (usual,) = await claims_of(store, [2])
    (waiting,) = (await facts_of(store, usual)).waiting

    assert (waiting.id, waiting.lane, waiting.due_at) == (urgent.delivery.id, urgent.message.lane, NOW + DAY)
    assert (waiting.category, waiting.topic, waiting.channel) == ("marketing", "offers", urgent.delivery.channel)


async def test_a_cancelled_delivery_keeps_no_slot_from_others(store: Store) -> None:
    (urgent,) = await claims_of(store, [1], priority=Priority.HIGH)
    await hold(store, urgent, NOW + DAY)
    (usual,) = await claims_of(store, [2])
    await hold(store, usual, NOW + 2 * DAY)

    await store.steering.cancel(urgent.message.id, None, new_event(urgent.message, "message.cancelled", at=NOW))

    assert [claim.delivery.id for claim in await store.dispatch.claim(WORKER, 2, NOW)] == [usual.delivery.id]


async def test_what_is_queued_with_its_slot_is_not_counted_twice(store: Store) -> None:
    (lost,) = await claims_of(store, [1], priority=Priority.HIGH)
    await reserve(store, lost)
    answer = answered_attempt(lost, SendResult(outcome=Outcome.UNKNOWN))
    subjects = (await facts_of(store, lost)).subjects
    await store.dispatch.record(
        step_for(lost, S.QUEUED, due_at=NOW + DAY, attempt=answer, subjects=subjects, events=())
    )

    (usual,) = await claims_of(store, [2])
    facts = await facts_of(store, usual)

    assert (facts.waiting, facts.slots) == ((), taken(NOW))


async def test_counters_that_count_for_nothing_are_forgotten(store: Store) -> None:
    claims = await claims_of(store, range(2))
    await reserve(store, claims[0], need(1))

    await store.forgetting.forget(LONG, NOW + DAY - timedelta(microseconds=1))
    kept = await counters_in(store)
    await store.forgetting.forget(LONG, NOW + 2 * DAY)

    assert (kept, await counters_in(store)) == (1, 0)


@pytest.mark.parametrize("seed", range(3))
async def test_the_counter_agrees_with_one_that_keeps_every_message(store: Store, seed: int) -> None:
    chance, at = random.Random(seed), NOW
    spent: dict[str, datetime] = {}
    lost: set[str] = set()
    free = await claims_of(store, range(40))
    called: list[Claim] = []
    for _ in range(80):
        at += chance.choice((timedelta(0), HOUR, 7 * HOUR, 13 * HOUR))
        if free and (not called or chance.random() < 0.6):
            claim = free.pop()
            in_window = [taken for one, taken in spent.items() if taken > at - DAY and one != claim.delivery.id]
            granted = await reserve(store, claim, need(3, at=at), at=at)
            assert granted is (len(in_window) < 3)
            if granted:
                if claim.delivery.id in spent:
                    lost.add(claim.delivery.id)
                spent[claim.delivery.id] = at
                called.append(claim)
            continue
        claim = called.pop(chance.randrange(len(called))) if called else free[0]
        if claim.delivery.id not in spent:
            continue
        outcome = chance.choice((Outcome.SENT, Outcome.TRANSIENT, Outcome.UNKNOWN))
        attempt = replace(
            attempt_for(claim, number=claim.delivery.attempts + 1), result=SendResult(outcome=outcome), finished_at=at
        )
        subjects = (await facts_of(store, claim)).subjects
        status = S.SENT if outcome is Outcome.SENT else S.QUEUED
        step = step_for(claim, status, attempt=attempt, due_at=None if status is S.SENT else at, events=())
        frees = outcome is Outcome.TRANSIENT
        await store.dispatch.record(replace(step, subjects=subjects, frees_slots=frees))
        if frees and claim.delivery.id not in lost:
            del spent[claim.delivery.id]
        free += await store.dispatch.claim(WORKER, 40, at)

    (after,) = await claims_of(store, [99])
    kept = (await facts_of(store, after)).slots.get("offers", ())
    assert [from_micros(at) for at in kept] == sorted(spent.values(), reverse=True)[: len(kept)]
