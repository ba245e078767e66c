"""F1 and F2: killed with -9 at random instants and at the six named points of a delivery."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note, post_all, traffic
from tests.faults.rig import Row, Scene, Stage
from tests.faults.stores import statuses_of
from tests.faults.stub import Point
from tests.waiting import eventually

_SHORTEST, _LONGEST = 0.02, 0.5
"""Seconds of traffic before a kill."""
_AT_ONCE: Final = 4
_POINT_SECONDS: Final = 30.0
_SETTLED: Final = 0.05
"""Seconds in which an answer that left the stub is surely read by a gateway that cannot commit."""


async def kill_at_random(stage: Stage, trials: int) -> Verdict:
    """F1: callers on every channel, and one process, whatever it does, dies under them."""
    async with stage.scene(started=False) as scene:
        house = scene.house
        for number in range(trials):
            await house.restart()
            await scene.ledger.settle()
            async with traffic(scene.ledger, f"{number}", scene.chance, "email", "sms", "push"):
                await asyncio.sleep(scene.chance.uniform(_SHORTEST, _LONGEST))
                await house.kill(scene.chance.choice(house.members))
        await house.restart()
        return await scene.judge(trials, Allowed(unknown=trials * scene.in_flight))


async def kill_at_point(stage: Stage, trials: int, *, point: str, resend: bool = False) -> Verdict:
    """F2: a worker dies while a delivery stands at a named point; only kills that hit it are counted."""
    policy = {"transactional": "resend"} if resend else {}
    connections = 1 if point == "claimed" else _AT_ONCE
    async with stage.scene(workers=1, connections=connections, delivery={"on_unknown": policy}, started=False) as scene:
        for number in range(trials):
            await scene.house.restart()
            await _REACH[point](scene, {f"{number}-{one}": note(scene.chance, "email") for one in range(_AT_ONCE)})
            await scene.house.kill(*scene.house.workers)
            await scene.stub.let_go()
        await scene.house.restart()
        in_flight = trials * _AT_ONCE
        allowed = Allowed(
            unknown=0 if resend or point == "committed" else in_flight,
            duplicate=in_flight if resend else 0,
            resends=resend,
        )
        return await scene.judge(trials, allowed, seconds=120)


Bodies = Mapping[str, Mapping[str, Any]]


async def _claimed(scene: Scene, bodies: Bodies) -> None:
    """The one connection is taken by one delivery; the others are claimed and wait for it."""
    await scene.stub.hold(Point.GREETING)
    await post_all(scene.ledger, bodies)
    await eventually(_standing(scene, bodies), lambda found: found.get("claimed", 0) > 0, _POINT_SECONDS)


async def _intent_committed(scene: Scene, bodies: Bodies) -> None:
    """`sending` is on disk, and the provider has not even greeted."""
    await scene.stub.hold(Point.GREETING)
    await post_all(scene.ledger, bodies)
    await scene.stub.holding()
    await eventually(_standing(scene, bodies), lambda found: found.get("sending", 0) > 0, _POINT_SECONDS)


async def _request_sent(scene: Scene, bodies: Bodies) -> None:
    """The provider has the whole text and has kept nothing of it."""
    await scene.stub.hold(Point.RECEIVED)
    await post_all(scene.ledger, bodies)
    await scene.stub.holding()


async def _accepted(scene: Scene, bodies: Bodies) -> None:
    """The provider has it on disk and has not answered."""
    await scene.stub.hold(Point.ACCEPTED)
    await post_all(scene.ledger, bodies)
    await scene.stub.holding()


async def _answer_read(scene: Scene, bodies: Bodies) -> None:
    """The answer has come, and the store lets nobody commit it."""
    await _accepted(scene, bodies)
    before = await scene.stub.reached(Point.ANSWERED)
    async with scene.house.view.stalled():
        await scene.stub.let_go()
        await eventually(partial(scene.stub.reached, Point.ANSWERED), lambda count: count > before, _POINT_SECONDS)
        await asyncio.sleep(_SETTLED)
        await scene.house.kill(*scene.house.workers)


async def _committed(scene: Scene, bodies: Bodies) -> None:
    """The result of each is on disk."""
    await post_all(scene.ledger, bodies)
    await eventually(_standing(scene, bodies), lambda found: set(found) == {"sent"}, _POINT_SECONDS)


def _standing(scene: Scene, bodies: Bodies) -> Callable[[], Awaitable[dict[str, int]]]:
    """Where the deliveries of these posts stand; those of earlier rounds may still be on their way."""
    return partial(statuses_of, scene.house.view, [scene.ledger.promised[key] for key in bodies])


_REACH: Final = {
    "claimed": _claimed,
    "intent": _intent_committed,
    "request": _request_sent,
    "accepted": _accepted,
    "answer": _answer_read,
    "committed": _committed,
}

ROWS: Final = (
    Row(name="F1 kill during accepts", play=kill_at_random, short=2, long=120),
    *[
        Row(
            name=f"F2 kill at {point}",
            play=partial(kill_at_point, point=point),
            short=int(point == "answer"),
            long=30,
        )
        for point in _REACH
    ],
    Row(
        name="F2 kill at accepted, resend",
        play=partial(kill_at_point, point="accepted", resend=True),
        short=0,
        long=30,
    ),
)
