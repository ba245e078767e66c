"""Limits of one worker by itself, and whose turn it is under them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.delivery.dispatching.limits import OwnLimits
from gateway.delivery.dispatching.pacing import Pacing
from gateway.domain.ids import AttemptId, DeliveryId
from gateway.domain.messages import Envelope, Lane, SmsContent
from gateway.domain.rates import Rate
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.ports import Limit
from tests.factories import NOW
from tests.fakes import ScriptedProvider, SetClock

ONE_IN_TEN_SECONDS = Rate(per_second=0.1)


@dataclass
class Line:
    """A provider with a limit, as one worker sees it."""

    limit: Limit
    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    clock: SetClock = field(default_factory=SetClock)

    def __post_init__(self) -> None:
        self.limits = OwnLimits(self.clock)
        self.pacing = Pacing(self.limits, {self.provider.name: self.limit}, self.clock, lambda: 1.0)

    async def ask(self, lane: Lane = Lane.NORMAL, **changes: Any) -> float | None:
        """Ask for a turn."""
        return await self.pacing.wait_turn(self.provider, _envelope(**changes), lane)


def _envelope(**changes: Any) -> Envelope:
    given: dict[str, Any] = {
        "delivery_id": DeliveryId("dlv_1"),
        "attempt_id": AttemptId("att_1"),
        "channel": Channel.SMS,
        "live": True,
        "sender": "+33700000000",
        "to": "+33612345678",
        "content": SmsContent(text="hello", encoding="gsm-7", units=5, segments=1, locale="en"),
        "expires_at": NOW,
        "deadline_seconds": 30.0,
    }
    return Envelope(**(given | changes))


async def test_a_provider_without_a_limit_is_never_waited_for() -> None:
    line = Line(Limit())

    assert [await line.ask() for _ in range(100)] == [None] * 100
    assert [await line.pacing.enter("another", 0.0) for _ in range(100)] == [""] * 100


async def test_those_whose_turn_is_far_off_come_back_one_after_the_other() -> None:
    line = Line(Limit(rate=ONE_IN_TEN_SECONDS))

    waits = [await line.ask() for _ in range(9)]

    assert waits == [None, *[pytest.approx(seconds) for seconds in (10, 20, 30, 40, 50, 60, 60, 60)]]


async def test_what_is_urgent_does_not_stand_behind_those_that_were_sent_away() -> None:
    line = Line(Limit(rate=ONE_IN_TEN_SECONDS))
    for _ in range(5):
        await line.ask()

    urgent = await line.ask(Lane.CRITICAL)
    line.clock.advance(10)

    assert urgent == pytest.approx(10)
    assert await line.ask(Lane.CRITICAL) is None


async def test_a_turn_that_is_near_is_waited_for() -> None:
    line = Line(Limit(rate=Rate(per_second=50.0)))
    for _ in range(50):
        assert await line.ask() is None

    async with asyncio.timeout(5):
        assert await line.ask() is None


@pytest.mark.parametrize(("by_sender", "second"), [(True, None), (False, 10.0)])
async def test_senders_have_a_rate_each_where_the_provider_counts_so(by_sender: bool, second: float | None) -> None:
    line = Line(Limit(rate=ONE_IN_TEN_SECONDS))
    line.provider.capabilities = replace(line.provider.capabilities, counts_by_sender=by_sender)

    first = await line.ask(sender="+33700000000")
    other = await line.ask(sender="+33700000001")

    assert (first, other) == (None, second if second is None else pytest.approx(second))


async def test_a_text_costs_its_segments() -> None:
    line = Line(Limit(rate=ONE_IN_TEN_SECONDS))
    text = SmsContent(text="long", encoding="gsm-7", units=400, segments=3, locale="en")

    await line.ask(content=text)

    assert await line.ask() == pytest.approx(30)


async def test_no_more_calls_are_under_way_than_allowed_and_each_end_lets_one_in() -> None:
    line = Line(Limit(concurrency=2))
    taken = [await line.pacing.enter(line.provider.name, 0.0) for _ in range(3)]

    assert taken[0] is not None
    await line.pacing.leave(line.provider.name, taken[0])

    assert taken[2] is None
    assert await line.pacing.enter(line.provider.name, 0.0) is not None
    assert await line.pacing.enter(line.provider.name, 0.0) is None


async def test_one_of_several_workers_keeps_to_its_even_part() -> None:
    line = Line(Limit(rate=Rate(per_second=30.0), concurrency=9))
    line.pacing.share(3)

    turns = [await line.limits.take("bucket", Rate(per_second=30.0), 1, 0.0) for _ in range(12)]
    taken = [await line.pacing.enter(line.provider.name, 0.0) for _ in range(5)]

    assert [turn.is_taken for turn in turns] == [True] * 10 + [False] * 2
    assert [one is not None for one in taken] == [True] * 3 + [False] * 2


async def test_with_more_workers_than_calls_each_may_still_make_one() -> None:
    line = Line(Limit(concurrency=2))
    line.pacing.share(5)

    assert await line.pacing.enter(line.provider.name, 0.0) is not None
    assert await line.pacing.enter(line.provider.name, 0.0) is None
