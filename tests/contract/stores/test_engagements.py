"""What every store keeps to with opens, clicks and conversions: told once, judged together, gone with the message."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.audit import Actor, AuditAction, By, make_entry
from gateway.domain.engagement import Conversion, Engagement, EngagementKind, Look, Maker
from gateway.domain.ids import DeliveryId, MessageId, RecipientId, ServiceId
from gateway.domain.preferences import Category
from gateway.domain.values import replace
from gateway.errors import Conflict, NotFound
from gateway.ports import Retention
from gateway.ports.erasing import Advance
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import (
    claim_one,
    kinds_of_events,
    new_message,
    reservation_for,
    sent_step,
    stands_in_line,
)
from tests.factories import NOW, SERVICE, make_recipient
from tests.waiting import eventually

MESSAGE, DELIVERY, AMINA = MessageId("msg_000001"), DeliveryId("dlv_000001"), RecipientId("user-42")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LATER = NOW + timedelta(minutes=5)
WEEK = timedelta(days=7)


def look(**changes: Any) -> Look:
    """A person who opens the e-mail five minutes after it went."""
    one = Look(
        kind=EngagementKind.OPENED,
        delivery_id=DELIVERY,
        method="GET",
        user_agent=FIREFOX,
        at=LATER,
        among=frozenset({Category.TRANSACTIONAL}),
    )
    return replace(one, **changes)


def click(target: str = "https://shop.example/a?for=amina", seconds: float = 0, **changes: Any) -> Look:
    at = LATER + timedelta(seconds=seconds)
    return look(kind=EngagementKind.CLICKED, target=target, at=at, **changes)


def order(**changes: Any) -> Conversion:
    at: datetime = LATER + timedelta(hours=1)
    one = Conversion(service_id=SERVICE, name="order", at=at, told_at=at, data={"name": "order"})
    return replace(one, **changes)


async def send(store: Store, number: int = 1, **changes: Any) -> None:
    """Message `number`, taken by its provider at NOW."""
    claim = await claim_one(store, new_message(number, to=make_recipient(), **changes))
    assert await store.dispatch.reserve(reservation_for(claim))
    assert await store.dispatch.record(sent_step(claim))


async def kept(store: Store, message_id: MessageId = MESSAGE) -> list[Engagement]:
    return [*await store.engagements.of_message(message_id)]


async def test_a_look_is_kept_as_it_came_and_told_in_the_timeline_without_what_names_the_person(store: Store) -> None:
    await send(store)

    opened = await store.engagements.look(look())
    clicked = await store.engagements.look(click(seconds=9))

    assert opened is not None
    assert clicked is not None
    assert await kept(store) == [opened, clicked]
    assert (clicked.made_by, clicked.url) == (Maker.PERSON, "https://shop.example/a?for=amina")
    assert (await kinds_of_events(store))[-2:] == ["delivery.opened", "delivery.clicked"]
    event = (await store.log.events(MESSAGE, None, 100, None)).items[-1]
    assert event.data["link"] == "https://shop.example/a"
    assert await store.engagements.counts(LATER) == {
        (EngagementKind.OPENED, Maker.PERSON): 1,
        (EngagementKind.CLICKED, Maker.PERSON): 1,
    }
    assert await store.engagements.counts(LATER + timedelta(minutes=1)) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"among": frozenset({Category.MARKETING})},
        {"delivery_id": DeliveryId("dlv_unknown")},
        {"delivery_id": DeliveryId("dlv_000002")},
    ],
    ids=["another category", "no such delivery", "never sent"],
)
async def test_of_other_messages_nothing_is_kept(store: Store, changes: dict[str, Any]) -> None:
    await send(store)
    await store.accepting.accept(new_message(2))

    assert await store.engagements.look(look(**changes)) is None

    assert await store.engagements.counts(NOW) == {}


async def test_links_that_are_followed_together_are_a_scanners_also_the_one_that_came_first(store: Store) -> None:
    await send(store)
    alone = await store.engagements.look(click("https://shop.example/1", seconds=-60))
    first = await store.engagements.look(click("https://shop.example/a"))

    second = await store.engagements.look(click("https://shop.example/b", seconds=0.4))

    assert alone is not None
    assert first is not None
    assert second is not None
    assert first.made_by is Maker.PERSON
    assert [one.made_by for one in await kept(store)] == [Maker.PERSON, Maker.SCANNER, Maker.SCANNER]
    event = (await store.log.events(MESSAGE, None, 100, None)).items[-1]
    assert event.data["corrects"] == [first.id]


async def test_links_that_are_followed_in_one_instant_are_a_scanners(store: Store) -> None:
    await send(store)

    await asyncio.gather(*(store.engagements.look(click(f"https://shop.example/{n}", n / 10)) for n in range(4)))

    assert [one.made_by for one in await kept(store)] == [Maker.SCANNER] * 4


async def test_who_looks_over_and_over_does_not_fill_the_store(store: Store) -> None:
    await send(store)

    looks = [look(at=LATER + timedelta(seconds=n)) for n in range(30)]
    await asyncio.gather(*(store.engagements.look(one) for one in looks))
    apart = await store.engagements.look(look(user_agent="Mozilla/5.0"))

    assert len(await kept(store)) == 21
    assert apart is not None
    assert apart.made_by is Maker.APPLE_PROXY


async def test_a_conversion_is_tied_to_a_message_that_the_service_names(store: Store) -> None:
    await send(store)

    by_message, _ = await store.engagements.convert(order(message_id=MESSAGE), WEEK)
    by_delivery, _ = await store.engagements.convert(order(delivery_id=DELIVERY), WEEK)

    assert (by_message.message_id, by_message.delivery_id, by_message.data["found_by"]) == (
        MESSAGE,
        DELIVERY,
        "message",
    )
    assert (by_delivery.message_id, by_delivery.data["found_by"]) == (MESSAGE, "delivery")
    assert (await kinds_of_events(store))[-2:] == ["delivery.converted"] * 2


async def test_a_conversion_of_a_person_is_tied_to_the_message_whose_link_they_followed_last(store: Store) -> None:
    for number in (1, 2, 3):
        await send(store, number)
    for number, seconds, agent in ((2, 0, FIREFOX), (1, 30, FIREFOX), (3, 60, "curl/8.5")):
        one = click(seconds=seconds, user_agent=agent, delivery_id=DeliveryId(f"dlv_00000{number}"))
        assert await store.engagements.look(one)

    found, _ = await store.engagements.convert(order(recipient_id=AMINA), WEEK)
    before, _ = await store.engagements.convert(order(recipient_id=AMINA, at=LATER + timedelta(seconds=10)), WEEK)

    assert (found.message_id, found.data["found_by"]) == (MESSAGE, "click")
    assert before.message_id == "msg_000002"
    for too_late in (
        order(recipient_id=AMINA, at=LATER + timedelta(days=9)),
        order(recipient_id=RecipientId("user-9")),
    ):
        with pytest.raises(NotFound):
            await store.engagements.convert(too_late, WEEK)


async def test_a_conversion_told_twice_counts_once_however_many_tell_it(store: Store) -> None:
    await send(store)
    told = order(message_id=MESSAGE, reference="A-1009")

    answers = await asyncio.gather(*(store.engagements.convert(told, WEEK) for _ in range(5)))
    other, is_new = await store.engagements.convert(replace(told, name="sign-up"), WEEK)

    assert sorted(new for _, new in answers) == [False] * 4 + [True]
    assert len({one.id for one, _ in answers}) == 1
    assert is_new
    assert {one.id for one in await kept(store)} == {answers[0][0].id, other.id}


async def test_what_is_anothers_or_never_went_can_have_led_to_nothing(store: Store) -> None:
    await send(store)
    await store.accepting.accept(new_message(2))

    with pytest.raises(NotFound):
        await store.engagements.convert(order(message_id=MESSAGE, service_id=ServiceId("svc_other")), WEEK)
    for named in ({"message_id": MessageId("msg_000002")}, {"message_id": MESSAGE, "at": NOW - timedelta(hours=1)}):
        with pytest.raises(Conflict) as refused:
            await store.engagements.convert(order(**named), WEEK)
        assert refused.value.conflict_code == "not_sent"


async def test_with_the_person_goes_all_they_did_and_nothing_comes_after(store: Store) -> None:
    await send(store)
    await store.engagements.look(click())
    await store.engagements.convert(order(message_id=MESSAGE), WEEK)
    entry = make_entry(AuditAction.ERASE, "pseudonym", By(actor=Actor("key:key_1")), NOW)
    erasure = await store.erasures.begin_erasure(SERVICE, AMINA, entry, NOW + timedelta(days=1))
    while await store.erasures.advance_erasure(erasure.id, NOW) is not Advance.DONE:
        pass

    again = await store.engagements.look(click(seconds=99))

    assert again is None
    assert await kept(store) == []
    with pytest.raises(NotFound):
        await store.engagements.convert(order(message_id=MESSAGE), WEEK)


async def test_what_is_told_while_the_person_is_erased_is_erased_with_them(store: Store) -> None:
    await send(store)
    entry = make_entry(AuditAction.ERASE, "pseudonym", By(actor=Actor("key:key_1")), NOW)
    erasure = await store.erasures.begin_erasure(SERVICE, AMINA, entry, NOW + timedelta(days=1))
    async with store.database.writer.transaction() as connection:
        # What a look does.
        await connection.execute(sa.select(tables.messages.c.id).with_for_update(key_share=True))
        told = {"id": "evt_look", "message_id": MESSAGE, "type": "delivery.clicked", "at": LATER}
        await connection.execute(tables.events.insert().values(**told, data={"user_agent": FIREFOX}))
        erasing = asyncio.create_task(store.erasures.advance_erasure(erasure.id, NOW))
        await eventually(lambda: stands_in_line(store, erasing), bool)
    await erasing

    events = (await store.log.events(MESSAGE, None, 100, None)).items
    assert FIREFOX not in [event.data.get("user_agent") for event in events]
    assert "evt_look" in [event.id for event in events]


async def test_what_was_done_goes_with_the_timeline_and_never_outlives_the_message(store: Store) -> None:
    days = timedelta(days=100)
    times = Retention(messages=days, events=timedelta(days=30), content=days, mailbox=days)
    await send(store)
    await store.engagements.look(look())
    late = LATER + timedelta(days=99)
    await store.engagements.look(look(at=late))

    gone = await store.forgetting.forget(times, LATER + timedelta(days=31))
    left = await kept(store)
    while await store.forgetting.forget(times, LATER + timedelta(days=150)):
        pass

    assert gone["engagements"] == 1
    assert [one.at for one in left] == [late]
    assert await store.engagements.counts(NOW) == {}


async def test_of_which_category_a_message_is_is_known_by_its_delivery(store: Store) -> None:
    await send(store)
    await store.accepting.accept(new_message(2, category=Category.MARKETING))
    second, unknown = DeliveryId("dlv_000002"), DeliveryId("dlv_unknown")

    found = await store.engagements.categories([DELIVERY, second, unknown])

    assert found == {DELIVERY: Category.TRANSACTIONAL, second: Category.MARKETING}
