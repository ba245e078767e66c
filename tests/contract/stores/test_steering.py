"""What every store keeps to when a message is cancelled or tried again."""

import asyncio
from datetime import timedelta

import pytest

from gateway.delivery.dispatching.steps import stay
from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel
from gateway.errors import Conflict
from gateway.ports import Telling
from gateway.storage.store import Store
from tests.contract.store_builders import (
    WORKER,
    answered_attempt,
    claim_one,
    kinds_of_events,
    new_delivery,
    new_event,
    new_message,
    reservation_for,
    sent_step,
    status_of,
    step_for,
)
from tests.factories import NOW, SERVICE

S = DeliveryStatus


async def test_a_waiting_message_is_cancelled_under_the_hands_of_its_worker(store: Store) -> None:
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


async def test_cancel_is_too_late_once_a_provider_was_called(store: Store) -> None:
    claim = await claim_one(store)
    event = new_event(claim.message, "delivery.cancelled")
    await store.dispatch.reserve(reservation_for(claim))

    with pytest.raises(Conflict) as sending:
        await store.steering.cancel(claim.message.id, SERVICE, event)
    refused = answered_attempt(claim, SendResult(outcome=Outcome.TRANSIENT))
    await store.dispatch.record(step_for(claim, S.QUEUED, due_at=NOW, attempt=refused))
    with pytest.raises(Conflict) as retrying:
        await store.steering.cancel(claim.message.id, SERVICE, event)

    assert (sending.value.conflict_code, retrying.value.conflict_code) == ("too_late", "too_late")
    assert await status_of(store) is S.QUEUED


async def test_of_cancel_and_reserve_exactly_one_wins(store: Store) -> None:
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


async def test_retry_adds_a_delivery_after_a_failure_and_only_then(store: Store) -> None:
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


async def test_retry_is_refused_once_the_secrets_are_gone(store: Store) -> None:
    claim = await claim_one(store, new_message(secrets={"code": "1"}))
    await store.dispatch.record(step_for(claim, S.FAILED, drop_secrets=True))

    with pytest.raises(Conflict) as refused:
        await store.steering.retry(claim.message.id, None, new_delivery(2, claim.message), new_event(claim.message))

    assert refused.value.conflict_code == "secrets_dropped"


async def test_retry_is_refused_while_another_channel_is_on_its_way(store: Store) -> None:
    claim = await claim_one(store)
    sms = new_delivery(3, claim.message, channel=Channel.SMS, due_at=NOW + timedelta(hours=1))
    await store.dispatch.record(step_for(claim, S.FAILED, next_delivery=sms))

    with pytest.raises(Conflict) as refused:
        await store.steering.retry(claim.message.id, None, new_delivery(2, claim.message), new_event(claim.message))

    assert refused.value.conflict_code == "not_failed"
    assert "another channel" in str(refused.value)


async def test_retry_is_refused_while_the_next_channel_is_about_to_be_tried(store: Store) -> None:
    claim = await claim_one(store, new_message(channels=(Channel.EMAIL, Channel.SMS)))
    await store.dispatch.reserve(reservation_for(claim))
    await store.dispatch.record(sent_step(claim))
    bounce = Receipt(event_id="r-1", delivery_id=claim.delivery.id, status="bounce", evidence=Evidence.BOUNCED)
    await store.receipts.take_in(Telling(provider="smtp-main", receipts=(bounce,), at=NOW))
    again = new_delivery(2, claim.message, suffix="again")

    with pytest.raises(Conflict) as due:
        await store.steering.retry(claim.message.id, None, again, new_event(claim.message))
    (looked_at,) = await store.dispatch.claim(WORKER, 1, NOW)
    with pytest.raises(Conflict) as in_hand:
        await store.steering.retry(claim.message.id, None, again, new_event(claim.message))
    await store.dispatch.record(stay(looked_at))
    await store.steering.retry(claim.message.id, None, again, new_event(claim.message))

    assert (due.value.conflict_code, in_hand.value.conflict_code) == ("not_failed", "not_failed")
    assert await status_of(store) is S.ACCEPTED
