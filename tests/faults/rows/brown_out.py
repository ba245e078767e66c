"""F12: a provider that fails three of ten and takes its time over every answer, beside others that are well."""

import asyncio
import time
from functools import partial
from typing import Final

from tests.faults.judge import Verdict
from tests.faults.ledger import Answer, note
from tests.faults.rig import Row, Scene, Stage
from tests.faults.stub import Manner, Point
from tests.waiting import eventually

_SHARE: Final = 0.3
_OPENS_WITHIN: Final = 20
_MOST_CALLS: Final = 1.2
"""For each message."""
_TIMES: Final = 3.0
"""What others, and the accept path, may take beside what they took before; less than this is noise:"""
_OTHERS_SECONDS: Final = 2.0
_ACCEPT_SECONDS: Final = 1.0
_PROBE_SECONDS: Final = 10.0
_PASSES: Final = 1.5
"""Over so many answers of the slow provider the messages are spread."""


async def brown_out(stage: Stage, trials: int, *, seconds: float, slow_after: float) -> Verdict:
    """Every other message is for another channel; what the slow provider does not take goes to the next relay."""
    delivery = {"slow_after": f"{int(slow_after * 1000)}ms"}
    async with stage.scene(relays=2, timeout_seconds=2 * seconds, delivery=delivery) as scene:
        before = await _post(scene, "before", trials // 4, 0.0)
        calls_before = await _calls(scene)
        await scene.stub.behave(Manner.REFUSE, code=451, share=_SHARE, pause=seconds)
        began = time.monotonic()
        during = await _post(scene, "during", trials, seconds * _PASSES)
        await eventually(lambda: _is_left_alone(scene), bool, 60)
        verdict = await scene.judge(trials, seconds=4 * seconds + 60)
        passed = time.monotonic() - began
        slow, well = (now - then for now, then in zip(await _calls(scene), calls_before, strict=True))
        most = _OPENS_WITHIN + len(scene.house.workers) * passed / _PROBE_SECONDS
        mails = trials - trials // 2
        verdict.require(slow <= most, f"{slow} calls to the slow one in {passed:.0f} s, more than {most:.0f}")
        verdict.require(slow + well <= _MOST_CALLS * mails, f"{slow + well} calls for {mails} messages")
        await _judge_others(scene, verdict)
        _judge_accepting(verdict, before, during)
        verdict.figures |= {"calls_to_slow": slow, "most": int(most), "calls": slow + well, "mails": mails}
        return verdict


async def _calls(scene: Scene) -> list[int]:
    return [await stub.reached(Point.RECEIVED) for stub in (scene.stub, *scene.others)]


async def _is_left_alone(scene: Scene) -> bool:
    """Whether a worker says so."""
    line = f'heliograph_providers_resting{{provider="{scene.stub.name}"}} 1.0'
    for worker in scene.house.workers:
        async with scene.house.session.get(f"{worker.url}/metrics") as response:
            if line in await response.text():
                return True
    return False


async def _post(scene: Scene, prefix: str, messages: int, seconds: float) -> list[Answer]:
    """Post so many, e-mail and text in turn, spread evenly over so long."""
    began, answers = time.monotonic(), []
    for number in range(messages):
        await asyncio.sleep(max(began + seconds * number / messages - time.monotonic(), 0))
        channel = ("email", "sms")[number % 2]
        answers.append(await scene.ledger.post(f"{prefix}-{number}", note(scene.chance, channel)))
    return answers


async def _judge_others(scene: Scene, verdict: Verdict) -> None:
    """Texts go by another provider: none of them may wait for the slow one."""
    query = "SELECT message_id, created_at, updated_at FROM deliveries WHERE channel = 'sms'"
    took = {row[0]: (row[2] - row[1]) / 1e6 for row in await scene.house.view.rows(query)}
    promised = scene.ledger.promised
    usual, now = (
        _p95([took[message] for key, message in promised.items() if key.startswith(prefix) and message in took])
        for prefix in ("before", "during")
    )
    verdict.require(now <= max(_TIMES * usual, _OTHERS_SECONDS), f"the others took {now:.1f} s, before {usual:.1f}")
    verdict.figures |= {"others_p95_s": round(now, 2), "others_before_s": round(usual, 2)}


def _judge_accepting(verdict: Verdict, before: list[Answer], during: list[Answer]) -> None:
    usual, now = (_p95([one.seconds for one in some]) for some in (before, during))
    verdict.require(now <= max(_TIMES * usual, _ACCEPT_SECONDS), f"accepting took {now:.2f} s, before {usual:.2f}")
    verdict.figures |= {"accept_p95_ms": round(now * 1000), "accept_before_ms": round(usual * 1000)}


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


ROWS: Final = (
    Row(
        name="F12 brown-out",
        play=partial(brown_out, seconds=2.0, slow_after=0.4),
        short=100,
        long=0,
    ),
    Row(
        name="F12 brown-out, 30 s an answer",
        play=partial(brown_out, seconds=30.0, slow_after=5.0),
        short=0,
        long=300,
    ),
)
