"""What every store keeps to when a call is reserved and its outcome recorded."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.ids import ConsentId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.preferences import Category, ConsentState
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.storage.store import Store
from tests.contract.store_builders import (
    CONTENT,
    VERSIONS,
    WORKER,
    attempt_for,
    claim_one,
    kinds_of_events,
    new_delivery,
    new_message,
    reservation_for,
    sent_step,
    status_of,
    step_for,
)
from tests.factories import NOW, make_consent, make_recipient, make_suppression

S = DeliveryStatus


async def test_a_delivery_goes_its_way_and_leaves_its_proof(store: Store) -> None:
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


async def test_a_held_delivery_can_be_claimed_again_at_its_instant(store: Store) -> None:
    claim = await claim_one(store)
    later = NOW + timedelta(hours=1)

    await store.dispatch.record(step_for(claim, S.HELD, due_at=later, reason="quiet_hours"))

    held = (await store.log.read(claim.message.id, None)).deliveries[0].delivery
    assert (held.status, held.reason, held.not_before) == (S.HELD, "quiet_hours", later)
    assert await store.dispatch.claim(WORKER, 1, later - timedelta(microseconds=1)) == []
    (again,) = await store.dispatch.claim(WORKER, 1, later)
    assert again.fence > claim.fence


async def test_a_second_write_with_one_claim_is_refused(store: Store) -> None:
    claim = await claim_one(store)

    reserved = await asyncio.gather(*(store.dispatch.reserve(reservation_for(claim)) for _ in range(3)))
    recorded = await asyncio.gather(*(store.dispatch.record(sent_step(claim)) for _ in range(3)))

    assert sorted(reserved) == [False, False, True]
    assert sorted(recorded) == [False, False, True]
    assert await kinds_of_events(store) == ["message.accepted", "delivery.sending", "delivery.sent"]


async def test_a_call_that_was_reserved_and_never_made_is_no_attempt(store: Store) -> None:
    claim = await claim_one(store)
    await store.dispatch.reserve(reservation_for(claim))

    await store.dispatch.record(step_for(claim, S.QUEUED, due_at=NOW))

    (held,) = (await store.log.read(claim.message.id, None)).deliveries
    assert (held.delivery.status, held.delivery.attempts, held.delivery.provider) == (S.QUEUED, 0, None)
    assert held.attempts == ()
    (again,) = await store.dispatch.claim(WORKER, 1, NOW)
    assert await store.dispatch.reserve(reservation_for(again, events=()))
    await store.dispatch.record(sent_step(again))
    assert await status_of(store) is S.SENT


async def test_of_several_attempts_only_the_one_that_was_never_made_is_taken_back(store: Store) -> None:
    first = await claim_one(store)
    await store.dispatch.reserve(reservation_for(first))
    await store.dispatch.record(replace(sent_step(first), status=S.QUEUED, due_at=NOW))
    (second,) = await store.dispatch.claim(WORKER, 1, NOW)
    other = attempt_for(second, number=2, provider="smtp-other")
    await store.dispatch.reserve(reservation_for(second, attempt=other, events=()))

    await store.dispatch.record(step_for(second, S.QUEUED, due_at=NOW, events=()))

    (held,) = (await store.log.read(first.message.id, None)).deliveries
    assert (held.delivery.attempts, held.delivery.provider) == (1, "smtp-main")
    assert [attempt.number for attempt in held.attempts] == [1]


async def test_a_suppression_that_came_between_refuses_the_reservation(store: Store) -> None:
    claim = await claim_one(store)
    suppression = make_suppression()
    await store.suppressions.add_suppression(suppression)

    refused = await store.dispatch.reserve(reservation_for(claim))
    seen = await store.dispatch.reserve(reservation_for(claim, suppressions_seen=frozenset({suppression.id})))

    assert (refused, seen) == (False, True)


async def test_a_consent_withdrawn_between_refuses_the_reservation(store: Store) -> None:
    marketing = new_message(category=Category.MARKETING, topic="offers", to=make_recipient())
    granted, denied = make_consent(), make_consent(id=ConsentId("cns_2"), state=ConsentState.DENIED)
    await store.consents.add_consents([granted])
    claim = await claim_one(store, marketing)
    await store.consents.add_consents([denied])

    refused = await store.dispatch.reserve(reservation_for(claim, consents_seen=frozenset({granted.id})))
    seen = await store.dispatch.reserve(reservation_for(claim, consents_seen=frozenset({granted.id, denied.id})))

    assert (refused, seen) == (False, True)


async def test_words_about_another_topic_refuse_nothing(store: Store) -> None:
    claim = await claim_one(store, new_message(category=Category.MARKETING, topic="news", to=make_recipient()))
    await store.consents.add_consents([make_consent(state=ConsentState.DENIED)])

    assert await store.dispatch.reserve(reservation_for(claim))


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
async def test_a_suppression_of_something_else_refuses_nothing(store: Store, harmless: Any) -> None:
    claim = await claim_one(store)
    await store.suppressions.add_suppression(harmless)

    assert await store.dispatch.reserve(reservation_for(claim))


async def test_a_condemned_address_and_a_fallback_are_written_with_the_step(store: Store) -> None:
    claim = await claim_one(store, new_message(channels=(Channel.EMAIL, Channel.SMS)))
    await store.dispatch.reserve(reservation_for(claim))
    fallback = new_delivery(1, claim.message, suffix="b", channel=Channel.SMS, created_at=NOW + timedelta(minutes=1))

    await store.dispatch.record(
        step_for(claim, S.FAILED, suppressions=(make_suppression(),), next_delivery=fallback, reason="5.1.1")
    )

    record = await store.log.read(claim.message.id, None)
    assert [held.delivery.status for held in record.deliveries] == [S.FAILED, S.ACCEPTED]
    assert record.deliveries[1].address == "+33612345678"
    assert record.status is S.ACCEPTED
    page = await store.suppressions.list_suppressions(Channel.EMAIL, "amina@example.org", 10, None)
    assert page.items == (make_suppression(),)


async def test_secrets_stay_while_another_channel_has_to_be_rendered(store: Store) -> None:
    new = new_message(strategy=Strategy.ALL, channels=(Channel.EMAIL, Channel.SMS), secrets={"code": "1"})
    both = (new.deliveries[0], new_delivery(1, new.message, suffix="b", channel=Channel.SMS))
    await store.accepting.accept(replace(new, deliveries=both))
    first, second = await store.dispatch.claim(WORKER, 2, NOW)

    await store.dispatch.record(step_for(first, S.FAILED, drop_secrets=True))
    between = (await store.log.read(new.message.id, None)).message.secrets
    await store.dispatch.record(step_for(second, S.FAILED, drop_secrets=True))

    assert between == {"code": "1"}
    assert (await store.log.read(new.message.id, None)).message.secrets == {}


async def test_a_status_never_moves_against_the_table(store: Store) -> None:
    claim = await claim_one(store)

    await store.dispatch.record(step_for(claim, S.DELIVERED))

    assert await status_of(store) is S.ACCEPTED
