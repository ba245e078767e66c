"""What every store keeps to when its log is read: filters, pages, timelines, counts."""

from datetime import timedelta

import pytest

from gateway.domain.ids import DeliveryId, MessageId, RecipientId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, EmailAddress, Recipient
from gateway.domain.values import replace
from gateway.errors import InvalidRequest, NotFound
from gateway.ports import (
    MessageQuery,
)
from gateway.storage.store import Store
from tests.contract.store_builders import (
    answered_attempt,
    claim_one,
    new_delivery,
    new_event,
    new_message,
    reservation_for,
    status_of,
    step_for,
)
from tests.factories import NOW, SERVICE, make_recipient

S = DeliveryStatus
STRANGER = ServiceId("svc_other")


async def test_what_is_another_service_s_does_not_exist(store: Store) -> None:
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


async def test_a_delivery_leads_to_its_message(store: Store) -> None:
    claim = await claim_one(store)

    assert (await store.log.read_delivery(claim.delivery.id)).message == claim.message
    with pytest.raises(NotFound):
        await store.log.read_delivery(DeliveryId("dlv_none"))


async def test_every_filter_finds_its_message_alone(store: Store) -> None:
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
    bounced = answered_attempt(claim, SendResult(outcome=Outcome.SENT), provider="tw")
    await store.dispatch.record(step_for(claim, S.UNDELIVERED, attempt=bounced))

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


async def test_pages_follow_each_other_newest_first_without_gap_or_repetition(store: Store) -> None:
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


async def test_events_page_in_the_order_of_writing(store: Store) -> None:
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
async def test_a_cursor_that_is_not_ours_is_refused(store: Store, cursor: str) -> None:
    await store.accepting.accept(new_message())

    with pytest.raises(InvalidRequest):
        await store.log.search(MessageQuery(cursor=cursor))
    with pytest.raises(InvalidRequest):
        await store.log.events(MessageId("msg_000001"), None, 10, cursor)


async def test_the_summary_counts_deliveries_by_where_they_stand(store: Store) -> None:
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


async def test_a_message_that_never_was_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.log.read(MessageId("msg_none"), None)
    assert DeliveryId("dlv_none") not in await store.dispatch.facts([])
