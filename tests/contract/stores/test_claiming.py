"""What every store keeps to when work is claimed: the order of lanes, one holder, the facts of a claim."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.ids import RecipientId, ServiceId, SuppressionId, WorkerId
from gateway.domain.messages import Lane, Priority
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, EmailAddress, PushDevice, PushPlatform, Recipient
from gateway.errors import InvalidRequest
from gateway.ports import (
    Claim,
)
from gateway.storage import tables
from gateway.storage.engines.engine import open_database
from gateway.storage.store import Store
from tests.contract.store_builders import (
    OTHER,
    WORKER,
    Place,
    new_message,
)
from tests.factories import NOW, SERVICE, make_consent, make_recipient, make_suppression
from tests.fakes import SetClock

STRANGER = ServiceId("svc_other")


async def test_urgent_lanes_go_first_and_the_oldest_within_a_lane(store: Store) -> None:
    await store.accepting.accept(new_message(1, priority=Priority.LOW))
    await store.accepting.accept(new_message(2, due_at=NOW - timedelta(seconds=1)))
    await store.accepting.accept(new_message(3, due_at=NOW - timedelta(seconds=2)))
    await store.accepting.accept(new_message(4, category=Category.CRITICAL))
    await store.accepting.accept(new_message(5, priority=Priority.HIGH))
    await store.accepting.accept(new_message(6, due_at=NOW + timedelta(microseconds=1)))

    claims = await store.dispatch.claim(WORKER, 10, NOW)

    assert [claim.message.id[-1] for claim in claims] == ["4", "5", "3", "2", "1"]
    assert claims[0].message == new_message(4, category=Category.CRITICAL).message


async def test_a_backlog_of_one_service_does_not_delay_another_s_messages(store: Store) -> None:
    await asyncio.gather(*(store.accepting.accept(new_message(number)) for number in range(100)))
    later = NOW + timedelta(minutes=1)
    for number in range(100, 105):
        await store.accepting.accept(new_message(number, service_id=STRANGER, due_at=later))

    claims = [await store.dispatch.claim(WORKER, limit, later) for limit in (1, 1, 9)]

    services = [claim.message.service_id for part in claims for claim in part]
    assert services.count(STRANGER) == 5
    numbers = {
        service: [claim.message.id for part in claims for claim in part if claim.message.service_id == service]
        for service in (SERVICE, STRANGER)
    }
    assert numbers[STRANGER] == [f"msg_{number:06}" for number in range(100, 105)]
    assert numbers[SERVICE] == [f"msg_{number:06}" for number in range(6)]
    rest = await store.dispatch.claim(WORKER, 200, later)
    assert len(rest) == 94


async def test_a_worker_may_leave_the_lower_lanes_alone(store: Store) -> None:
    await store.accepting.accept(new_message(1))
    await store.accepting.accept(new_message(2, priority=Priority.HIGH))

    urgent = await store.dispatch.claim(WORKER, 10, NOW, Lane.HIGH)

    assert [claim.message.id for claim in urgent] == ["msg_000002"]


async def test_what_cannot_be_read_rests_and_its_neighbours_do_not_wait_for_it(store: Store, place: Place) -> None:
    for number in range(3):
        await store.accepting.accept(new_message(number))
    await write_category(place, "msg_000001", "unheard-of")

    claims = await store.dispatch.claim(WORKER, 10, NOW)
    again = await store.dispatch.claim(WORKER, 10, NOW + timedelta(seconds=29))
    await write_category(place, "msg_000001", "transactional")
    later = await store.dispatch.claim(WORKER, 10, NOW + timedelta(seconds=30))

    assert [claim.message.id for claim in claims] == ["msg_000000", "msg_000002"]
    assert again == []
    assert [claim.message.id for claim in later] == ["msg_000001"]


async def test_where_one_person_cannot_be_read_nobody_s_claim_waits(store: Store, place: Place) -> None:
    for number, name in enumerate(("anouk", "amina")):
        person = make_recipient(id=RecipientId(name))
        await store.recipients.put_recipient(SERVICE, person, NOW)
        await store.accepting.accept(new_message(number, to=Recipient(id=person.id)))
    pigeons = [{"platform": "pigeon", "token": "coop-1"}]
    await write(place, tables.recipients.update().where(tables.recipients.c.id == "anouk").values(push=pigeons))

    claims = await store.dispatch.claim(WORKER, 10, NOW)

    assert [claim.facts for claim in claims] == [None, None]
    _, fine = claims
    asked = await asyncio.gather(*(store.dispatch.facts([claim]) for claim in claims), return_exceptions=True)
    error, facts = asked
    assert isinstance(error, ValueError)
    assert "pigeon" in str(error)
    assert isinstance(facts, Mapping)
    assert facts[fine.delivery.id].recipient == make_recipient(id=RecipientId("amina"))


@pytest.mark.parametrize("attributes", ["CAST(x'ff' AS TEXT)", "'" + 2_000 * "[" + 2_000 * "]" + "'"])
async def test_where_one_person_s_row_is_damaged_nobody_s_claim_waits(
    sqlite_place: Place, clock: SetClock, attributes: str
) -> None:
    async with sqlite_place.open(clock) as store:
        await store.leases.join(WORKER)
        await store.recipients.put_recipient(SERVICE, make_recipient(), NOW)
        await store.accepting.accept(new_message(1, to=Recipient(id=make_recipient().id)))
        await store.accepting.accept(new_message(2, to=Recipient(email=EmailAddress("anouk@example.org"))))
        statement = f"UPDATE recipients SET attributes = {attributes}"
        await store.database.writer.run(lambda driver: driver.execute(statement))

        claims = await store.dispatch.claim(WORKER, 10, NOW)
        damaged, facts = await asyncio.gather(
            *(store.dispatch.facts([claim]) for claim in claims), return_exceptions=True
        )

    assert [claim.facts for claim in claims] == [None, None]
    assert isinstance(damaged, InvalidRequest | RecursionError)
    assert isinstance(facts, Mapping)


async def test_where_a_database_refuses_an_address_nobody_s_claim_waits(store: Store) -> None:
    endpoint = PushDevice(platform=PushPlatform.WEBPUSH, subscription={"endpoint": "https://push.example/\x00"})
    await store.accepting.accept(new_message(1, to=Recipient(push=(endpoint,)), channels=(Channel.PUSH,)))
    await store.accepting.accept(new_message(2))

    claims = await store.dispatch.claim(WORKER, 10, NOW)

    assert [claim.message.id for claim in claims] == ["msg_000001", "msg_000002"]


async def write_category(place: Place, message_id: str, category: str) -> None:
    """As a later version would have written it."""
    await write(place, tables.messages.update().where(tables.messages.c.id == message_id).values(category=category))


async def write(place: Place, statement: sa.Update) -> None:
    """Past the store, as no code of this version would."""
    database = open_database(place.url)
    try:
        async with database.writer.transaction() as connection:
            await connection.execute(statement)
    finally:
        await database.aclose()


async def test_two_workers_never_claim_the_same_delivery(place: Place, clock: SetClock) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(place.open(clock)) for _ in range(3)]
        workers = [WorkerId(f"wrk_{number}") for number in range(3)]
        for store, worker in zip(stores, workers, strict=True):
            await store.leases.join(worker)
        await asyncio.gather(*(stores[0].accepting.accept(new_message(number)) for number in range(300)))

        async def claim_all(store: Store, worker: WorkerId) -> list[Claim]:
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


async def test_a_worker_that_is_not_in_the_book_claims_nothing(store: Store) -> None:
    await store.accepting.accept(new_message())

    assert await store.dispatch.claim(OTHER, 10, NOW) == []


async def test_facts_belong_to_the_claim_s_own_recipient_topic_and_addresses(store: Store) -> None:
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
        await store.accepting.accept(new_message(number, to=to, category=Category.MARKETING))
    claims = await store.dispatch.claim(WORKER, 10, NOW)

    inline, by_id, nameless = [(await store.dispatch.facts(claims))[claim.delivery.id] for claim in claims]

    assert [claim.facts for claim in claims] == [inline, by_id, nameless]
    assert (inline.recipient, by_id.recipient, nameless.recipient) == (stored, stored, None)
    assert [consent.id for consent in inline.consents] == ["cns_1"]
    assert nameless.consents == ()
    assert inline.suppressions == (gone,)
    assert [suppression.id for suppression in by_id.suppressions] == ["sup_3"]
    assert nameless.suppressions == (gone,)
