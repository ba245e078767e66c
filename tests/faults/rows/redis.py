"""F9 and F10: Redis is emptied, killed, silent, away for a minute, or not there at the start."""

import asyncio
from enum import StrEnum
from functools import partial
from typing import Final, assert_never

from tests.faults.house import Mode
from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note, post_all, traffic
from tests.faults.rig import Row, Scene, Stage
from tests.servers import ValkeyServer

_DELAY_SECONDS: Final = 30.0
_TRAFFIC_SECONDS: Final = 0.5
_SCALED: Final = frozenset({Mode.SCALED})


class Harm(StrEnum):
    """What is done to Redis."""

    EMPTY = "emptied"
    KILL = "killed, back at once"
    AWAY = "away"
    SILENT = "silent"
    """It keeps its connections and answers nothing."""


async def _hurt(valkey: ValkeyServer, harm: Harm, seconds: float) -> None:
    match harm:
        case Harm.EMPTY:
            valkey.empty()
        case Harm.SILENT:
            valkey.freeze()
            await asyncio.sleep(seconds)
            valkey.thaw()
        case Harm.KILL | Harm.AWAY:
            valkey.kill()
            await asyncio.sleep(seconds)
            valkey.start()
        case never:
            assert_never(never)


async def hurt_redis(stage: Stage, trials: int, *, harm: Harm, seconds: float = 0.0) -> Verdict:
    """Under traffic; nothing is lost, nothing goes twice, and nothing comes later than 30 s after it was due."""
    async with stage.scene() as scene:
        for number in range(trials):
            async with traffic(scene.ledger, f"{number}-before", scene.chance, "email"):
                await asyncio.sleep(_TRAFFIC_SECONDS)
                await _hurt(scene.servers.valkey, harm, seconds)
                await asyncio.sleep(_TRAFFIC_SECONDS)
        return await _judge(scene, trials)


async def start_without(stage: Stage, trials: int) -> Verdict:
    """F10: every process starts while there is no Redis, takes posts and delivers."""
    verdict = Verdict()
    for number in range(trials):
        async with stage.scene(started=False) as scene:
            scene.servers.valkey.stop()
            try:
                await scene.house.start()
                await post_all(scene.ledger, {f"{number}-{one}": note(scene.chance, "email") for one in range(20)})
                verdict.add(await _judge(scene, 1))
            finally:
                scene.servers.valkey.start()
    return verdict


async def _judge(scene: Scene, trials: int) -> Verdict:
    verdict = await scene.judge(trials, Allowed())
    verdict.require(verdict.slowest <= _DELAY_SECONDS, f"{verdict.slowest:.1f} s from due to the provider")
    return verdict


def _row(name: str, harm: Harm, seconds: float = 0.0, short: int = 0, long: int = 5) -> Row:
    play = partial(hurt_redis, harm=harm, seconds=seconds)
    return Row(name=name, play=play, short=short, long=long, modes=_SCALED, short_modes=_SCALED)


ROWS: Final = (
    _row("F9 Redis emptied", Harm.EMPTY, short=1, long=20),
    _row("F9 Redis killed, back at once", Harm.KILL, long=20),
    _row("F9 Redis away for a minute", Harm.AWAY, 60.0, long=2),
    _row("F9 Redis silent for a minute", Harm.SILENT, 60.0, long=2),
    Row(name="F10 no Redis at the start", play=start_without, short=0, long=3, modes=_SCALED),
)
