"""Shedding by the age of the oldest due message, without a query for each post."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.delivery.accepting.admission import Admission
from gateway.domain.messages import Lane
from gateway.errors import Overloaded, Unavailable
from tests.fakes import SetClock
from tests.waiting import eventually

LIMIT = timedelta(minutes=1)


class Backlog:
    """What is asked of the store here: when the longest-waiting delivery fell due."""

    def __init__(self, oldest: datetime | None = None) -> None:
        self.oldest = oldest
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.is_away = False

    async def oldest_due(self, now: datetime) -> datetime | None:
        self.asked += 1
        await self.answers.wait()
        if self.is_away:
            raise Unavailable("away")
        return self.oldest


def make(backlog: Any, clock: SetClock) -> Admission:
    return Admission(backlog, clock, LIMIT)


async def refused(admission: Admission, lane: Lane = Lane.NORMAL) -> bool:
    try:
        await admission.admit(lane)
    except Overloaded as error:
        return error.retry_after_seconds > 0
    return False


async def test_many_posts_of_a_second_ask_the_store_once() -> None:
    clock = SetClock()
    backlog = Backlog(clock.now() - timedelta(minutes=2))
    async with make(backlog, clock) as admission:
        answers = await asyncio.gather(*(refused(admission) for _ in range(100)))

    assert answers == [True] * 100
    assert backlog.asked == 1


async def test_no_post_waits_while_a_slow_store_is_asked_again() -> None:
    clock, backlog = SetClock(), Backlog()
    async with make(backlog, clock) as admission:
        assert not await refused(admission)
        backlog.answers.clear()
        backlog.oldest = clock.now() - timedelta(minutes=2)
        clock.advance(1.5)

        async with asyncio.timeout(1):
            answers = [await refused(admission) for _ in range(3)]
            backlog.answers.set()
            await eventually(lambda: refused(admission), bool)

    assert answers == [False] * 3
    assert backlog.asked == 2


async def test_the_urgent_lanes_are_refused_last() -> None:
    clock = SetClock()
    backlog = Backlog(clock.now() - LIMIT * 2)
    async with make(backlog, clock) as admission:
        answers = {lane: await refused(admission, lane) for lane in Lane}

    assert answers == {Lane.CRITICAL: False, Lane.HIGH: False, Lane.NORMAL: True, Lane.LOW: True}


async def test_a_store_that_is_away_is_told_once_nothing_is_known_any_more() -> None:
    clock, backlog = SetClock(), Backlog()
    async with make(backlog, clock) as admission:
        assert not await refused(admission)
        backlog.is_away = True
        clock.advance(2)
        assert not await refused(admission)
        clock.advance(10)

        with pytest.raises(Unavailable):
            await admission.admit(Lane.NORMAL)
