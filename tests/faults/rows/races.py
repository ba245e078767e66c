"""F11 and F24: four workers on one backlog, and one key posted from everywhere at once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from tests.faults.judge import Verdict
from tests.faults.ledger import note
from tests.faults.rig import Row, Scene, Stage
from tests.waiting import eventually

_WORKERS: Final = 4
_BATCH: Final = 500
_ACCEPTED_A_SECOND: Final = 400
_START_SECONDS: Final = 20
_POSTS: Final = 64


async def race_for_backlog(stage: Stage, trials: int) -> Verdict:
    """F11: everything falls due at one instant, for four workers and their sweeps: each delivery is taken once."""
    async with stage.scene(workers=_WORKERS, started=False) as scene:
        first = scene.house.webs[0]
        await scene.house.start(*[member for member in scene.house.webs if stage.mode != "embedded" or member is first])
        await post_backlog(scene, trials)
        await scene.house.restart()
        verdict = await scene.judge(trials, seconds=300 + trials / 20)
        verdict.require(verdict.accepted == trials, f"{verdict.accepted} accepts of {trials}")
        return verdict


async def post_backlog(scene: Scene, messages: int) -> datetime:
    """Post so many e-mails that all fall due at one instant, some seconds from the last post; that instant."""
    due = datetime.now(UTC) + timedelta(seconds=_START_SECONDS + messages / _ACCEPTED_A_SECOND)
    send_at = due.isoformat().replace("+00:00", "Z")
    for start in range(0, messages, _BATCH):
        many = range(start, min(start + _BATCH, messages))
        bodies = {f"{number}": {**note(scene.chance, "email"), "send_at": send_at} for number in many}
        await eventually(partial(scene.ledger.post_batch, bodies), bool, 60)
    return due


async def race_for_key(stage: Stage, trials: int) -> Verdict:
    """F24: 64 posts with one key and two bodies: one is taken, all others are its replay, 409 or 422."""
    async with stage.scene(workers=2) as scene:
        verdict = Verdict()
        seen: Counter[str] = Counter()
        for trial in range(trials):
            bodies = [note(scene.chance, "sms"), note(scene.chance, "push")]
            posts = [partial(scene.ledger.post, f"{trial}", bodies[one % 2]) for one in range(_POSTS)]
            answers = await asyncio.gather(*[post() for post in posts])
            told = Counter(f"{a.status}{' replayed' if a.replayed else ''}" for a in answers)
            seen += told
            verdict.require(told["202"] == 1, f"{told['202']} answers without Idempotent-Replayed")
            odd = set(told) - {"202", "202 replayed", "409", "422"}
            verdict.require(not odd, f"answers {odd}")
        # The other body's 422 is what must come, and no broken promise.
        scene.ledger.broken = [line for line in scene.ledger.broken if " got 422" not in line]
        verdict.add(await scene.judge(trials))
        verdict.figures |= {name.replace(" ", "_"): count for name, count in sorted(seen.items())}
        return verdict


ROWS: Final = (
    Row(name="F11 four workers, one backlog", play=race_for_backlog, short=200, long=5_000),
    Row(name="F24 one key, 64 posts", play=race_for_key, short=0, long=200),
)
