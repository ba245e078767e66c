"""F18: the wall clock is set back by two hours, ahead by forty days, and past the end of a hold."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note, post_all
from tests.faults.rig import Row, Scene, Stage
from tests.faults.stores import statuses_of
from tests.faults.stub import Point

_BACK: Final = -timedelta(hours=2)
_AHEAD: Final = timedelta(days=40)
_HOLD: Final = timedelta(hours=1)
_SWEEPS_SECONDS: Final = 12.0
"""The sweep runs every ten."""


async def set_back(stage: Stage, trials: int) -> Verdict:
    """What was due stays due, and what is to come does not come early."""
    async with stage.scene(clocked=True) as scene:
        await _schedule(scene, "later", trials)
        await scene.stub.tell(away=True)
        await post_all(scene.ledger, {f"due-{n}": note(scene.chance, "email") for n in range(trials)})
        scene.house.step(_BACK)
        await scene.stub.tell(away=False)
        await post_all(scene.ledger, {f"after-{n}": note(scene.chance, "email") for n in range(trials)})
        return await _judge_without(scene, "later", trials)


async def set_ahead(stage: Stage, trials: int) -> Verdict:
    """Nobody is held for dead because of it: calls under way finish, and what is past its time expires."""
    async with stage.scene(clocked=True) as scene:
        await _schedule(scene, "later", trials)
        await scene.stub.hold(Point.ACCEPTED)
        calls = {f"call-{n}": note(scene.chance, "email") for n in range(4)}
        await post_all(scene.ledger, calls)
        await scene.stub.holding(4)
        scene.house.step(_AHEAD)
        # What a sweep does wrong it does within its time; the calls have ten seconds from their start.
        await asyncio.sleep(_SWEEPS_SECONDS / 2)
        found = await statuses_of(scene.house.view, [scene.ledger.promised[key] for key in calls])
        await scene.stub.let_go()
        await post_all(scene.ledger, {f"after-{n}": note(scene.chance, "email") for n in range(trials)})
        await asyncio.sleep(_SWEEPS_SECONDS / 2)
        verdict = await scene.judge(1, Allowed(statuses=("expired",)))
        verdict.require(found == {"sending": 4}, f"calls under way when the clock was set ahead: {found}")
        verdict.require(verdict.accepted == trials + 4, f"{verdict.accepted} accepts of {trials + 4}")
        return verdict


async def end_hold(stage: Stage, trials: int) -> Verdict:
    """A step over `send_at` makes it due; before it nothing went."""
    async with stage.scene(clocked=True) as scene:
        await _schedule(scene, "held", trials)
        before = len(scene.stub.accepts())
        scene.house.step(_HOLD + timedelta(seconds=1))
        verdict = await scene.judge(1, Allowed(ahead=_HOLD + timedelta(seconds=1)))
        verdict.require(before == 0, f"{before} went before the step")
        return verdict


async def _schedule(scene: Scene, prefix: str, count: int) -> None:
    send_at = (datetime.now(UTC) + _HOLD).isoformat().replace("+00:00", "Z")
    bodies = {f"{prefix}-{n}": {**note(scene.chance, "email"), "send_at": send_at} for n in range(count)}
    await post_all(scene.ledger, bodies)


async def _judge_without(scene: Scene, prefix: str, trials: int) -> Verdict:
    """Judge all but those that are still to come, which must not have gone; then the hours pass for them too."""
    later = {key: id_ for key, id_ in scene.ledger.promised.items() if key.startswith(prefix)}
    await scene.settled([id_ for key, id_ in scene.ledger.promised.items() if key not in later], 60)
    early = len(scene.stub.accepts()) - 2 * trials
    scene.house.step(_HOLD + timedelta(seconds=1) - _BACK)
    verdict = await scene.judge(1, Allowed(ahead=_HOLD + timedelta(seconds=1)))
    verdict.require(early <= 0, f"{early} went before their time")
    return verdict


ROWS: Final = (
    Row(name="F18 clock set back 2 h", play=set_back, short=0, long=20),
    Row(name="F18 clock set ahead 40 d", play=set_ahead, short=0, long=20),
    Row(name="F18 clock stepped over a hold", play=end_hold, short=0, long=20),
)
