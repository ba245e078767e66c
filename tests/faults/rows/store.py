"""F8: somebody else holds the store's lock for seconds; callers are turned away in time and nothing hangs."""

import asyncio
import time
from typing import Final

from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import Answer, note
from tests.faults.rig import Row, Stage

_LOCKED_SECONDS: Final = 12.0
_ANSWER_SECONDS: Final = 10.0
_RECOVERY_SECONDS: Final = 15.0
_CALLERS: Final = 16


async def lock_store(stage: Stage, trials: int) -> Verdict:
    """Posts during the lock get 503 with Retry-After within ten seconds; afterwards they are taken again."""
    async with stage.scene() as scene:
        house, ledger = scene.house, scene.ledger
        answers: list[Answer] = []

        async def call(prefix: str, until: float) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                answers.append(await ledger.post(f"{prefix}-{number}", note(scene.chance, "email", "sms")))

        for trial in range(trials):
            until = time.monotonic() + _LOCKED_SECONDS
            callers = [asyncio.create_task(call(f"{trial}-{one}", until)) for one in range(_CALLERS)]
            async with house.view.stalled():
                await asyncio.sleep(_LOCKED_SECONDS / 2)
                began = time.monotonic()
                status, _ = await house.get("/healthz")
                if status != 200 or time.monotonic() - began > 1:
                    house.broken.append(f"/healthz {status} after {time.monotonic() - began:.1f} s")
                await asyncio.sleep(_LOCKED_SECONDS / 2)
            await asyncio.gather(*callers)
            await scene.accepts_again(_RECOVERY_SECONDS)
        verdict = await scene.judge(trials, Allowed(unknown=trials * scene.in_flight))
        refused = [answer for answer in answers if answer.status == 503]
        verdict.require(bool(refused), "nobody was turned away: the lock did not bite")
        verdict.require(all(answer.retry_after for answer in refused), "503 without Retry-After")
        slowest = max(answer.seconds for answer in answers)
        verdict.require(slowest <= _ANSWER_SECONDS, f"an answer took {slowest:.1f} s")
        verdict.figures |= {"refused": len(refused), "slowest_answer_s": round(slowest, 1)}
        return verdict


ROWS: Final = (Row(name="F8 store locked by another", play=lock_store, short=0, long=5),)
