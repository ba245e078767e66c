"""What every store keeps to when it forgets: what is done with goes in time, and nothing that is still needed."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.encoding import encode
from gateway.domain.engagement import EngagementKind, Look
from gateway.domain.ids import DELIVERY, MESSAGE, DeliveryId, MessageId, SuppressionId, make_id
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attachment
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from gateway.ports import Idempotency, MailboxItem, NewMessage, Replayed, Retention, Stored
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import (
    WORKER,
    new_delivery,
    new_event,
    new_message,
    reservation_for,
    sent_step,
    stands_in_line,
)
from tests.factories import NOW, SERVICE, make_message, make_suppression
from tests.waiting import eventually

S = DeliveryStatus
LONG = Retention(
    messages=timedelta(days=400), events=timedelta(days=400), content=timedelta(days=400), mailbox=timedelta(days=400)
)
SHORT = Retention(
    messages=timedelta(days=3), events=timedelta(days=3), content=timedelta(days=3), mailbox=timedelta(days=3)
)


def message_at(at: datetime, **changes: Any) -> NewMessage:
    """A message accepted at that instant, due at once."""
    message = make_message(
        id=MessageId(make_id(MESSAGE, at)),
        created_at=at,
        expires_at=at + timedelta(days=3),
        tags=("a",),
        attachments=(Attachment(filename="a", content_type="text/plain", content=b"a", inline_id=None),),
    )
    delivery = new_delivery(1, message, due_at=at, id=DeliveryId(make_id(DELIVERY, at)))
    return NewMessage(message=message, deliveries=(delivery,), events=(new_event(message),), **changes)


async def deliver(store: Store, new: NewMessage, status: DeliveryStatus = S.DELIVERED) -> None:
    """Take it all the way, at the instant of its acceptance."""
    at = new.message.created_at
    await store.accepting.accept(new)
    (claim,) = await store.dispatch.claim(WORKER, 1, at)
    assert await store.dispatch.reserve(reservation_for(claim))
    await store.dispatch.record(sent_step(claim))
    opened = Look(
        kind=EngagementKind.OPENED,
        delivery_id=claim.delivery.id,
        method="GET",
        user_agent="Mozilla/5.0",
        at=at,
        among=frozenset(Category),
    )
    assert await store.engagements.look(opened)
    await set_row(store, new, status=status.value, updated_at=at, due_at=None)
    await store.mailbox.keep(
        MailboxItem(
            delivery_id=claim.delivery.id,
            channel=Channel.EMAIL,
            sender="s",
            to="t",
            content={},
            raw=b"",
            received_at=at,
        )
    )


async def set_row(store: Store, new: NewMessage, **values: Any) -> None:
    """Change the delivery behind the store's back, and its message's status with it."""
    table, message = tables.deliveries, tables.messages
    async with store.database.writer.transaction() as connection:
        await connection.execute(table.update().where(table.c.message_id == new.message.id).values(values))
        if "status" in values:
            await connection.execute(
                message.update().where(message.c.id == new.message.id).values(status=values["status"])
            )


async def forget_all(store: Store, retention: Retention, now: datetime) -> set[str]:
    """Forget until nothing is left to forget, and say what kinds of things went."""
    kinds: set[str] = set()
    while gone := await store.forgetting.forget(retention, now):
        kinds |= set(gone)
    return kinds


async def count_rows(store: Store) -> dict[str, int]:
    """How many rows each table has that grows with messages."""
    grown = (
        "messages",
        "message_tags",
        "attachments",
        "deliveries",
        "events",
        "contents",
        "attempts",
        "mailbox",
        "engagements",
    )
    async with store.database.reader.connect() as connection:
        return {
            name: (await connection.scalar(sa.select(sa.func.count()).select_from(tables.metadata.tables[name]))) or 0
            for name in grown
        }


@pytest.mark.parametrize("days", [4, 401])
async def test_a_message_that_is_done_goes_after_its_time_with_all_that_belongs_to_it(store: Store, days: int) -> None:
    retention = SHORT if days == 4 else LONG
    old, new = message_at(NOW), message_at(NOW + timedelta(days=days + 40))
    now = new.message.created_at
    for each in (old, new):
        await store.forgetting.make_room(each.message.created_at)
        await deliver(store, each)

    await forget_all(store, retention, now)

    left = await count_rows(store)
    assert left.pop("events") == 4
    assert set(left.values()) == {1}
    assert (await store.log.read(new.message.id, None)).message.id == new.message.id
    assert await forget_all(store, retention, now) == set()
    with pytest.raises(NotFound):
        await store.log.read(old.message.id, None)


@pytest.mark.parametrize(
    "left",
    [
        {"due_at": NOW + timedelta(days=90)},
        {"lease_owner": WORKER},
        {"status": S.UNKNOWN.value, "due_at": NOW + timedelta(minutes=15)},
        {"updated_at": NOW + timedelta(days=48)},
    ],
    ids=["scheduled", "leased", "unknown and unsettled", "changed lately"],
)
async def test_a_message_that_has_something_left_to_do_or_changed_lately_stays(
    store: Store, left: dict[str, Any]
) -> None:
    kept, gone = message_at(NOW), message_at(NOW)
    for each in (kept, gone):
        await deliver(store, each)
    await set_row(store, kept, **left)

    await forget_all(store, SHORT, NOW + timedelta(days=50))

    assert (await store.log.read(kept.message.id, None)).deliveries[0].content is not None
    with pytest.raises(NotFound):
        await store.log.read(gone.message.id, None)


@pytest.mark.parametrize("days", [4, 401])
async def test_a_message_that_is_tried_again_while_the_store_forgets_stays(store: Store, days: int) -> None:
    old, later = message_at(NOW), NOW + timedelta(days=days + 40)
    await store.forgetting.make_room(NOW)
    await deliver(store, old, S.FAILED)

    async with store.database.writer.transaction() as connection:
        # What a retry does.
        await connection.execute(sa.select(tables.messages.c.id).with_for_update())
        again = {"id": make_id(DELIVERY, later), "message_id": old.message.id, "channel": "email", "lane": 2}
        when = {"due_at": later, "created_at": later, "updated_at": later}
        await connection.execute(
            tables.deliveries.insert().values(**again, **when, status="accepted", fence=0, attempts=0)
        )
        forgetting = asyncio.create_task(store.forgetting.forget(SHORT if days == 4 else LONG, later))
        await eventually(lambda: stands_in_line(store, forgetting), bool)
    await forgetting

    assert len((await store.log.read(old.message.id, None)).deliveries) == 2
    assert len(await store.dispatch.claim(WORKER, 1, later)) == 1


async def test_an_unknown_that_nothing_will_settle_any_more_counts_as_done(store: Store) -> None:
    new = message_at(NOW)
    await deliver(store, new, S.UNKNOWN)

    await forget_all(store, SHORT, NOW + timedelta(days=50))

    with pytest.raises(NotFound):
        await store.log.read(new.message.id, None)


async def test_content_and_events_may_go_before_their_message(store: Store) -> None:
    new = message_at(NOW)
    await deliver(store, new)
    retention = Retention(
        messages=timedelta(days=400), events=timedelta(days=20), content=timedelta(days=10), mailbox=timedelta(days=1)
    )

    assert await forget_all(store, retention, NOW + timedelta(days=15)) == {"content", "mailbox"}
    record = await store.log.read(new.message.id, None)
    assert record.deliveries[0].content is None
    assert len(record.deliveries[0].attempts) == 1

    assert await forget_all(store, retention, NOW + timedelta(days=25)) <= {"engagements", "events", "months"}
    assert (await store.log.events(new.message.id, None, 10, None)).items == ()


async def test_a_key_goes_when_it_ended_and_its_message_is_final(store: Store) -> None:
    done = message_at(NOW, idempotency=Idempotency(key="done", fingerprint="a"))
    waiting = message_at(NOW, idempotency=Idempotency(key="waiting", fingerprint="a"))
    unsettled = message_at(NOW, idempotency=Idempotency(key="unsettled", fingerprint="a"))
    await deliver(store, done)
    await deliver(store, unsettled, S.UNKNOWN)
    await set_row(store, unsettled, due_at=NOW + timedelta(days=9))
    await store.accepting.accept(waiting)

    assert await forget_all(store, LONG, NOW + timedelta(hours=71)) == set()
    assert await forget_all(store, LONG, NOW + timedelta(hours=73)) == {"keys"}

    asked = [Idempotency(key=key, fingerprint="a") for key in ("done", "waiting", "unsettled")]
    gone = [one.key for one in asked if await store.accepting.recall(SERVICE, one) is None]
    assert gone == ["done"]


async def test_a_key_of_a_message_that_was_not_final_is_looked_at_again(store: Store) -> None:
    new = message_at(NOW, idempotency=Idempotency(key="k", fingerprint="a"))
    await deliver(store, new, S.SENT)
    assert await forget_all(store, LONG, NOW + timedelta(days=4)) == set()

    await set_row(store, new, status=S.DELIVERED.value)

    assert await forget_all(store, LONG, NOW + timedelta(days=4, hours=1)) == set()
    assert await forget_all(store, LONG, NOW + timedelta(days=6)) == {"keys"}


async def test_the_key_of_a_batch_stays_while_one_of_its_messages_is_on_its_way(store: Store) -> None:
    first, second = message_at(NOW), message_at(NOW)
    request = Idempotency(key="batch", fingerprint="a")

    def compose(_: object) -> bytes:
        shown: list[Any] = [{"message": {"id": one.message.id}} for one in (first, second)]
        return encode({"items": [*shown, {"code": "invalid"}]})

    await store.accepting.accept_batch(SERVICE, [first, second], request, compose)
    for each in (first, second):
        await set_row(store, each, status=S.FAILED.value, due_at=None)
    await set_row(store, second, status=S.QUEUED.value, due_at=NOW)
    later = NOW + timedelta(days=10)

    assert "keys" not in await forget_all(store, LONG, later)
    await set_row(store, second, status=S.FAILED.value, due_at=None)
    assert "keys" in await forget_all(store, LONG, later + timedelta(days=2))


async def test_a_key_that_is_kept_still_replays_after_the_message_was_looked_over(store: Store) -> None:
    key = Idempotency(key="k", fingerprint="a")
    assert isinstance(await store.accepting.accept(message_at(NOW, idempotency=key)), Stored)

    await forget_all(store, SHORT, NOW + timedelta(days=30))

    assert isinstance(await store.accepting.accept(message_at(NOW, idempotency=key)), Replayed)


async def test_what_people_said_and_suppressions_are_never_forgotten(store: Store) -> None:
    await store.suppressions.add_suppression(make_suppression())

    await forget_all(store, SHORT, NOW + timedelta(days=4_000))

    assert len((await store.suppressions.list_suppressions(None, None, 10, None)).items) == 1


async def test_a_suppression_that_ended_goes_after_the_time_of_messages(store: Store) -> None:
    ended = make_suppression(id=SuppressionId("sup_2"), address="other@example.org", expires_at=NOW)
    await store.suppressions.add_suppressions([make_suppression(), ended])

    early = await forget_all(store, SHORT, NOW + SHORT.messages)
    late = await forget_all(store, SHORT, NOW + SHORT.messages + timedelta(seconds=1))

    assert (early, late) == (set(), {"suppressions"})
    kept = await store.suppressions.list_suppressions(None, None, 5, None)
    assert [one.id for one in kept.items] == ["sup_1"]


async def test_more_than_one_portion_goes_in_as_many_rounds(store: Store) -> None:
    numbers = range(1, 451)
    await store.accepting.accept_batch(SERVICE, [new_message(number) for number in numbers], None, lambda _: b"{}")
    async with store.database.writer.transaction() as connection:
        await connection.execute(tables.deliveries.update().values(due_at=None, updated_at=NOW))

    rounds = []
    while gone := await store.forgetting.forget(SHORT, NOW + timedelta(days=30)):
        rounds.append(gone["messages"])

    assert rounds == [200, 200, 50]
