"""What every store keeps to when it accepts: a 202 once, replays, batches, what is remembered."""

import asyncio
from datetime import timedelta
from typing import Any

from gateway.domain.encoding import encode
from gateway.domain.ids import MessageId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import Attachment
from gateway.domain.recipients import Channel, EmailAddress, Recipient
from gateway.domain.values import replace
from gateway.errors import Conflict, InvalidRequest
from gateway.ports import (
    AcceptOutcome,
    BatchReplayed,
    Idempotency,
    MessageQuery,
    Mismatched,
    NewMessage,
    Stored,
)
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import (
    WORKER,
    Place,
    new_delivery,
    new_event,
    new_message,
    replay_of,
)
from tests.factories import NOW, SERVICE, make_message, make_recipient
from tests.fakes import SetClock

S = DeliveryStatus
STRANGER = ServiceId("svc_other")


async def test_a_message_is_read_back_as_it_was_accepted(store: Store) -> None:
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
        assert outcome in (Stored(), replay_of(stored[0]) if same_body else Mismatched())


async def test_a_key_is_replayed_after_a_restart_and_means_nothing_to_another_service(
    place: Place, clock: SetClock
) -> None:
    async with place.open(clock) as store:
        await store.accepting.accept(new_message(1, key="k"))
    async with place.open(clock) as store:
        again = await store.accepting.accept(new_message(2, key="k"))
        other = await store.accepting.accept(new_message(3, key="k", service_id=STRANGER))

    assert again == replay_of(new_message(1, key="k"))
    assert other == Stored()


async def test_what_a_key_was_used_for_can_be_recalled(store: Store) -> None:
    new = new_message(1, key="k")
    await store.accepting.accept(new)

    assert new.idempotency is not None
    assert await store.accepting.recall(SERVICE, new.idempotency) == replay_of(new)
    assert await store.accepting.recall(SERVICE, replace(new.idempotency, fingerprint="other")) == Mismatched()
    assert await store.accepting.recall(STRANGER, new.idempotency) is None


async def test_a_replay_shows_the_message_as_it_was_accepted_whatever_became_of_it(store: Store) -> None:
    file = Attachment(filename="a.txt", content_type="text/plain", content=b"a")
    later = NOW + timedelta(hours=1)
    new = new_message(1, key="k", channels=(Channel.EMAIL, Channel.SMS), send_at=later, attachments=(file,))
    first = replace(new.deliveries[0].delivery, status=S.SCHEDULED, not_before=later, created_at=new.message.created_at)
    first = replace(first, updated_at=first.created_at)
    new = replace(new, deliveries=(replace(new.deliveries[0], delivery=first),))
    await store.accepting.accept(new)
    change = {"status": S.FAILED.value, "reason": "rejected", "provider": "smtp-main", "attempts": 3}
    async with store.database.writer.transaction() as connection:
        await connection.execute(tables.deliveries.update().values(**change, updated_at=later))

    again = await store.accepting.accept(new_message(2, key="k"))

    assert again == replay_of(new)


async def test_one_bad_item_fails_alone(store: Store) -> None:
    await store.accepting.accept(new_message(7))
    news = [new_message(number) for number in range(20)]
    news[11] = new_message(11, template="lone \ud800 surrogate")

    outcomes = await asyncio.gather(*(store.accepting.accept(new) for new in news), return_exceptions=True)

    assert isinstance(outcomes[7], Conflict)
    assert isinstance(outcomes[11], InvalidRequest)
    assert [outcome for number, outcome in enumerate(outcomes) if number not in (7, 11)] == [Stored()] * 18


async def test_a_batch_is_stored_together_and_replayed_as_a_whole(store: Store) -> None:
    def outline(outcomes: Any) -> bytes:
        return encode({"items": [{"message": {"id": "msg_000001"}}, {"code": str(len(outcomes))}]})

    taken = new_message(1, key="taken")
    await store.accepting.accept(taken)
    items = [new_message(2), new_message(3, key="taken"), new_message(4, key="taken", body="b"), new_message(5)]
    request = Idempotency(key="batch", fingerprint="f")

    outcomes, whole = await store.accepting.accept_batch(SERVICE, items, request, outline)
    replayed = await store.accepting.accept_batch(SERVICE, [new_message(6)], request, outline)
    mismatched = await store.accepting.accept_batch(SERVICE, [], replace(request, fingerprint="g"), outline)
    keyless = await store.accepting.accept_batch(SERVICE, [new_message(7)], None, outline)

    expected: list[AcceptOutcome] = [Stored(), replay_of(taken), Mismatched(), Stored()]
    assert list(outcomes) == expected
    assert whole == Stored()
    kept = {"items": [{"message": {"id": "msg_000001"}}, {"code": "4"}]}
    assert replayed == ((), BatchReplayed(outline=kept, messages={taken.message.id: replay_of(taken)}))
    assert mismatched == ((), Mismatched())
    assert keyless == ([Stored()], Stored())
    page = await store.log.search(MessageQuery())
    assert [record.message.id[-1] for record in page.items] == ["7", "5", "2", "1"]


async def test_remembered_values_lie_over_what_is_kept(store: Store) -> None:
    kept = make_recipient(push=(), attributes={"a": 1, "b": 1})
    await store.recipients.put_recipient(SERVICE, kept, NOW)
    inline = Recipient(id=kept.id, email=EmailAddress("new@example.org"), attributes={"b": 2})

    await store.accepting.accept(replace(new_message(), remember=inline))

    assert kept.id is not None
    assert await store.recipients.get_recipient(SERVICE, kept.id) == kept.overlaid(inline)


async def test_the_oldest_due_counts_only_what_is_due_and_free(store: Store) -> None:
    assert await store.accepting.oldest_due(NOW) is None
    await store.accepting.accept(new_message(1, due_at=NOW + timedelta(hours=1)))
    assert await store.accepting.oldest_due(NOW) is None
    assert await store.dispatch.next_due() == NOW + timedelta(hours=1)

    await store.accepting.accept(new_message(2, due_at=NOW - timedelta(minutes=1)))

    assert await store.accepting.oldest_due(NOW) == NOW - timedelta(minutes=1)
    await store.dispatch.claim(WORKER, 1, NOW)
    assert await store.accepting.oldest_due(NOW) is None
