"""F20: told to stop under load, it finishes what it began and exits with 0 in time."""

import asyncio
import time
from typing import Final

from tests.faults.judge import Verdict
from tests.faults.ledger import traffic
from tests.faults.rig import Row, Stage
from tests.faults.stub import Manner

_SHORTEST, _LONGEST = 0.1, 0.6
_STOP_SECONDS: Final = 25.0


async def stop_under_load(stage: Stage, trials: int) -> Verdict:
    """Calls are under way at the provider, which takes its time; no answer may be lost."""
    async with stage.scene(started=False) as scene:
        await scene.stub.behave(Manner.DELAY, seconds=0.2)
        slowest = 0.0
        for number in range(trials):
            await scene.house.restart()
            async with traffic(scene.ledger, f"{number}", scene.chance, "email", "sms"):
                await asyncio.sleep(scene.chance.uniform(_SHORTEST, _LONGEST))
                began = time.monotonic()
                exits = await scene.house.stop()
                slowest = max(slowest, time.monotonic() - began)
            if any(exits):
                scene.house.broken.append(f"exit statuses {exits}")
        await scene.house.restart()
        verdict = await scene.judge(trials)
        verdict.require(slowest <= _STOP_SECONDS, f"stopping took {slowest:.1f} s")
        verdict.figures["slowest_stop_s"] = round(slowest, 1)
        return verdict


ROWS: Final = (Row(name="F20 SIGTERM under load", play=stop_under_load, short=1, long=100),)
