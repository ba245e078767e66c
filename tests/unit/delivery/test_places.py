"""Places: bounded, urgent first, and never lost."""

import asyncio

from gateway.delivery.places import Desk, Places
from gateway.domain.messages import Lane


async def test_a_one_time_code_overtakes_a_campaign_that_waits() -> None:
    places = Places(1)
    order: list[Lane] = []

    async def go(lane: Lane) -> None:
        assert await places.take(lane, 5)
        order.append(lane)
        places.give_back()

    assert await places.take(Lane.LOW, 5)
    waiting = [asyncio.create_task(go(lane)) for lane in (Lane.LOW, Lane.NORMAL, Lane.CRITICAL)]
    await asyncio.sleep(0)
    places.give_back()
    await asyncio.gather(*waiting)

    assert order == [Lane.CRITICAL, Lane.NORMAL, Lane.LOW]


async def test_who_finds_no_place_in_time_does_without() -> None:
    places = Places(1)

    assert await places.take(Lane.LOW, 5)
    assert not await places.take(Lane.CRITICAL, 0.01)
    places.give_back()

    assert await places.take(Lane.LOW, 0.01)


async def test_cancelled_waiters_lose_no_place() -> None:
    places = Places(1)
    assert await places.take(Lane.LOW, 5)
    waiting = [asyncio.create_task(places.take(Lane.LOW, 60)) for _ in range(3)]
    await asyncio.sleep(0)

    waiting[0].cancel()
    await asyncio.sleep(0)
    places.give_back()
    # Its turn has come, and it is cancelled before it knows.
    waiting[1].cancel()
    waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert await places.take(Lane.LOW, 0.01)


async def test_while_calls_are_quick_deliveries_are_made_ready_ahead_of_them() -> None:
    desk = Desk(2)

    for _ in range(100):
        desk.learn(0.002, 0.0)

    assert [await desk.ready.take(Lane.NORMAL, 0.01) for _ in range(9)] == [True] * 8 + [False]
    assert [await desk.calls.take(Lane.NORMAL, 0.01) for _ in range(3)] == [True, True, False]


async def test_once_calls_are_slow_none_is_made_ready_ahead() -> None:
    desk = Desk(2)
    for _ in range(100):
        desk.learn(0.002, 0.0)
    taken = [await desk.ready.take(Lane.NORMAL, 0.01) for _ in range(8)]

    for _ in range(100):
        desk.learn(5, 0.0)
    for _ in taken[:7]:
        desk.ready.give_back()

    assert [await desk.ready.take(Lane.NORMAL, 0.01) for _ in range(2)] == [True, False]


async def test_a_desk_says_for_how_long_nobody_has_come_through() -> None:
    desk = Desk(1)
    free = desk.stuck_seconds(100.0)
    assert await desk.ready.take(Lane.NORMAL, 0.0)

    full = desk.stuck_seconds(103.0)
    desk.learn(0.1, 104.0)

    assert (free, full, desk.stuck_seconds(104.5)) == (0.0, 3.0, 0.5)
