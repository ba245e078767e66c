"""Texts that came in: each counts once, with all that follows from it, also where many tell of it at once."""

import asyncio
from datetime import timedelta
from typing import Any

from gateway.domain.ids import InboundId, MessageId, SuppressionId
from gateway.domain.inbound import InboundText
from gateway.domain.preferences import BY_TEXT, SPARES, Suppression, SuppressionReason
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.ports import InboundQuery, Intake, Retention
from gateway.storage.store import Store
from tests.contract.store_builders import (
    WORKER,
    claim_one,
    kinds_of_events,
    new_event,
    new_message,
    reservation_for,
)
from tests.factories import NOW, make_message, make_recipient, make_suppression

NUMBER = "+33612345678"


def make_text(number: int = 1, **changes: Any) -> InboundText:
    text = InboundText(
        id=InboundId(f"inb_{number}"),
        provider="mailbox",
        event_id="evt-1",
        channel=Channel.SMS,
        sender=NUMBER,
        recipient="",
        text="STOP",
        meaning="stop",
        at=NOW,
        handled={"words": ["STOP"]},
    )
    return replace(text, **changes)


def make_stop(number: int = 1, **changes: Any) -> Suppression:
    stop = make_suppression(
        id=SuppressionId(f"sup_{number}"),
        channel=Channel.SMS,
        address=NUMBER,
        reason=SuppressionReason.STOP,
        evidence={"by": BY_TEXT, SPARES: f"msg_{number:06}"},
        created_at=NOW,
    )
    return replace(stop, **changes)


async def standing(store: Store) -> list[Suppression]:
    return list((await store.suppressions.list_suppressions(Channel.SMS, NUMBER, 50, None)).items)


async def test_of_twenty_who_tell_of_one_text_one_is_heard(store: Store) -> None:
    intakes = [
        Intake(text=make_text(number), suppression=make_stop(number), reply=new_message(number))
        for number in range(1, 21)
    ]

    kept = [one for one in await asyncio.gather(*(store.inbound.take_in(intake) for intake in intakes)) if one]

    assert len(kept) == 1
    assert len(await standing(store)) == 1
    assert len(await store.dispatch.claim(WORKER, 50, NOW)) == 1
    assert (await store.inbound.list_inbound(InboundQuery())).items == tuple(kept)


async def test_what_followed_is_kept_with_the_text(store: Store) -> None:
    kept = await store.inbound.take_in(Intake(text=make_text(), suppression=make_stop(), reply=new_message()))

    assert kept is not None
    assert kept.handled == {"words": ["STOP"], "suppression_id": "sup_1", "reply": "msg_000001"}


async def test_a_second_stop_is_kept_without_an_answer(store: Store) -> None:
    await store.inbound.take_in(Intake(text=make_text(), suppression=make_stop(), reply=new_message()))

    again = make_text(2, event_id="evt-2")
    kept = await store.inbound.take_in(Intake(text=again, suppression=make_stop(2), reply=new_message(2)))

    assert kept is not None
    assert kept.handled == {"words": ["STOP"], "suppression_id": "sup_1"}


async def test_a_stop_refuses_the_reservation_that_did_not_know_it(store: Store) -> None:
    claim = await claim_one(store, new_message(to=make_recipient(phone=NUMBER)))
    reservation = reservation_for(
        replace(claim, delivery=replace(claim.delivery, channel=Channel.SMS)), addresses=(NUMBER,)
    )

    await store.inbound.take_in(Intake(text=make_text(), suppression=make_stop()))

    assert not await store.dispatch.reserve(reservation)


async def test_start_lifts_what_texts_set_and_tells_of_it(store: Store) -> None:
    await store.accepting.accept(new := new_message())
    await store.inbound.take_in(Intake(text=make_text(), suppression=make_stop()))
    await store.suppressions.add_suppression(make_stop(8, scope="marketing", evidence={"by": "hand"}))
    start = make_text(2, event_id="evt-2", meaning="start")

    kept = await store.inbound.take_in(
        Intake(
            text=start,
            lifts=True,
            replied=new_event(new.message, "delivery.replied"),
            changed=new_event(new.message, "delivery.resubscribed"),
        )
    )

    assert kept is not None
    assert kept.handled["lifted"] == ["sup_1"]
    assert [one.id for one in await standing(store)] == ["sup_8"]
    assert (await kinds_of_events(store))[-2:] == ["delivery.replied", "delivery.resubscribed"]


async def test_what_is_told_of_a_message_that_is_gone_loses_no_stop(store: Store) -> None:
    gone = new_event(make_message(id=MessageId("msg_gone")), "delivery.replied")

    kept = await store.inbound.take_in(Intake(text=make_text(), suppression=make_stop(), replied=gone))

    assert kept is not None
    assert len(await standing(store)) == 1


async def test_pages_by_meaning_newest_first_until_retention_takes_them(store: Store) -> None:
    for number in range(1, 6):
        meaning = "unclear" if number % 2 else "other"
        at = NOW + timedelta(seconds=number)
        await store.inbound.take_in(Intake(text=make_text(number, event_id=str(number), meaning=meaning, at=at)))

    first = await store.inbound.list_inbound(InboundQuery(meaning="unclear", limit=2))
    second = await store.inbound.list_inbound(
        InboundQuery(meaning="unclear", sender=NUMBER, limit=2, cursor=first.next_cursor)
    )

    assert [text.id for text in first.items + second.items] == ["inb_5", "inb_3", "inb_1"]
    days = timedelta(days=3)
    gone = await store.forgetting.forget(
        Retention(messages=days, events=days, content=days, mailbox=days), NOW + timedelta(days=3, seconds=4)
    )
    assert gone["inbound"] == 3
    assert len((await store.inbound.list_inbound(InboundQuery())).items) == 2
