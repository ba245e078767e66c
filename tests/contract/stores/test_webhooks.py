"""What every store keeps to when it puts events out: with the event or not at all, to whom it concerns, and in time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.delivery.notifying.pacing import answered, failed
from gateway.domain.audit import SYSTEM, AuditAction, AuditEntry, By, make_entry
from gateway.domain.ids import EndpointId, MessageId, ReplayId, ServiceId
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.domain.webhooks import DisabledReason, Endpoint, EndpointFilter, Notice, Replay
from gateway.errors import Conflict, NotFound
from gateway.ports import CallAnswer, Called, Fate
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import Place, claim_one, new_message, reservation_for, sent_step
from tests.factories import NOW, SERVICE
from tests.fakes import SetClock
from tests.unit.delivery.notifying.test_pacing import DAYS, make_endpoint

ALL = EndpointFilter(types=("*",))
SOON = timedelta(seconds=20)
LATER = NOW + timedelta(hours=1)


def entry() -> AuditEntry:
    return make_entry(AuditAction.WEBHOOK, "whe_1", By(actor=SYSTEM), NOW)


async def add(store: Store, name: str = "whe_1", **changes: Any) -> Endpoint:
    endpoint = make_endpoint(name, SERVICE, **{"filters": ALL, **changes})
    await store.endpoints.add_endpoint(endpoint, 20, entry())
    return endpoint


async def put_out(store: Store) -> list[tuple[str, str]]:
    """The endpoint and the event of each notice."""
    query = sa.select(tables.notices.c.endpoint_id, tables.notices.c.event_id)
    async with store.database.reader.connect() as connection:
        return sorted((row[0], row[1]) for row in await connection.execute(query))


async def take(store: Store, *endpoints: str, limit: int = 100, now: datetime = LATER) -> Sequence[Notice]:
    return await store.notices.take({EndpointId(one): limit for one in endpoints or ("whe_1",)}, now, SOON)


def taken(notice: Notice) -> Called:
    return Called(notice=notice, fate=Fate.TAKEN, at=LATER, then=answered)


def not_taken(notice: Notice, due_at: datetime = LATER + timedelta(minutes=5)) -> Called:
    def then(endpoint: Endpoint) -> Endpoint:
        return failed(endpoint, CallAnswer(status=500), DAYS, LATER, 0.5)

    return Called(notice=notice, fate=Fate.AGAIN, at=LATER, due_at=due_at, then=then)


async def test_what_is_told_in_a_timeline_is_put_out_to_the_services_own_endpoints(store: Store) -> None:
    await add(store)
    await add(store, "whe_2", filters=EndpointFilter(types=("delivery.sent",), channels=("email",)))
    await add(store, "whe_3", service_id=ServiceId("svc_another"))
    await add(store, "whe_4", enabled=False, disabled_reason=DisabledReason.BY_HAND)

    claim = await claim_one(store, new_message(channels=(Channel.EMAIL,)))
    await store.dispatch.reserve(reservation_for(claim))
    await store.dispatch.record(sent_step(claim))

    events = (await store.log.events(MessageId("msg_000001"), None, 100, None)).items
    assert await put_out(store) == sorted(
        [("whe_1", event.id) for event in events]
        + [("whe_2", event.id) for event in events if event.type == "delivery.sent"]
    )


async def test_without_an_endpoint_nothing_is_put_out(store: Store) -> None:
    await claim_one(store)

    assert await put_out(store) == []


async def test_what_is_undone_was_never_put_out(store: Store) -> None:
    await add(store)
    message = new_message()
    broken = replace(message, deliveries=(message.deliveries[0], message.deliveries[0]))

    with pytest.raises(Conflict):
        await store.accepting.accept(broken)

    assert await put_out(store) == []


async def test_a_notice_is_one_callers_for_a_while_and_then_anothers(store: Store) -> None:
    await add(store)
    await store.accepting.accept(new_message())

    first, second = await asyncio.gather(take(store), take(store))
    third = await take(store, now=LATER + SOON)

    assert sorted([len(first), len(second)]) == [0, 1]
    assert [one.attempts for one in third] == [2]


async def test_a_notice_that_is_taken_is_gone_and_one_that_is_not_is_due_again(store: Store) -> None:
    await add(store)
    for number in (1, 2):
        await store.accepting.accept(new_message(number))
    one, other = await take(store)

    await asyncio.gather(store.notices.settle(taken(one)), store.notices.settle(not_taken(other)))

    assert await put_out(store) == [("whe_1", other.event_id)]
    assert await take(store) == []
    again = await take(store, now=LATER + timedelta(minutes=5))
    assert [(each.event_id, each.attempts) for each in again] == [(other.event_id, 2)]


async def test_a_late_word_of_one_who_was_followed_changes_nothing(store: Store) -> None:
    await add(store)
    await store.accepting.accept(new_message())
    (late,) = await take(store)
    (present,) = await take(store, now=LATER + SOON)

    await store.notices.settle(not_taken(late))

    assert await take(store, now=LATER + timedelta(minutes=5)) != []
    await store.notices.settle(taken(present))
    assert await put_out(store) == []


async def test_failures_add_up_whoever_tells_of_them(store: Store) -> None:
    await add(store)
    for number in range(1, 5):
        await store.accepting.accept(new_message(number))
    notices = await take(store)

    await asyncio.gather(*(store.notices.settle(not_taken(one)) for one in notices))
    paused = await store.endpoints.get_endpoint(EndpointId("whe_1"), SERVICE)
    left_alone = await store.notices.listeners(LATER)
    tried = await store.notices.listeners(LATER + timedelta(minutes=10))
    (probe, *_) = await take(store, now=LATER + timedelta(minutes=5))
    await store.notices.settle(replace(taken(probe), at=LATER + timedelta(minutes=6)))

    assert (paused.failures, paused.failing_since) == (4, LATER)
    assert (left_alone, [one.id for one in tried]) == ([], ["whe_1"])
    assert (await store.endpoints.get_endpoint(EndpointId("whe_1"), SERVICE)).not_before is None


async def test_an_endpoint_that_answers_again_gets_at_once_what_it_did_not_take(store: Store) -> None:
    await add(store)
    for number in range(1, 5):
        await store.accepting.accept(new_message(number))
    *failing, probe = await take(store)
    for one in failing:
        await store.notices.settle(not_taken(one, LATER + timedelta(days=1)))

    await store.notices.settle(taken(probe))

    assert {one.event_id for one in await take(store)} == {one.event_id for one in failing}


async def test_a_notice_is_read_with_all_that_it_tells_of_but_what_is_secret(store: Store) -> None:
    await add(store)
    claim = await claim_one(store, new_message(data={"code": "1"}, secrets={"code": "908172"}))
    await store.dispatch.reserve(reservation_for(claim))
    notices = await take(store)

    told = await store.notices.read(notices)

    timeline = (await store.log.events(MessageId("msg_000001"), None, 100, None)).items
    in_order = sorted(told.values(), key=lambda one: one.number)
    assert [one.event for one in in_order] == list(timeline)
    assert [one.delivery.id if one.delivery else None for one in in_order] == [None, claim.delivery.id]
    assert {(one.message.id, len(one.message.data), len(one.message.secrets)) for one in in_order} == {
        ("msg_000001", 0, 0)
    }


async def test_what_is_kept_no_longer_is_not_read(store: Store) -> None:
    await add(store)
    await store.accepting.accept(new_message())
    notices = await take(store)
    async with store.database.writer.transaction() as connection:
        await connection.execute(tables.events.delete())

    assert await store.notices.read(notices) == {}


async def test_what_waits_for_an_endpoint_that_is_off_is_dropped(store: Store) -> None:
    await add(store)
    await add(store, "whe_2")
    await store.accepting.accept(new_message())

    await store.endpoints.remove_endpoint(EndpointId("whe_1"), SERVICE, entry())
    dropped = await store.notices.clear(NOW)
    gone = await store.notices.clear(NOW + timedelta(minutes=2))
    nothing = await store.notices.clear(NOW + timedelta(minutes=2))

    assert (dropped, gone, nothing) == (1, 1, 0)
    assert [endpoint for endpoint, _ in await put_out(store)] == ["whe_2"]
    with pytest.raises(NotFound):
        await store.endpoints.get_endpoint(EndpointId("whe_1"), None)


async def replay(store: Store, since: datetime, until: datetime, **changes: Any) -> None:
    asked = Replay(id=ReplayId("rpl_1"), endpoint_id=EndpointId("whe_1"), since=since, until=until, created_at=NOW)
    await store.endpoints.add_replay(replace(asked, **changes), SERVICE, entry())


async def test_a_replay_puts_out_every_event_of_its_time_once_more(store: Store) -> None:
    for number in range(1, 251):
        await store.accepting.accept(new_message(number))
    await add(store)

    await replay(store, NOW + timedelta(seconds=100), NOW + timedelta(seconds=220))
    portions = 0
    while await store.notices.replay(LATER):
        portions += 1

    ids = [event for _, event in await put_out(store)]
    assert ids == sorted(f"evt_msg_{number:06}_message.accepted" for number in range(100, 220))
    assert portions == 3


async def test_replays_take_turns_and_one_that_says_all_of_another_takes_its_place(store: Store) -> None:
    for number in range(1, 251):
        await store.accepting.accept(new_message(number))
    await add(store)
    await add(store, "whe_2")
    for number in range(5):
        await replay(store, NOW, LATER, id=ReplayId(f"rpl_{number}"), created_at=NOW + timedelta(seconds=number))
    await replay(store, NOW, LATER, id=ReplayId("rpl_9"), endpoint_id=EndpointId("whe_2"), created_at=LATER)

    portions = [await store.notices.replay(LATER + timedelta(seconds=number)) for number in (1, 2)]

    assert portions == [True, True]
    assert {endpoint for endpoint, _ in await put_out(store)} == {"whe_1", "whe_2"}
    while await store.notices.replay(LATER):
        portions.append(True)
    assert len(portions) == 6
    assert len(await put_out(store)) == 500


async def test_a_replay_of_what_still_waits_adds_nothing_and_asks_the_filter(store: Store) -> None:
    await add(store, filters=EndpointFilter(types=("message.*",), tags=("wanted",)))
    await store.accepting.accept(new_message(1, tags=("wanted",)))
    await store.accepting.accept(new_message(2))

    await replay(store, NOW, LATER)
    while await store.notices.replay(LATER):
        pass

    assert await put_out(store) == [("whe_1", "evt_msg_000001_message.accepted")]


async def test_nothing_is_replayed_to_an_endpoint_that_is_off(store: Store) -> None:
    await store.accepting.accept(new_message())
    endpoint = await add(store)

    await replay(store, NOW, LATER)
    await store.endpoints.change_endpoint(endpoint.id, SERVICE, lambda one: replace(one, enabled=False), entry())
    went_on = [await store.notices.replay(LATER), await store.notices.replay(LATER)]

    assert (went_on, await put_out(store)) == ([True, False], [])
    with pytest.raises(Conflict):
        await replay(store, NOW, LATER)


async def test_a_clock_that_was_set_back_delays_nothing(store: Store) -> None:
    await add(store)
    await store.accepting.accept(new_message())
    (one,) = await take(store)
    await store.notices.settle(not_taken(one, LATER + timedelta(days=2)))

    await store.notices.catch_up(NOW + timedelta(hours=6))

    assert len(await take(store, now=NOW + timedelta(hours=6))) == 1


async def test_two_processes_that_add_at_once_do_not_pass_the_limit(store: Store) -> None:
    async def one(number: int) -> bool:
        try:
            await store.endpoints.add_endpoint(make_endpoint(f"whe_{number}", SERVICE), 3, entry())
        except Conflict:
            return False
        return True

    made = await asyncio.gather(*(one(number) for number in range(6)))

    assert sum(made) == 3


async def test_what_operators_are_told_of_endpoints(store: Store) -> None:
    await add(store)
    await add(store, "whe_2", failures=3, not_before=LATER)
    await add(store, "whe_3", enabled=False, disabled_reason=DisabledReason.GONE)
    await add(store, "whe_4", enabled=False, disabled_reason=DisabledReason.BY_HAND)
    await store.accepting.accept(new_message())

    waiting = await store.watching.waiting(NOW)

    assert waiting.endpoints == {"working": 1, "failing": 1, "disabled": 1, "off": 1}
    assert waiting.notices == 2
    assert await store.endpoints.waiting_notices([EndpointId("whe_1"), EndpointId("whe_3")]) == {
        "whe_1": 1,
        "whe_3": 0,
    }


async def test_an_endpoint_is_kept_as_it_was_given(place: Place) -> None:
    async with place.open(SetClock()) as store:
        endpoint = await add(store, description="Straße", filters=EndpointFilter(tags=("a", "b")), not_before=LATER)

        assert await store.endpoints.get_endpoint(endpoint.id, SERVICE) == endpoint
        assert (await store.endpoints.list_endpoints(SERVICE, 10, None)).items == (endpoint,)
