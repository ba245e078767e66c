"""What every store keeps to when it counts under limits on spending: never too much, and given back exactly once."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.slots import SlotNeed
from gateway.domain.spending import Charge, Spent
from gateway.domain.values import replace
from gateway.ports import Claim, Retention
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import (
    WORKER,
    answered_attempt,
    attempt_for,
    new_message,
    reservation_for,
    sent_step,
    status_of,
    step_for,
)
from tests.factories import NOW, make_recipient

S = DeliveryStatus
DAY = timedelta(days=1)
LONG = Retention(messages=400 * DAY, events=400 * DAY, content=400 * DAY, mailbox=400 * DAY)


def charge(**changes: Any) -> Charge:
    """One message of at most three, at a price of 7 and at most 100."""
    one = Charge(
        counter="texts|svc",
        bucket=to_micros(NOW),
        counted_from=to_micros(NOW - DAY),
        spent=Spent(messages=1, cost=7),
        messages=3,
        cost=100,
        kept_until=NOW + DAY,
    )
    return replace(one, **changes)


async def claims_of(store: Store, count: int) -> list[Claim]:
    """A claim on each of so many messages, each to another person."""
    for number in range(count):
        await store.accepting.accept(new_message(number, to=make_recipient(id=f"user-{number}")))
    claims = await store.dispatch.claim(WORKER, count, NOW + timedelta(hours=1))
    return sorted(claims, key=lambda claim: claim.delivery.id)


async def reserve(store: Store, claim: Claim, *charges: Charge, **changes: Any) -> bool:
    """Reserve the call with what it counts to."""
    attempt = attempt_for(claim, number=claim.delivery.attempts + 1)
    intent = reservation_for(claim, attempt=attempt, charges=charges or (charge(),), events=())
    return await store.dispatch.reserve(replace(intent, **changes))


async def counted(store: Store, counter: str = "texts|svc") -> Spent:
    """What the counter holds."""
    query = "SELECT CAST(buckets AS TEXT) FROM spending_counters WHERE counter = ?"
    rows = await store.database.reader.run(lambda driver: driver.fetch(query, (counter,)))
    buckets = json.loads(rows[0][0]) if rows else {}
    parts = [Spent(messages=messages, cost=cost) for messages, cost in buckets.values()]
    return Spent(messages=sum(one.messages for one in parts), cost=sum(one.cost for one in parts))


async def notes(store: Store) -> int:
    """Of how many calls it is kept what they counted to."""
    async with store.database.reader.connect() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(tables.charges)) or 0


async def test_of_many_reservations_at_once_as_many_are_granted_as_the_limit_says(store: Store) -> None:
    claims = await claims_of(store, 32)

    granted = await asyncio.gather(*(reserve(store, claim) for claim in claims))

    assert sum(granted) == 3
    assert await counted(store) == Spent(messages=3, cost=21)


async def test_two_processes_share_what_is_left(place: Any, store: Store, clock: Any) -> None:
    claims = await claims_of(store, 16)

    async with place.open(clock) as other:
        stores = [store, other] * 8
        granted = await asyncio.gather(*(reserve(one, claim) for one, claim in zip(stores, claims, strict=True)))

    assert sum(granted) == 3


async def test_the_cost_is_limited_as_exactly(store: Store) -> None:
    dear = charge(messages=None, cost=20)
    granted = [await reserve(store, claim, dear) for claim in await claims_of(store, 3)]

    assert granted == [True, True, False]
    assert await counted(store) == Spent(messages=2, cost=14)


async def test_every_charge_is_counted_or_none(store: Store) -> None:
    first, second = await claims_of(store, 2)
    await reserve(store, first, charge(counter="one", messages=1))

    refused = await reserve(store, second, charge(counter="three"), charge(counter="one", messages=1))

    assert not refused
    assert await status_of(store, second.message.id) is S.ACCEPTED
    assert await counted(store, "three") == Spent()


async def test_who_finds_no_slot_under_a_cap_spends_nothing(store: Store) -> None:
    need = SlotNeed(
        counter="offers", limit=1, most=0, counted_from=to_micros(NOW - DAY), kept_for=DAY // timedelta(microseconds=1)
    )
    (claim,) = await claims_of(store, 1)

    assert not await reserve(store, claim, slots=(need,), subjects=("somebody",))

    assert (await counted(store), await notes(store)) == (Spent(), 0)


async def test_what_counted_for_nothing_is_given_back_once(store: Store) -> None:
    first, second = await claims_of(store, 2)
    await reserve(store, first)
    await reserve(store, second)
    unsent = answered_attempt(first, SendResult(outcome=Outcome.TRANSIENT))
    step = step_for(first, S.QUEUED, attempt=unsent, due_at=NOW, refunds=True, events=())

    recorded = [await store.dispatch.record(step), await store.dispatch.record(step)]

    assert recorded == [True, False]
    assert await counted(store) == Spent(messages=1, cost=7)
    assert await notes(store) == 1


async def test_a_call_that_was_not_made_gives_back_and_one_that_was_does_not(store: Store) -> None:
    unmade, made = await claims_of(store, 2)
    await reserve(store, unmade)
    await reserve(store, made)

    await store.dispatch.record(step_for(unmade, S.QUEUED, due_at=NOW, refunds=True, events=()))
    await store.dispatch.record(sent_step(made))

    assert await counted(store) == Spent(messages=1, cost=7)


async def test_as_many_that_wait_for_room_are_looked_at_again_as_were_given_back(store: Store) -> None:
    spent, *waiting, quiet = await claims_of(store, 4)
    await reserve(store, spent)
    for claim in (*waiting, quiet):
        reason = "quiet_hours" if claim is quiet else "spending_limit"
        await store.dispatch.record(step_for(claim, S.HELD, due_at=NOW + DAY, reason=reason, events=()))
    later = NOW + timedelta(hours=1)

    nothing_yet = await store.dispatch.look_again_at_held(later)
    await store.dispatch.record(step_for(spent, S.QUEUED, due_at=NOW + DAY, refunds=True, events=()))
    rounds = [await store.dispatch.look_again_at_held(later) for _ in range(3)]

    assert (nothing_yet, rounds) == (0, [1, 1, 0])
    due = await store.dispatch.claim(WORKER, 10, later)
    assert [claim.delivery.id for claim in due] == [claim.delivery.id for claim in waiting]


async def test_a_call_whose_worker_died_keeps_what_it_counted(store: Store) -> None:
    (claim,) = await claims_of(store, 1)
    await reserve(store, claim)

    await store.leases.release_forgotten(WORKER, [], NOW)

    assert await status_of(store, claim.message.id) is S.UNKNOWN
    assert await counted(store) == Spent(messages=1, cost=7)


@pytest.mark.parametrize("bucket", [-2 * DAY, timedelta(0)], ids=["long ago", "now"])
async def test_what_lies_outside_the_time_counts_no_more(store: Store, bucket: timedelta) -> None:
    first, second = await claims_of(store, 2)
    await reserve(store, first, charge(bucket=to_micros(NOW + bucket), messages=1))

    assert await reserve(store, second, charge(messages=1)) is (bucket < timedelta(0))


async def test_the_facts_tell_what_was_spent_and_the_name_of_the_service(place: Any, store: Store, clock: Any) -> None:
    class Spenders:
        complaints = None

        def counters_for(self, *_: Any) -> Sequence[str]:
            return ["texts|svc", "never counted"]

        def counters_within(self, _: Any) -> tuple[str, str]:
            return "|complaints|", "|complaints}"

    first, second = await claims_of(store, 2)
    await reserve(store, first)
    await reserve(store, second, charge(counter="|complaints|example.org"))

    async with place.open(clock, spenders=Spenders()) as other:
        facts = (await other.dispatch.facts([first]))[first.delivery.id]

    assert facts.spent == {
        "texts|svc": {to_micros(NOW): Spent(messages=1, cost=7)},
        "|complaints|example.org": {to_micros(NOW): Spent(messages=1, cost=7)},
    }
    assert facts.service == first.message.service_id


async def test_what_counts_for_nothing_any_more_is_forgotten(store: Store) -> None:
    (claim,) = await claims_of(store, 1)
    await reserve(store, claim)

    await store.forgetting.forget(LONG, NOW + timedelta(hours=12))
    assert await notes(store) == 1
    gone = await store.forgetting.forget(LONG, NOW + 2 * DAY)

    assert gone == {"spending": 2}
    assert (await counted(store), await notes(store)) == (Spent(), 0)


async def test_a_day_that_is_over_for_one_clock_is_not_begun_anew_for_another(store: Store) -> None:
    today, yesterday = to_micros(NOW), to_micros(NOW - DAY)
    todays = charge(bucket=today, counted_from=today, messages=1)
    yesterdays = charge(bucket=yesterday, counted_from=yesterday, messages=2)
    first, second, third = await claims_of(store, 3)

    granted = [
        await reserve(store, first, yesterdays),
        await reserve(store, second, todays),
        await reserve(store, third, yesterdays),
    ]

    assert granted == [True, True, False]


async def test_a_clock_that_is_behind_does_not_bring_the_end_of_a_counter_nearer(store: Store) -> None:
    first, second = await claims_of(store, 2)
    yesterday = to_micros(NOW - DAY)
    await reserve(store, first, charge(kept_until=NOW + DAY))
    await reserve(store, second, charge(bucket=yesterday, counted_from=yesterday, kept_until=NOW))

    await store.forgetting.forget(LONG, NOW + timedelta(hours=1))

    assert (await counted(store)).messages == 2
