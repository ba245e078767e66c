"""What every store keeps to when workers live, die and are silent."""

from datetime import timedelta

from gateway.domain.ids import WorkerId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.values import replace
from gateway.ports import Claim
from gateway.storage.store import Store
from tests.contract.store_builders import (
    OTHER,
    WORKER,
    Place,
    attempt_for,
    kinds_of_events,
    new_message,
    reservation_for,
    sent_step,
    status_of,
)
from tests.factories import NOW
from tests.fakes import SetClock

S = DeliveryStatus


async def test_a_silent_worker_loses_its_claims_and_its_late_writes(store: Store, clock: SetClock) -> None:
    await store.leases.join(OTHER)
    claims: list[Claim] = []
    for number in range(1, 4):
        await store.accepting.accept(new_message(number))
        claims += await store.dispatch.claim(OTHER, 1, NOW)
    waiting, lost, safe = claims
    await store.dispatch.reserve(reservation_for(lost))
    mailbox = replace(reservation_for(safe).attempt, provider="mailbox")
    await store.dispatch.reserve(reservation_for(safe, attempt=mailbox))

    assert await store.leases.release_dead(WORKER, NOW) == 0
    clock.advance(29)
    assert await store.leases.release_dead(WORKER, NOW) == 0
    clock.advance(1)
    assert await store.leases.release_dead(WORKER, NOW) == 3

    assert await store.leases.beat(OTHER) is False
    assert await store.leases.beat(WORKER) is True
    assert await store.dispatch.claim(OTHER, 10, NOW) == []
    for claim in claims:
        assert not await store.dispatch.record(sent_step(claim))
    assert not await store.dispatch.reserve(reservation_for(waiting))
    assert [await status_of(store, f"msg_00000{number}") for number in (1, 2, 3)] == [S.ACCEPTED, S.UNKNOWN, S.QUEUED]
    assert (await kinds_of_events(store, "msg_000002"))[-1] == "delivery.unknown"
    assert {claim.message.id for claim in await store.dispatch.claim(WORKER, 10, NOW)} == {"msg_000001", "msg_000003"}
    (settling,) = await store.dispatch.claim(WORKER, 10, NOW + timedelta(minutes=15))
    assert settling.delivery.status is S.UNKNOWN
    assert await store.leases.release_dead(WORKER, NOW) == 0


async def test_a_worker_that_beats_is_alive_whatever_the_wall_clock_says(store: Store, clock: SetClock) -> None:
    await store.leases.join(OTHER)
    await store.accepting.accept(new_message())
    await store.dispatch.claim(OTHER, 1, NOW)

    for _ in range(10):
        clock.advance(20)
        clock.set_back(3600)
        assert await store.leases.beat(OTHER)
        assert await store.leases.release_dead(WORKER, clock.now()) == 0


async def test_the_claims_of_a_process_that_ended_are_free(place: Place, clock: SetClock) -> None:
    async with place.open(clock) as store:
        await store.leases.join(OTHER)
        await store.accepting.accept(new_message())
        await store.dispatch.claim(OTHER, 1, NOW)

    async with place.open(clock) as store:
        await store.leases.join(WORKER)

        assert await store.leases.release_dead(WORKER, NOW) == 1
        assert len(await store.dispatch.claim(WORKER, 1, NOW)) == 1


async def test_a_living_workers_claims_that_no_job_holds_are_released_like_a_dead_ones(store: Store) -> None:
    claims: list[Claim] = []
    for number in range(1, 5):
        await store.accepting.accept(new_message(number))
        claims += await store.dispatch.claim(WORKER, 1, NOW)
    held, waiting, lost, safe = claims
    await store.dispatch.reserve(reservation_for(lost))
    mailbox = replace(reservation_for(safe).attempt, provider="mailbox")
    await store.dispatch.reserve(reservation_for(safe, attempt=mailbox))

    assert await store.leases.release_forgotten(WORKER, {claim.delivery.id for claim in claims}, NOW) == 0
    assert await store.leases.release_forgotten(OTHER, (), NOW) == 0
    assert await store.leases.release_forgotten(WORKER, {held.delivery.id}, NOW) == 3

    for claim in (waiting, lost, safe):
        assert not await store.dispatch.record(sent_step(claim))
    assert [await status_of(store, f"msg_00000{number}") for number in (2, 3, 4)] == [S.ACCEPTED, S.UNKNOWN, S.QUEUED]
    assert {claim.message.id for claim in await store.dispatch.claim(WORKER, 10, NOW)} == {"msg_000002", "msg_000004"}
    assert await store.dispatch.reserve(reservation_for(held))


async def test_a_worker_that_leaves_gives_back_what_it_does_not_send(store: Store) -> None:
    await store.leases.join(OTHER)
    await store.accepting.accept(new_message(1))
    await store.accepting.accept(new_message(2))
    waiting, sending = await store.dispatch.claim(OTHER, 2, NOW)
    await store.dispatch.reserve(reservation_for(sending))

    await store.leases.leave(OTHER)

    (again,) = await store.dispatch.claim(WORKER, 5, NOW)
    assert again.message.id == waiting.message.id
    assert await store.leases.release_dead(WORKER, NOW) == 1
    assert await status_of(store, "msg_000002") is S.UNKNOWN


async def test_what_a_dead_worker_had_claimed_is_suspected_once_and_what_it_was_sending_is_not(
    store: Store, clock: SetClock
) -> None:
    await store.accepting.accept(new_message())
    for number in range(3):
        dying = WorkerId(f"wrk_dying_{number}")
        await store.leases.join(dying)
        (claim,) = await store.dispatch.claim(dying, 1, NOW)
        await die(store, dying, clock)

    (suspect,) = await store.dispatch.claim(WORKER, 1, NOW)

    assert (claim.failed_claims, suspect.failed_claims) == (1, 1), "its neighbours may be to blame"
    assert await store.dispatch.reserve(reservation_for(suspect))


async def test_a_suspect_that_is_tried_when_its_worker_dies_is_suspected_once_more(
    store: Store, clock: SetClock
) -> None:
    await store.accepting.accept(new_message())
    counted = []
    for number in range(3):
        dying = WorkerId(f"wrk_dying_{number}")
        await store.leases.join(dying)
        (claim,) = await store.dispatch.claim(dying, 1, NOW)
        counted.append(claim.failed_claims)
        if claim.failed_claims:
            await store.dispatch.note_failed_claims(claim, claim.failed_claims + 1)
        await die(store, dying, clock)
        await store.dispatch.note_failed_claims(claim, 0)  # too late: the claim is no longer its own

    (suspect,) = await store.dispatch.claim(WORKER, 1, NOW)

    assert [*counted, suspect.failed_claims] == [0, 1, 2, 3]


async def die(store: Store, worker: WorkerId, clock: SetClock) -> None:
    """Let the others hold the worker for dead."""
    await store.leases.release_dead(WORKER, NOW)
    clock.advance(30)
    assert await store.leases.release_dead(WORKER, NOW) == 1
    assert not await store.leases.beat(worker)


async def test_of_calls_side_by_side_each_must_be_safe_to_repeat(store: Store, clock: SetClock) -> None:
    await store.leases.join(OTHER)
    await store.accepting.accept(new_message())
    (claim,) = await store.dispatch.claim(OTHER, 1, NOW)
    first, beside = (attempt_for(claim, number, provider) for number, provider in ((1, "mailbox"), (2, "fcm")))
    await store.dispatch.reserve(reservation_for(claim, attempt=first, beside=(beside,)))
    await store.leases.release_dead(WORKER, NOW)
    clock.advance(30)

    await store.leases.release_dead(WORKER, NOW)

    assert await status_of(store) is S.UNKNOWN
