"""Whole messages for the suite of stores, told apart by a number."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gateway.domain.ids import AttemptId, DeliveryId, EventId, MessageId, RecipientId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attempt, Delivery, EmailContent, Event, Message, Outcome, SendResult, Versions
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import replace
from gateway.ports import Claim, Idempotency, NewDelivery, NewMessage, ReaderChoice, Replayed, Reservation, Step, Wished
from gateway.storage.engines.driver import Engine
from gateway.storage.store import Store, open_store
from tests.factories import NOW, make_message
from tests.fakes import SetClock

WORKER = WorkerId("wrk_1")
OTHER = WorkerId("wrk_2")
CONTENT = EmailContent(
    subject="Your Parcel", preheader="soon", html="<p>é</p>", text="é", locale="fr-CA", headers=(("X-A", "b"),)
)
VERSIONS = Versions(
    template="t1", catalogs="c1", requested_locale="fr-CA", resolved_locale="fr", missing=("fr-CA: Hello",)
)


@dataclass(frozen=True)
class Place:
    """Where one store lives; it can be opened more than once, as several processes would."""

    url: str

    def open(self, clock: SetClock, **options: Any) -> AbstractAsyncContextManager[Store]:
        """Open it."""
        return open_store(self.url, clock, **options)


def new_delivery(
    number: int, message: Message, *, due_at: datetime = NOW, suffix: str = "", **changes: Any
) -> NewDelivery:
    """The delivery of message `number` on its first channel, due at NOW."""
    delivery = Delivery(
        id=DeliveryId(f"dlv_{number:06}{suffix}"),
        message_id=message.id,
        channel=message.channels[0],
        status=DeliveryStatus.ACCEPTED,
        created_at=message.created_at,
        updated_at=message.created_at,
    )
    return NewDelivery(delivery=replace(delivery, **changes), due_at=due_at)


def new_event(message: Message, kind: str = "message.accepted", **changes: Any) -> Event:
    """An event of the message."""
    event = Event(
        id=EventId(f"evt_{message.id}_{kind}"),
        message_id=message.id,
        delivery_id=None,
        type=kind,
        at=message.created_at,
        data={},
    )
    return replace(event, **changes)


def new_message(
    number: int = 1, *, due_at: datetime = NOW, key: str | None = None, body: str = "a", **changes: Any
) -> NewMessage:
    """Message `number`, created that many seconds after NOW, with one delivery and one event."""
    created = {"id": MessageId(f"msg_{number:06}"), "created_at": NOW + timedelta(seconds=number)}
    message = make_message(**{**created, **changes})
    idempotency = Idempotency(key=key, fingerprint=body * 64) if key else None
    return NewMessage(
        message=message,
        deliveries=(new_delivery(number, message, due_at=due_at),),
        events=(new_event(message),),
        idempotency=idempotency,
    )


def replay_of(new: NewMessage) -> Replayed:
    """What a repeat of the message's key comes to."""
    return Replayed(message=new.message, deliveries=tuple(each.delivery for each in new.deliveries))


def attempt_for(claim: Claim, number: int = 1, provider: str = "smtp-main", at: datetime = NOW) -> Attempt:
    """The attempt of that number for the claim."""
    return Attempt(
        id=AttemptId(f"att_{claim.delivery.id}_{number}"),
        delivery_id=claim.delivery.id,
        number=number,
        provider=provider,
        started_at=at,
    )


def reservation_for(claim: Claim, **changes: Any) -> Reservation:
    """The intent to send CONTENT to the message's own address."""
    channel: Channel = claim.delivery.channel
    reservation = Reservation(
        claim=claim,
        attempt=attempt_for(claim),
        content=CONTENT,
        sender="shop@example.org",
        addresses=claim.message.to.addresses(channel),
        versions=VERSIONS,
        events=(new_event(claim.message, "delivery.sending", delivery_id=claim.delivery.id),),
    )
    return replace(reservation, **changes)


def step_for(claim: Claim, status: DeliveryStatus = DeliveryStatus.SENT, **changes: Any) -> Step:
    """What the claim came to, with its event."""
    event = new_event(claim.message, f"delivery.{status}", delivery_id=claim.delivery.id)
    return replace(Step(claim=claim, status=status, events=(event,)), **changes)


def sent_step(claim: Claim) -> Step:
    """The provider took it."""
    result = SendResult(outcome=Outcome.SENT, provider_message_id="p-1", code="250 2.0.0")
    return step_for(claim, attempt=answered_attempt(claim, result), provider_message_id="p-1")


def answered_attempt(claim: Claim, result: SendResult, **changes: Any) -> Attempt:
    """The claim's call, with what the provider said."""
    return replace(attempt_for(claim), finished_at=NOW, result=result, **changes)


async def claim_one(store: Store, new: NewMessage | None = None) -> Claim:
    """Accept a message and claim its delivery as WORKER."""
    await store.accepting.accept(new or new_message())
    (claim,) = await store.dispatch.claim(WORKER, 1, NOW)
    return claim


async def status_of(store: Store, message_id: str = "msg_000001") -> DeliveryStatus:
    """Where the message stands."""
    return (await store.log.read(MessageId(message_id), None)).status


async def kinds_of_events(store: Store, message_id: str = "msg_000001") -> list[str]:
    """The types of its timeline, oldest first."""
    return [event.type for event in (await store.log.events(MessageId(message_id), None, 100, None)).items]


def make_choice(preferences: Mapping[str, JsonValue] | None, **changes: Any) -> ReaderChoice:
    """What the person of `make_recipient` wishes for, chosen NOW in a message of which nothing is kept."""
    choice = ReaderChoice(
        service_id=make_message().service_id,
        recipient_id=RecipientId("user-42"),
        at=NOW,
        wished=Wished(preferences=preferences),
        events=(new_event(make_message(), "delivery.preferences_changed"),),
    )
    return replace(choice, **changes)


async def stands_in_line(store: Store, writing: asyncio.Task[Any]) -> bool:
    """Whether it waits for another transaction; in a file nobody writes beside one."""
    if store.database.engine is Engine.SQLITE:
        return not writing.done()
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with store.database.reader.connect() as connection:
        return bool(await connection.scalar(waiting))
