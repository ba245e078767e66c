"""What every store keeps to of deliveries that a provider was given and that are looked after."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from gateway.delivery.dispatching.steps import stay
from gateway.domain.ids import DeliveryId
from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.receipts import Receipt
from gateway.domain.values import replace
from gateway.ports import Telling
from gateway.storage.store import Store
from tests.contract.store_builders import CONTENT, WORKER, claim_one, new_message, reservation_for, sent_step
from tests.factories import NOW
from tests.fakes import SetClock

SOON, LATE = NOW + timedelta(minutes=5), NOW + timedelta(days=9)


async def test_what_is_only_looked_after_stays_as_old_as_it_was(store: Store, clock: SetClock) -> None:
    claim = await claim_one(store)
    await store.dispatch.reserve(reservation_for(claim))
    await store.dispatch.record(replace(sent_step(claim), due_at=SOON))
    clock.advance(600)
    (looked_at,) = await store.dispatch.claim(WORKER, 1, clock.now())

    await store.dispatch.record(replace(stay(looked_at), due_at=LATE))

    (kept,) = (await store.log.read(claim.message.id, None)).deliveries
    assert (kept.delivery.status, kept.delivery.updated_at) == (DeliveryStatus.SENT, looked_at.delivery.updated_at)
    assert await store.dispatch.next_due() == LATE


@pytest.mark.parametrize(
    ("changes", "due_at", "kept"),
    [
        pytest.param({}, SOON, {}, id="only to be asked for"),
        pytest.param({"fallback_after": timedelta(minutes=5)}, SOON, {"code": "1"}, id="another channel may follow"),
        pytest.param({"fallback_after": timedelta(minutes=5)}, LATE, {}, id="none may follow any more"),
    ],
)
async def test_secrets_go_once_nothing_can_be_rendered_from_them(
    store: Store, changes: dict[str, Any], due_at: Any, kept: Mapping[str, str]
) -> None:
    claim = await claim_one(store, new_message(secrets={"code": "1"}, data={"code": "••••"}, **changes))
    await store.dispatch.reserve(reservation_for(claim))

    await store.dispatch.record(replace(sent_step(claim), due_at=due_at, drop_secrets=True))

    assert (await store.log.read(claim.message.id, None)).message.secrets == kept


async def test_a_call_can_be_asked_about_by_all_that_is_kept_of_it(store: Store) -> None:
    claim = await claim_one(store)
    before = await store.calls.last_call(claim.delivery.id)
    await store.dispatch.reserve(reservation_for(claim))
    await store.dispatch.record(sent_step(claim))

    call = await store.calls.last_call(claim.delivery.id)

    assert before is None
    assert call is not None
    assert (call.attempt.number, call.address, call.sender) == (1, "amina@example.org", "shop@example.org")
    assert call.content == CONTENT
    assert await store.calls.holders("smtp-main", ["p-1", "p-2"]) == {"p-1": claim.delivery.id}
    assert await store.calls.holders("another", ["p-1"]) == {}
    assert await store.calls.last_call(DeliveryId("dlv_nobody")) is None


async def test_a_receipt_that_says_taken_leaves_the_next_look_where_it_was(store: Store) -> None:
    claim = await claim_one(store)
    await store.dispatch.reserve(reservation_for(claim))
    lost = replace(sent_step(claim), status=DeliveryStatus.UNKNOWN, due_at=SOON, provider_message_id=None)
    await store.dispatch.record(lost)
    told = Receipt(event_id="r-1", delivery_id=claim.delivery.id, status="queued", evidence=Evidence.TAKEN)

    await store.receipts.take_in(Telling(provider="smtp-main", receipts=(told,), at=NOW))

    (kept,) = (await store.log.read(claim.message.id, None)).deliveries
    assert kept.delivery.status is DeliveryStatus.SENT
    assert await store.dispatch.next_due() == SOON
