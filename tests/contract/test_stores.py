"""What every store keeps to: one suite, run on each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.ids import DeliveryId, MessageId, RecipientId, ServiceId, SuppressionId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import Attachment, Lane, Priority
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, EmailAddress, Recipient
from gateway.domain.values import replace
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ports import (
    AcceptOutcome,
    Claim,
    Idempotency,
    MessageQuery,
    Mismatched,
    NewMessage,
    Replayed,
    Stored,
)
from gateway.storage.store import SqliteStore, open_store
from tests.contract.store_builders import (
    CONTENT,
    OTHER,
    VERSIONS,
    WORKER,
    new_delivery,
    new_event,
    new_message,
    reservation_for,
    sent_step,
    step_for,
)
from tests.factories import NOW, SERVICE, make_consent, make_message, make_recipient, make_suppression
from tests.fakes import SetClock

S = DeliveryStatus
STRANGER = ServiceId("svc_other")


@dataclass(frozen=True)
class Place:
    """Where one store lives; it can be opened more than once, as several processes would."""

    url: str

    def open(self, clock: SetClock, **options: Any) -> AbstractAsyncContextManager[SqliteStore]:
        """Open it."""
        return open_store(self.url, clock, **options)


@pytest.fixture(params=["sqlite"])
def place(tmp_path: Path) -> Place:
    return Place(f"sqlite:///{tmp_path / 'store.db'}")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def store(place: Place, clock: SetClock) -> AsyncIterator[SqliteStore]:
    async with place.open(clock, idempotent_providers={"mailbox"}) as store:
        await store.leases.join(WORKER)
        yield store


async def claim_one(store: SqliteStore, new: NewMessage | None = None) -> Claim:
    await store.accepting.accept(new or new_message())
    (claim,) = await store.dispatch.claim(WORKER, 1, NOW)
    return claim


async def status_of(store: SqliteStore, message_id: str = "msg_000001") -> DeliveryStatus:
    return (await store.log.read(MessageId(message_id), None)).status


async def kinds_of_events(store: SqliteStore, message_id: str = "msg_000001") -> list[str]:
    return [event.type for event in (await store.log.events(MessageId(message_id), None, 100, None)).items]


# Accepting


async def test_a_message_is_read_back_as_it_was_accepted(store: SqliteStore) -> None:
    message = make_message(
        id=MessageId("msg_000001"),
        data={"total": {"amount": "1.00", "currency": "CAD"}, "names": ["é", "עברית"], "count": 5, "code": "••••"},
        secrets={"code": "123456"},
        tags=("a", "b"),
        metadata={"k": [1, 2.5, None, True]},
        channels=(Channel.PUSH, Channel.EMAIL),
        strategy=Strategy.ALL,
        sender="shop@example.org",
        attachments=(Attachment(filename="é.pdf", content_type="application/pdf", content=b"\x00\xff", inline_id="i"),),
        fallback_after=timedelta(minutes=5),
        send_at=NOW + timedelta(microseconds=1),
        locale="fr",
        traceparent="00-1-2-01",
    )
    new = NewMessage(message=message, deliveries=(new_delivery(1, message),), events=(new_event(message),))

    outcome = await store.accepting.accept(new)

    record = await store.log.read(message.id, SERVICE)
    assert outcome == Stored()
    assert record.message == message
    assert record.status is S.ACCEPTED
    assert [held.delivery for held in record.deliveries] == [new.deliveries[0].delivery]
    assert (await store.log.events(message.id, SERVICE, 10, None)).items == new.events


async def test_of_64_posts_with_one_key_one_is_stored(place: Place, clock: SetClock) -> None:
    news = [new_message(number, key="k", body="ab"[number % 2]) for number in range(64)]
    async with place.open(clock) as one, place.open(clock) as two:
        outcomes = await asyncio.gather(
            *((one, two)[number % 3 == 0].accepting.accept(new) for number, new in enumerate(news))
        )

        stored = [new for new, outcome in zip(news, outcomes, strict=True) if outcome == Stored()]
        kept = await one.log.search(MessageQuery())

    assert len(stored) == 1
    assert [record.message.id for record in kept.items] == [stored[0].message.id]
    for new, outcome in zip(news, outcomes, strict=True):
        assert new.idempotency is not None
        assert stored[0].idempotency is not None
        same_body = new.idempotency.fingerprint == stored[0].idempotency.fingerprint
        assert outcome in (Stored(), Replayed(answer={"id": stored[0].message.id}) if same_body else Mismatched())


async def test_a_key_is_replayed_after_a_restart_and_means_nothing_to_another_service(
    place: Place, clock: SetClock
) -> None:
    async with place.open(clock) as store:
        await store.accepting.accept(new_message(1, key="k"))
    async with place.open(clock) as store:
        again = await store.accepting.accept(new_message(2, key="k"))
        other = await store.accepting.accept(new_message(3, key="k", service_id=STRANGER))

    assert again == Replayed(answer={"id": "msg_000001"})
    assert other == Stored()


async def test_what_a_key_was_used_for_can_be_recalled(store: SqliteStore) -> None:
    new = new_message(1, key="k")
    await store.accepting.accept(new)

    assert await store.accepting.recall(SERVICE, "k") == new.idempotency
    assert await store.accepting.recall(STRANGER, "k") is None


async def test_one_bad_item_fails_alone(store: SqliteStore) -> None:
    await store.accepting.accept(new_message(7))
    news = [new_message(number) for number in range(20)]
    news[11] = new_message(11, template="lone \ud800 surrogate")

    outcomes = await asyncio.gather(*(store.accepting.accept(new) for new in news), return_exceptions=True)

    assert isinstance(outcomes[7], Conflict)
    assert isinstance(outcomes[11], InvalidRequest)
    assert [outcome for number, outcome in enumerate(outcomes) if number not in (7, 11)] == [Stored()] * 18


async def test_a_batch_is_stored_together_and_replayed_as_a_whole(store: SqliteStore) -> None:
    def compose(outcomes: Any) -> dict[str, Any]:
        return {"results": [type(outcome).__name__ for outcome in outcomes]}

    await store.accepting.accept(new_message(1, key="taken"))
    items = [new_message(2), new_message(3, key="taken"), new_message(4, key="taken", body="b"), new_message(5)]
    request = Idempotency(key="batch", fingerprint="f", answer={})

    outcomes, whole = await store.accepting.accept_batch(SERVICE, items, request, compose)
    replayed = await store.accepting.accept_batch(SERVICE, [new_message(6)], request, compose)
    mismatched = await store.accepting.accept_batch(SERVICE, [], replace(request, fingerprint="g"), compose)
    keyless = await store.accepting.accept_batch(SERVICE, [new_message(7)], None, compose)

    expected: list[AcceptOutcome] = [Stored(), Replayed(answer={"id": "msg_000001"}), Mismatched(), Stored()]
    assert list(outcomes) == expected
    assert whole == Stored()
    assert replayed == ((), Replayed(answer={"results": ["Stored", "Replayed", "Mismatched", "Stored"]}))
    assert mismatched == ((), Mismatched())
    assert keyless == ([Stored()], Stored())
    page = await store.log.search(MessageQuery())
    assert [record.message.id[-1] for record in page.items] == ["7", "5", "2", "1"]


async def test_remembered_values_lie_over_what_is_kept(store: SqliteStore) -> None:
    kept = make_recipient(push=(), attributes={"a": 1, "b": 1})
    await store.recipients.put_recipient(SERVICE, kept, NOW)
    inline = Recipient(id=kept.id, email=EmailAddress("new@example.org"), attributes={"b": 2})

    await store.accepting.accept(replace(new_message(), remember=inline))

    assert kept.id is not None
    assert await store.recipients.get_recipient(SERVICE, kept.id) == kept.overlaid(inline)


async def test_the_oldest_due_counts_only_what_is_due_and_free(store: SqliteStore) -> None:
    assert await store.accepting.oldest_due(NOW) is None
    await store.accepting.accept(new_message(1, due_at=NOW + timedelta(hours=1)))
    assert await store.accepting.oldest_due(NOW) is None
    assert await store.dispatch.next_due() == NOW + timedelta(hours=1)

    await store.accepting.accept(new_message(2, due_at=NOW - timedelta(minutes=1)))

    assert await store.accepting.oldest_due(NOW) == NOW - timedelta(minutes=1)
    await store.dispatch.claim(WORKER, 1, NOW)
    assert await store.accepting.oldest_due(NOW) is None


# Claiming


async def test_urgent_lanes_go_first_and_the_oldest_within_a_lane(store: SqliteStore) -> None:
    await store.accepting.accept(new_message(1, priority=Priority.LOW))
    await store.accepting.accept(new_message(2, due_at=NOW - timedelta(seconds=1)))
    await store.accepting.accept(new_message(3, due_at=NOW - timedelta(seconds=2)))
    await store.accepting.accept(new_message(4, category=Category.CRITICAL))
    await store.accepting.accept(new_message(5, priority=Priority.HIGH))
    await store.accepting.accept(new_message(6, due_at=NOW + timedelta(microseconds=1)))

    claims = await store.dispatch.claim(WORKER, 10, NOW)

    assert [claim.message.id[-1] for claim in claims] == ["4", "5", "3", "2", "1"]
    assert claims[0].message == new_message(4, category=Category.CRITICAL).message


async def test_a_worker_may_leave_the_lower_lanes_alone(store: SqliteStore) -> None:
    await store.accepting.accept(new_message(1))
    await store.accepting.accept(new_message(2, priority=Priority.HIGH))

    urgent = await store.dispatch.claim(WORKER, 10, NOW, Lane.HIGH)

    assert [claim.message.id for claim in urgent] == ["msg_000002"]


async def test_two_workers_never_claim_the_same_delivery(place: Place, clock: SetClock) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(place.open(clock)) for _ in range(3)]
        workers = [WorkerId(f"wrk_{number}") for number in range(3)]
        for store, worker in zip(stores, workers, strict=True):
            await store.leases.join(worker)
        await asyncio.gather(*(stores[0].accepting.accept(new_message(number)) for number in range(300)))

        async def claim_all(store: SqliteStore, worker: WorkerId) -> list[Claim]:
            claims: list[Claim] = []
            while more := await store.dispatch.claim(worker, 7, NOW):
                claims += more
            return claims

        taken = await asyncio.gather(
            *(claim_all(store, worker) for store, worker in zip(stores, workers, strict=True) for _ in range(2))
        )

    ids = [claim.delivery.id for claims in taken for claim in claims]
    assert len(ids) == 300
    assert len(set(ids)) == 300


async def test_a_worker_that_is_not_in_the_book_claims_nothing(store: SqliteStore) -> None:
    await store.accepting.accept(new_message())

    assert await store.dispatch.claim(OTHER, 10, NOW) == []


async def test_facts_belong_to_the_claim_s_own_recipient_topic_and_addresses(store: SqliteStore) -> None:
    stored = make_recipient(email=EmailAddress("stored@example.org"), push=())
    await store.recipients.put_recipient(SERVICE, stored, NOW)
    await store.consents.add_consents(
        [
            make_consent(topic="orders"),
            make_consent(id="cns_2", topic="offers"),
            make_consent(id="cns_3", topic="orders", service_id=STRANGER),
        ]
    )
    gone = make_suppression(expires_at=NOW - timedelta(days=1))
    await store.suppressions.add_suppression(gone)
    await store.suppressions.add_suppression(make_suppression(id=SuppressionId("sup_2"), channel=Channel.SMS))
    await store.suppressions.add_suppression(make_suppression(id=SuppressionId("sup_3"), address="stored@example.org"))
    for number, to in enumerate(
        [make_recipient(), Recipient(id=stored.id), Recipient(email=EmailAddress("amina@example.org"))]
    ):
        await store.accepting.accept(new_message(number, to=to))
    claims = await store.dispatch.claim(WORKER, 10, NOW)

    inline, by_id, nameless = [(await store.dispatch.facts(claims, NOW))[claim.delivery.id] for claim in claims]

    assert (inline.recipient, by_id.recipient, nameless.recipient) == (stored, stored, None)
    assert [consent.id for consent in inline.consents] == ["cns_1"]
    assert nameless.consents == ()
    assert inline.suppressions == (gone,)
    assert [suppression.id for suppression in by_id.suppressions] == ["sup_3"]
    assert nameless.suppressions == (gone,)


# Reserving and recording


async def test_a_delivery_goes_its_way_and_leaves_its_proof(store: SqliteStore) -> None:
    new = new_message(secrets={"code": "1"}, data={"code": "••••"})
    claim = await claim_one(store, new)

    reserved = await store.dispatch.reserve(reservation_for(claim))
    sending = await store.log.read(claim.message.id, None)
    recorded = await store.dispatch.record(replace(sent_step(claim), drop_secrets=True))

    record = await store.log.read(claim.message.id, None)
    (held,) = record.deliveries
    assert (reserved, recorded) == (True, True)
    assert (sending.status, sending.deliveries[0].attempts[0].result) == (S.SENDING, None)
    assert (record.status, record.versions, record.message.locale) == (S.SENT, VERSIONS, "fr")
    assert record.message.secrets == {}
    assert (held.content, held.address) == (CONTENT, "amina@example.org")
    assert (held.delivery.status, held.delivery.attempts) == (S.SENT, 1)
    assert (held.delivery.provider, held.delivery.provider_message_id) == ("smtp-main", "p-1")
    assert [attempt.result for attempt in held.attempts] == [sent_step(claim).attempt.result]  # type: ignore[union-attr]
    assert await kinds_of_events(store) == ["message.accepted", "delivery.sending", "delivery.sent"]
    assert await store.dispatch.next_due() is None


async def test_a_held_delivery_can_be_claimed_again_at_its_instant(store: SqliteStore) -> None:
    claim = await claim_one(store)
    later = NOW + timedelta(hours=1)

    await store.dispatch.record(step_for(claim, S.HELD, due_at=later, reason="quiet_hours"))

    held = (await store.log.read(claim.message.id, None)).deliveries[0].delivery
    assert (held.status, held.reason, held.not_before) == (S.HELD, "quiet_hours", later)
    assert await store.dispatch.claim(WORKER, 1, later - timedelta(microseconds=1)) == []
    (again,) = await store.dispatch.claim(WORKER, 1, later)
    assert again.fence > claim.fence


async def test_a_second_write_with_one_claim_is_refused(store: SqliteStore) -> None:
    claim = await claim_one(store)

    reserved = await asyncio.gather(*(store.dispatch.reserve(reservation_for(claim)) for _ in range(3)))
    recorded = await asyncio.gather(*(store.dispatch.record(sent_step(claim)) for _ in range(3)))

    assert sorted(reserved) == [False, False, True]
    assert sorted(recorded) == [False, False, True]
    assert await kinds_of_events(store) == ["message.accepted", "delivery.sending", "delivery.sent"]


async def test_a_suppression_that_came_between_refuses_the_reservation(store: SqliteStore) -> None:
    claim = await claim_one(store)
    suppression = make_suppression()
    await store.suppressions.add_suppression(suppression)

    refused = await store.dispatch.reserve(reservation_for(claim))
    seen = await store.dispatch.reserve(reservation_for(claim, suppressions_seen=frozenset({suppression.id})))

    assert (refused, seen) == (False, True)


@pytest.mark.parametrize(
    "harmless",
    [
        make_suppression(expires_at=NOW),
        make_suppression(channel=Channel.SMS),
        make_suppression(scope="marketing"),
        make_suppression(scope="topic:offers"),
        make_suppression(address="other@example.org"),
    ],
    ids=["ended", "channel", "category", "topic", "address"],
)
async def test_a_suppression_of_something_else_refuses_nothing(store: SqliteStore, harmless: Any) -> None:
    claim = await claim_one(store)
    await store.suppressions.add_suppression(harmless)

    assert await store.dispatch.reserve(reservation_for(claim))


async def test_a_condemned_address_and_a_fallback_are_written_with_the_step(store: SqliteStore) -> None:
    claim = await claim_one(store, new_message(channels=(Channel.EMAIL, Channel.SMS)))
    await store.dispatch.reserve(reservation_for(claim))
    fallback = new_delivery(1, claim.message, suffix="b", channel=Channel.SMS, created_at=NOW + timedelta(minutes=1))

    await store.dispatch.record(
        step_for(claim, S.FAILED, suppression=make_suppression(), next_delivery=fallback, reason="5.1.1")
    )

    record = await store.log.read(claim.message.id, None)
    assert [held.delivery.status for held in record.deliveries] == [S.FAILED, S.ACCEPTED]
    assert record.deliveries[1].address == "+33612345678"
    assert record.status is S.ACCEPTED
    page = await store.suppressions.list_suppressions(Channel.EMAIL, "amina@example.org", 10, None)
    assert page.items == (make_suppression(),)


async def test_secrets_stay_while_another_channel_has_to_be_rendered(store: SqliteStore) -> None:
    new = new_message(strategy=Strategy.ALL, channels=(Channel.EMAIL, Channel.SMS), secrets={"code": "1"})
    both = (new.deliveries[0], new_delivery(1, new.message, suffix="b", channel=Channel.SMS))
    await store.accepting.accept(replace(new, deliveries=both))
    first, second = await store.dispatch.claim(WORKER, 2, NOW)

    await store.dispatch.record(step_for(first, S.FAILED, drop_secrets=True))
    between = (await store.log.read(new.message.id, None)).message.secrets
    await store.dispatch.record(step_for(second, S.FAILED, drop_secrets=True))

    assert between == {"code": "1"}
    assert (await store.log.read(new.message.id, None)).message.secrets == {}


async def test_a_status_never_moves_against_the_table(store: SqliteStore) -> None:
    claim = await claim_one(store)

    await store.dispatch.record(step_for(claim, S.DELIVERED))

    assert await status_of(store) is S.ACCEPTED


# Leases


async def test_a_silent_worker_loses_its_claims_and_its_late_writes(store: SqliteStore, clock: SetClock) -> None:
    await store.leases.join(OTHER)
    claims = []
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


async def test_a_worker_that_beats_is_alive_whatever_the_wall_clock_says(store: SqliteStore, clock: SetClock) -> None:
    await store.leases.join(OTHER)
    await store.accepting.accept(new_message())
    await store.dispatch.claim(OTHER, 1, NOW)

    for _ in range(10):
        clock.advance(20)
        clock.set_back(3600)
        assert await store.leases.beat(OTHER)
        assert await store.leases.release_dead(WORKER, clock.now()) == 0


async def test_the_claims_of_a_process_that_ended_are_free_at_once(place: Place, clock: SetClock) -> None:
    async with place.open(clock) as store:
        await store.leases.join(OTHER)
        await store.accepting.accept(new_message())
        await store.dispatch.claim(OTHER, 1, NOW)

    async with place.open(clock) as store:
        await store.leases.join(WORKER)

        assert await store.leases.release_dead(WORKER, NOW) == 1
        assert len(await store.dispatch.claim(WORKER, 1, NOW)) == 1


async def test_a_living_workers_claims_that_no_job_holds_are_released_like_a_dead_ones(store: SqliteStore) -> None:
    claims = []
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


async def test_a_worker_that_leaves_gives_back_what_it_does_not_send(store: SqliteStore) -> None:
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


# Steering


async def test_a_waiting_message_is_cancelled_under_the_hands_of_its_worker(store: SqliteStore) -> None:
    claim = await claim_one(store, new_message(secrets={"code": "1"}))
    event = new_event(claim.message, "message.cancelled", data={"by": "ops"})

    record = await store.steering.cancel(claim.message.id, SERVICE, event)

    assert record.status is S.CANCELLED
    assert record.message.secrets == {}
    assert not await store.dispatch.reserve(reservation_for(claim))
    assert not await store.dispatch.record(step_for(claim, S.HELD, due_at=NOW))
    assert await store.dispatch.claim(WORKER, 5, NOW) == []
    assert await kinds_of_events(store) == ["message.accepted", "delivery.cancelled"]
    again = await store.steering.cancel(claim.message.id, SERVICE, event)
    assert again == record
    assert await kinds_of_events(store) == ["message.accepted", "delivery.cancelled"]


async def test_cancel_is_too_late_once_a_provider_was_called(store: SqliteStore) -> None:
    claim = await claim_one(store)
    event = new_event(claim.message, "delivery.cancelled")
    await store.dispatch.reserve(reservation_for(claim))

    with pytest.raises(Conflict) as sending:
        await store.steering.cancel(claim.message.id, SERVICE, event)
    await store.dispatch.record(step_for(claim, S.QUEUED, due_at=NOW))
    with pytest.raises(Conflict) as retrying:
        await store.steering.cancel(claim.message.id, SERVICE, event)

    assert (sending.value.conflict_code, retrying.value.conflict_code) == ("too_late", "too_late")
    assert await status_of(store) is S.QUEUED


async def test_of_cancel_and_reserve_exactly_one_wins(store: SqliteStore) -> None:
    for number in range(1, 30):
        claim = await claim_one(store, new_message(number))
        event = new_event(claim.message, "delivery.cancelled")
        moves = [
            store.dispatch.reserve(reservation_for(claim)),
            store.steering.cancel(claim.message.id, SERVICE, event),
        ]
        order = (0, 1) if number % 2 else (1, 0)
        results = dict(
            zip(order, await asyncio.gather(*(moves[place] for place in order), return_exceptions=True), strict=True)
        )

        was_cancelled = not isinstance(results[1], Conflict)
        assert results[0] is not was_cancelled
        assert await status_of(store, claim.message.id) is (S.CANCELLED if was_cancelled else S.SENDING)


async def test_retry_adds_a_delivery_after_a_failure_and_only_then(store: SqliteStore) -> None:
    claim = await claim_one(store)
    again = new_delivery(2, claim.message, created_at=NOW + timedelta(hours=1))
    event = new_event(claim.message, "delivery.accepted", data={"reason": "mended"})
    with pytest.raises(Conflict) as early:
        await store.steering.retry(claim.message.id, SERVICE, again, event)
    await store.dispatch.record(step_for(claim, S.FAILED))

    await store.steering.retry(claim.message.id, SERVICE, again, event)

    assert early.value.conflict_code == "not_failed"
    assert await status_of(store) is S.ACCEPTED
    (second,) = await store.dispatch.claim(WORKER, 5, NOW)
    assert second.delivery.id == again.delivery.id


async def test_retry_is_refused_once_the_secrets_are_gone(store: SqliteStore) -> None:
    claim = await claim_one(store, new_message(secrets={"code": "1"}))
    await store.dispatch.record(step_for(claim, S.FAILED, drop_secrets=True))

    with pytest.raises(Conflict) as refused:
        await store.steering.retry(claim.message.id, None, new_delivery(2, claim.message), new_event(claim.message))

    assert refused.value.conflict_code == "secrets_dropped"


# Reading


async def test_what_is_another_service_s_does_not_exist(store: SqliteStore) -> None:
    claim = await claim_one(store)
    message_id = claim.message.id

    with pytest.raises(NotFound):
        await store.log.read(message_id, STRANGER)
    with pytest.raises(NotFound):
        await store.log.events(message_id, STRANGER, 10, None)
    with pytest.raises(NotFound):
        await store.steering.cancel(message_id, STRANGER, new_event(claim.message))
    with pytest.raises(NotFound):
        await store.steering.retry(message_id, STRANGER, new_delivery(2, claim.message), new_event(claim.message))
    assert (await store.log.search(MessageQuery(service_id=STRANGER))).items == ()
    assert await status_of(store) is S.ACCEPTED


async def test_a_delivery_leads_to_its_message(store: SqliteStore) -> None:
    claim = await claim_one(store)

    assert (await store.log.read_delivery(claim.delivery.id)).message == claim.message
    with pytest.raises(NotFound):
        await store.log.read_delivery(DeliveryId("dlv_none"))


async def test_every_filter_finds_its_message_alone(store: SqliteStore) -> None:
    for number in range(1, 6):
        await store.accepting.accept(new_message(number, to=Recipient(email=EmailAddress(f"p{number}@example.org"))))
    wanted = new_message(
        9,
        template="win-back",
        topic="offers",
        category=Category.MARKETING,
        tags=("Winter_100%",),
        metadata={"campaign": "Jänner"},
        channels=(Channel.SMS,),
        to=make_recipient(id=RecipientId("user-9")),
    )
    claim = await claim_one(
        store, replace(wanted, deliveries=(replace(wanted.deliveries[0], due_at=NOW - timedelta(1)),))
    )
    await store.dispatch.reserve(reservation_for(claim, attempt=replace(reservation_for(claim).attempt, provider="tw")))
    await store.dispatch.record(step_for(claim, S.UNDELIVERED))

    queries = {
        "status": MessageQuery(status=S.UNDELIVERED),
        "channel": MessageQuery(channel=Channel.SMS),
        "id": MessageQuery(recipient="user-9"),
        "address": MessageQuery(recipient="+33612345678"),
        "template": MessageQuery(template="win-back"),
        "topic": MessageQuery(topic="offers"),
        "category": MessageQuery(category=Category.MARKETING),
        "provider": MessageQuery(provider="tw"),
        "locale": MessageQuery(locale="fr"),
        "tag": MessageQuery(tag="Winter_100%"),
        "from": MessageQuery(created_from=NOW + timedelta(seconds=9)),
        "text in tag": MessageQuery(text="winter_100%"),
        "text in metadata": MessageQuery(text="JÄNNER"),
        "text in subject": MessageQuery(text="your parcel"),
        "text in id": MessageQuery(text="DLV_000009"),
        "all": MessageQuery(
            service_id=SERVICE, status=S.UNDELIVERED, channel=Channel.SMS, recipient="user-9", tag="Winter_100%"
        ),
    }
    for name, query in queries.items():
        assert [record.message.id for record in (await store.log.search(query)).items] == ["msg_000009"], name
    before = await store.log.search(MessageQuery(created_before=NOW + timedelta(seconds=9)))
    assert len(before.items) == 5
    assert (await store.log.search(MessageQuery(text="winter_1000"))).items == ()
    assert (await store.log.search(MessageQuery(status=S.ACCEPTED, provider="tw"))).items == ()


async def test_pages_follow_each_other_newest_first_without_gap_or_repetition(store: SqliteStore) -> None:
    # Half of them share an instant, so the id must decide.
    for number in range(1, 24):
        await store.accepting.accept(new_message(number, created_at=NOW + timedelta(seconds=number // 12)))

    seen, cursor, pages = [], None, 0
    while True:
        page = await store.log.search(MessageQuery(limit=5, cursor=cursor))
        seen += [record.message.id for record in page.items]
        pages += 1
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == [f"msg_{number:06}" for number in range(23, 0, -1)]
    assert pages == 5


async def test_events_page_in_the_order_of_writing(store: SqliteStore) -> None:
    new = new_message()
    events = tuple(new_event(new.message, f"e{number}") for number in range(7))
    await store.accepting.accept(replace(new, events=events))

    first = await store.log.events(new.message.id, None, 4, None)
    rest = await store.log.events(new.message.id, None, 4, first.next_cursor)

    assert first.items + rest.items == events
    assert rest.next_cursor is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "W10", "bnVsbA", "WyJhIiwxXQ", "WzEsMl0", "[" * 5000, "WzFlOTksIngiXQ"]
)
async def test_a_cursor_that_is_not_ours_is_refused(store: SqliteStore, cursor: str) -> None:
    await store.accepting.accept(new_message())

    with pytest.raises(InvalidRequest):
        await store.log.search(MessageQuery(cursor=cursor))
    with pytest.raises(InvalidRequest):
        await store.log.events(MessageId("msg_000001"), None, 10, cursor)


async def test_the_summary_counts_deliveries_by_where_they_stand(store: SqliteStore) -> None:
    claim = await claim_one(store)
    await store.dispatch.reserve(reservation_for(claim))
    await store.accepting.accept(new_message(2))
    await store.accepting.accept(new_message(3))

    counts = await store.log.summary(NOW)

    assert counts == {
        ("order-shipped", Channel.EMAIL, "fr", S.SENDING): 1,
        ("order-shipped", Channel.EMAIL, "", S.ACCEPTED): 2,
    }
    assert await store.log.summary(NOW + timedelta(days=1)) == {}


async def test_a_message_that_never_was_is_not_found(store: SqliteStore) -> None:
    with pytest.raises(NotFound):
        await store.log.read(MessageId("msg_none"), None)
    assert DeliveryId("dlv_none") not in await store.dispatch.facts([], NOW)
