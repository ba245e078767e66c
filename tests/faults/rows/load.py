"""Load in place of a fault: codes over a backlog, more than can be handed over, and hours of everything at once.

The number of trials is what each says: messages of the backlog, seconds of overload, minutes of mixed load.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final

from tests.faults.judge import MOVING, Allowed, Verdict
from tests.faults.ledger import Answer, note
from tests.faults.rig import CONNECTIONS, Row, Scene, Stage
from tests.faults.rows.answers import pin
from tests.faults.rows.races import post_backlog
from tests.faults.stores import statuses
from tests.faults.stub import Manner
from tests.faults.watch import Watch
from tests.waiting import eventually

_CODES: Final = 200
_CODES_A_SECOND: Final = 10
_CODE_SECONDS: Final = 2.0
_WHOLE: Final = 20_000
"""A longer backlog is not waited for: the codes are what counts."""
_CALL_SECONDS: Final = 0.1
_TIMES: Final = 5
_BACKLOG_SECONDS: Final = 2.5
"""Shorter than what is shed."""
_REFUSAL_SECONDS: Final = 0.05
_GOODPUT: Final = 0.8
_MOST_GROWTH: Final = 1.10
_CALLERS: Final = 16
_FLAT_OUT_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.5
_LOAD: Final = 0.5
"""Of the mix's capacity."""

Step = Callable[[], Coroutine[Any, Any, None]]


async def codes_over_backlog(stage: Stage, trials: int) -> Verdict:
    """Everything falls due at one instant; one-time codes posted after it are at their provider within 2 s (p99)."""
    async with stage.scene() as scene:
        due = await post_backlog(scene, trials)
        await asyncio.sleep(max((due - datetime.now(UTC)).total_seconds(), 0))
        codes = {f"code-{number}": pin() for number in range(_CODES)}
        for key, body in codes.items():
            await scene.ledger.post(key, body)
            await asyncio.sleep(1 / _CODES_A_SECOND)
        promised = [scene.ledger.promised[key] for key in codes]
        await scene.settled(promised, 60)
        waits = await _waits(scene, promised)
        p99 = waits[int(len(waits) * 0.99)]
        verdict = Verdict(trials=trials, promised=len(scene.ledger.promised))
        if trials <= _WHOLE:
            verdict = await scene.judge(trials, seconds=600)
        verdict.require(len(waits) == _CODES, f"{len(waits)} of {_CODES} codes reached the provider")
        verdict.require(p99 <= _CODE_SECONDS, f"p99 of the codes {p99:.2f} s")
        verdict.figures |= {"codes_p50_s": round(waits[len(waits) // 2], 2), "codes_p99_s": round(p99, 2)}
        return verdict


async def _waits(scene: Scene, messages: list[str]) -> list[float]:
    """Seconds from accept to the provider, in order."""
    named = ", ".join(f"'{message}'" for message in messages)
    rows = await scene.house.view.rows(f"SELECT id, created_at FROM deliveries WHERE message_id IN ({named})")
    created = {row[0]: row[1] / 1e6 for row in rows}
    accepts = scene.stub.accepts()
    return sorted(one.at - created[one.delivery] for one in accepts if one.delivery in created)


async def overload(stage: Stage, trials: int) -> Verdict:
    """Five times what the provider takes, for so many seconds: the rest is refused quickly, and goodput holds."""
    async with stage.scene(delivery={"shed_after": "3s"}) as scene:
        await scene.stub.behave(Manner.DELAY, seconds=_CALL_SECONDS)
        capacity = await _capacity(scene, CONNECTIONS / _CALL_SECONDS * len(scene.house.workers))
        watch = Watch(scene.house)
        answers: list[Answer] = []

        async def post(number: int) -> None:
            answers.append(await scene.ledger.post(f"{number}", note(scene.chance, "email")))

        async with asyncio.TaskGroup() as posts:
            began, before = time.monotonic(), len(scene.stub.accepts())
            for number in range(int(trials * capacity * _TIMES)):
                await asyncio.sleep(max(began + number / (capacity * _TIMES) - time.monotonic(), 0))
                posts.create_task(post(number))
                watch.look_each(1.0)
            taken_by = time.monotonic()
            goodput = (len(scene.stub.accepts()) - before) / (taken_by - began)
        verdict = await _judge_promised(scene, trials)
        refused = sorted(answer.seconds for answer in answers if answer.status in (429, 503))
        verdict.require(bool(refused), "nothing was refused")
        verdict.require(goodput >= _GOODPUT * capacity, f"{goodput:.0f} a second of {capacity:.0f}")
        if refused:
            p99 = refused[int(len(refused) * 0.99)]
            verdict.require(p99 <= _REFUSAL_SECONDS, f"p99 of the refusals {p99 * 1000:.0f} ms")
            verdict.figures |= {"refused": len(refused), "refusal_p99_ms": round(p99 * 1000)}
        verdict.figures |= {"capacity": round(capacity), "goodput": round(goodput / capacity, 2), **watch.growth()}
        return verdict


async def _capacity(scene: Scene, guess: float) -> float:
    """What is handed over in a second while nobody posts; `guess` is what the calls alone would allow."""
    count_of = int(guess * _BACKLOG_SECONDS)
    await scene.ledger.post_batch({f"before-{number}": note(scene.chance, "email") for number in range(count_of)})

    async def accepts() -> list[float]:
        return sorted(one.at for one in scene.stub.accepts())

    seen = await eventually(accepts, lambda found: len(found) == count_of, 120)
    first, last = int(0.1 * count_of), int(0.9 * count_of)
    return (last - first) / (seen[last] - seen[first])


async def _judge_promised(scene: Scene, trials: int) -> Verdict:
    """What was refused is not repeated: the caller was told."""
    scene.ledger.uncertain.clear()
    return await scene.judge(trials, seconds=300)


async def mix(stage: Stage, trials: int) -> Verdict:
    """Minutes of posts, batches, cancels, reads and changed templates, at half of what is handed over flat out.

    Memory, descriptors and WAL do not grow, and nothing answers with an error.
    """
    async with stage.scene() as scene:
        watch, numbers = Watch(scene.house), count()
        steps: list[Step] = [
            *[partial(_post, scene, numbers)] * 10,
            *[partial(_post_batch, scene, numbers)] * 2,
            partial(_cancel, scene, numbers),
            *[partial(_read, scene)] * 6,
            partial(_change_template, scene, numbers),
        ]
        rate = await _mix_capacity(scene, steps) * _LOAD
        began, made = time.monotonic(), 0
        async with asyncio.TaskGroup() as running:
            while (now := time.monotonic()) < began + trials * 60:
                await asyncio.sleep(max(began + made / rate - now, 0))
                running.create_task(scene.chance.choice(steps)())
                made += 1
                watch.look_each(2.0)
        verdict = await scene.judge(trials, Allowed(statuses=("cancelled",)), seconds=120)
        growth = watch.growth()
        verdict.figures |= {"steps_a_second": round(made / (trials * 60)), "of": round(rate), **growth}
        for name, factor in growth.items():
            verdict.require(factor <= _MOST_GROWTH, f"{name} grew to {factor:.2f} times")
        return verdict


async def _mix_capacity(scene: Scene, steps: Sequence[Step]) -> float:
    """Steps a second of callers that never pause, until the last delivery that they asked for has settled."""
    began = time.monotonic()

    async def call() -> int:
        made = 0
        while time.monotonic() < began + _FLAT_OUT_SECONDS:
            await scene.chance.choice(steps)()
            made += 1
        return made

    done = sum(await asyncio.gather(*[call() for _ in range(_CALLERS)]))

    look = partial(statuses, scene.house.view)
    # Seldom: to count them takes of what is measured.
    await eventually(look, lambda found: not MOVING & found.keys(), 10 * _FLAT_OUT_SECONDS, pause=_LOOK_SECONDS)
    return done / (time.monotonic() - began)


async def _post(scene: Scene, numbers: "count[int]") -> None:
    await scene.ledger.post(f"one-{next(numbers)}", note(scene.chance, "email", "sms", "push"))


async def _post_batch(scene: Scene, numbers: "count[int]") -> None:
    await scene.ledger.post_batch({f"many-{next(numbers)}": note(scene.chance, "email", "sms") for _ in range(10)})


async def _cancel(scene: Scene, numbers: "count[int]") -> None:
    """One that is still to come: it can always be taken back."""
    key, send_at = f"taken-back-{next(numbers)}", (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {**note(scene.chance, "email"), "send_at": send_at.replace("+00:00", "Z")}
    if (await scene.ledger.post(key, body)).status != 202:
        scene.house.broken.append(f"{key} was not taken")
        return
    status, told = await scene.house.post(f"/v1/messages/{scene.ledger.promised[key]}/cancel", {})
    if status != 200:
        scene.house.broken.append(f"cancel got {status}: {told}")


async def _read(scene: Scene) -> None:
    chance: random.Random = scene.chance
    known = list(scene.ledger.promised.values())
    path = f"/v1/messages/{chance.choice(known)}" if known else "/v1/messages?limit=20"
    status, told = await scene.house.get(path)
    if status != 200:
        scene.house.broken.append(f"{path} got {status}: {told}")


async def _change_template(scene: Scene, numbers: "count[int]") -> None:
    file = scene.house.folder / "templates" / "note" / "sms" / "body.txt"
    file.write_text(f"Note {next(numbers)}: {{{{ text }}}}", encoding="utf-8")


ROWS: Final = (
    Row(name="L1 codes over a backlog", play=codes_over_backlog, short=0, long=20_000),
    Row(name="L2 five times too much", play=overload, short=0, long=30),
    Row(name="L3 minutes of mixed load", play=mix, short=0, long=60),
)
