"""What every store tells of what waits."""

from datetime import timedelta

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Lane, Priority
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.ports import Waiting
from gateway.storage.store import Store
from tests.contract.store_builders import claim_one, new_message, reservation_for, step_for
from tests.factories import NOW

S = DeliveryStatus


async def test_an_empty_store_has_nothing_waiting(store: Store) -> None:
    assert await store.watching.waiting(NOW) == Waiting(oldest_due={}, held={}, unknown_since=())


async def test_the_oldest_due_is_told_for_each_channel_and_lane(store: Store) -> None:
    for number, (channel, priority, minutes) in enumerate(
        [(Channel.EMAIL, Priority.NORMAL, 3), (Channel.EMAIL, Priority.NORMAL, 7), (Channel.SMS, Priority.HIGH, 1)]
    ):
        due_at = NOW - timedelta(minutes=minutes)
        await store.accepting.accept(new_message(number, due_at=due_at, channels=(channel,), priority=priority))
    await store.accepting.accept(new_message(9, channels=(Channel.SMS,), category=Category.CRITICAL))

    waiting = await store.watching.waiting(NOW)

    assert waiting.oldest_due == {
        (Channel.EMAIL, Lane.NORMAL): NOW - timedelta(minutes=7),
        (Channel.SMS, Lane.HIGH): NOW - timedelta(minutes=1),
        (Channel.SMS, Lane.CRITICAL): NOW,
    }


async def test_what_is_not_yet_due_or_is_claimed_does_not_count_as_due(store: Store) -> None:
    await claim_one(store)
    await store.accepting.accept(new_message(2, due_at=NOW + timedelta(seconds=1)))

    assert (await store.watching.waiting(NOW)).oldest_due == {}


async def test_held_deliveries_are_counted_by_reason(store: Store) -> None:
    later = NOW + timedelta(hours=8)
    for number, reason in enumerate(["quiet_hours", "quiet_hours", "cap"]):
        claim = await claim_one(store, new_message(number))
        await store.dispatch.record(step_for(claim, S.HELD, reason=reason, due_at=later))

    waiting = await store.watching.waiting(NOW)

    assert waiting.held == {"quiet_hours": 2, "cap": 1}
    assert waiting.oldest_due == {}


async def test_unknown_deliveries_tell_since_when_until_they_are_settled(store: Store) -> None:
    claim = await claim_one(store)
    await store.dispatch.reserve(reservation_for(claim))
    await store.dispatch.record(step_for(claim, S.UNKNOWN, reason="answer_lost"))

    assert (await store.watching.waiting(NOW)).unknown_since == (NOW,)
