"""Places: bounded, urgent first, and never lost."""

import asyncio

from gateway.delivery.dispatching.places import Places
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


async def test_places_say_for_how_long_nobody_has_come_through() -> None:
    places = Places(1)
    free = places.stuck_seconds(100.0)
    assert await places.take(Lane.NORMAL, 0.0)

    full = places.stuck_seconds(103.0)
    places.moved(104.0)

    assert (free, full, places.stuck_seconds(104.5)) == (0.0, 3.0, 0.5)
