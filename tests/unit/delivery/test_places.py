"""Places: bounded, urgent first, and never lost."""

import asyncio

from gateway.delivery.places import Places
from gateway.domain.messages import Lane


async def test_a_one_time_code_overtakes_a_campaign_that_waits() -> None:
    places = Places(1)
    order: list[Lane] = []

    async def go(lane: Lane) -> None:
        async with places.take(lane, 5) as taken:
            assert taken
            order.append(lane)

    async with places.take(Lane.LOW, 5):
        waiting = [asyncio.create_task(go(lane)) for lane in (Lane.LOW, Lane.NORMAL, Lane.CRITICAL)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)

    assert order == [Lane.CRITICAL, Lane.NORMAL, Lane.LOW]


async def test_who_finds_no_place_in_time_does_without() -> None:
    places = Places(1)

    async with places.take(Lane.LOW, 5), places.take(Lane.CRITICAL, 0.01) as taken:
        assert not taken

    async with places.take(Lane.LOW, 0.01) as taken:
        assert taken


async def test_cancelled_waiters_lose_no_place() -> None:
    places = Places(1)

    async def wait_for_ever() -> None:
        async with places.take(Lane.LOW, 60):
            await asyncio.Event().wait()

    async with places.take(Lane.LOW, 5):
        waiting = [asyncio.create_task(wait_for_ever()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    async with places.take(Lane.LOW, 0.01) as taken:
        assert taken
