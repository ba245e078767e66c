"""F7: PostgreSQL is ended at once, back at once or after half a minute."""

import asyncio
import time
from functools import partial
from typing import Final

from tests.faults.house import Mode
from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import Answer, note, traffic
from tests.faults.rig import Row, Scene, Stage

_BACK_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 10.0
_TRAFFIC_SECONDS: Final = 0.5
_ASKERS: Final = 4
_SCALED: Final = frozenset({Mode.SCALED})


async def end_postgres(stage: Stage, trials: int, *, seconds: float) -> Verdict:
    """While it is away posts get 503 with Retry-After in time; nobody is restarted, and 15 s after it all goes on."""
    async with stage.scene() as scene:
        answers: list[Answer] = []
        pids = [member.pid for member in scene.house.members]
        for number in range(trials):
            async with traffic(scene.ledger, f"{number}", scene.chance, "email", "sms"):
                await asyncio.sleep(_TRAFFIC_SECONDS)
                scene.servers.postgres.stop_hard()
                answers += await _ask(scene, f"{number}-away", seconds)
                if seconds:
                    await scene.house.require("/healthz", 200)
                    await scene.house.require("/readyz", 503)
                scene.servers.postgres.start()
                await scene.accepts_again(_BACK_SECONDS)
        verdict = await scene.judge(trials, Allowed(unknown=trials * scene.in_flight * len(scene.house.workers)))
        _check_answers(verdict, answers)
        alive = [member.pid for member in scene.house.members if member.is_running]
        verdict.require(alive == pids, "a process ended while PostgreSQL was away")
        return verdict


async def _ask(scene: Scene, prefix: str, seconds: float) -> list[Answer]:
    """What posts get while there is no PostgreSQL."""
    until = time.monotonic() + seconds

    async def ask(asker: int) -> list[Answer]:
        got: list[Answer] = []
        while time.monotonic() < until:
            key = f"{prefix}-{asker}-{len(got)}"
            got.append(await scene.ledger.post(key, note(scene.chance, "email")))
        return got

    return [answer for one in await asyncio.gather(*map(ask, range(_ASKERS))) for answer in one]


def _check_answers(verdict: Verdict, answers: list[Answer]) -> None:
    if not answers:
        return
    odd = {answer.status for answer in answers} - {503}
    verdict.require(not odd, f"answers without PostgreSQL: {odd}")
    verdict.require(all(answer.retry_after for answer in answers if answer.status == 503), "503 without Retry-After")
    slowest = max(answer.seconds for answer in answers)
    verdict.require(slowest <= _ANSWER_SECONDS, f"an answer took {slowest:.1f} s")
    verdict.figures |= {"refused": len(answers), "slowest_answer_s": round(slowest, 1)}


ROWS: Final = (
    Row(
        name="F7 PostgreSQL ended, back at once",
        play=partial(end_postgres, seconds=0.0),
        short=1,
        long=10,
        modes=_SCALED,
        short_modes=_SCALED,
    ),
    Row(
        name="F7 PostgreSQL away for 30 s",
        play=partial(end_postgres, seconds=30.0),
        short=0,
        long=3,
        modes=_SCALED,
    ),
)
