"""F22: many messages to one person at once under a cap of three, under kills and failures: three, and never four."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any, Final

from tests.faults.judge import MOVING, Allowed, Verdict
from tests.faults.ledger import note
from tests.faults.rig import Row, Scene, Stage
from tests.faults.stores import statuses_of
from tests.faults.stub import Manner
from tests.waiting import eventually

_LIMIT: Final = 3
_AT_ONCE: Final = 64
_WORKERS: Final = 4
_CAP: Final = {"name": "three", "limit": _LIMIT, "per": "1h", "categories": ["transactional"], "over": "defer"}
_SHORTEST, _LONGEST = 0.05, 0.8
"""Seconds from the first post to a kill."""
_GONE: Final = frozenset({"sent", "unknown"})
"""What holds a slot: it went, or may have gone."""
_SETTLED_SECONDS: Final = 90.0


async def race_under_kills(stage: Stage, trials: int) -> Verdict:
    """Workers die while they take slots: what went and what may have gone come to the limit, and the rest waits."""
    async with _scene(stage) as scene:
        await scene.stub.behave(Manner.DELAY, seconds=0.3)
        verdict = Verdict()
        for number in range(trials):
            posting = asyncio.create_task(_post(scene, number))
            await asyncio.sleep(scene.chance.uniform(_SHORTEST, _LONGEST))
            await scene.house.kill(scene.chance.choice(scene.house.workers))
            await scene.house.restart()
            await posting
            await scene.ledger.settle()
            await _require_limit(scene, number, verdict)
        await _take_back(scene)
        verdict.add(await scene.judge(trials, Allowed(unknown=trials * _LIMIT, statuses=("cancelled",))))
        return verdict


async def race_under_failures(stage: Stage, trials: int) -> Verdict:
    """The provider refuses every second message for good: its slot goes to one that waits, until three have gone."""
    async with _scene(stage) as scene:
        await scene.stub.behave(Manner.REFUSE, share=0.5, code=554)
        verdict = Verdict()
        for number in range(trials):
            await _post(scene, number)
            found = await _require_limit(scene, number, verdict)
            verdict.require(found["sent"] == _LIMIT, f"person {number}: {found['sent']} went of {_LIMIT} allowed")
        await _take_back(scene)
        verdict.add(await scene.judge(trials, Allowed(statuses=("cancelled", "failed"))))
        return verdict


def _scene(stage: Stage) -> Any:
    return stage.scene(workers=_WORKERS if stage.mode == "scaled" else 1, frequency_caps=[_CAP])


async def _post(scene: Scene, number: int) -> None:
    body = note(scene.chance, "email")
    body["to"] = {"id": f"person-{number}", "email": f"person-{number}@example.org"}
    # Who is killed meanwhile answers nothing: those are repeated with their keys.
    await asyncio.gather(*[scene.ledger.post(f"{number}-{one}", body) for one in range(_AT_ONCE)])


async def _require_limit(scene: Scene, number: int, verdict: Verdict) -> Counter[str]:
    """Wait until nobody moves but who waits for a slot, and count."""
    messages = [id_ for key, id_ in scene.ledger.promised.items() if key.startswith(f"{number}-")]
    look = partial(statuses_of, scene.house.view, messages)
    moving = (MOVING | {"claimed"}) - {"held"}

    def is_settled(found: dict[str, int]) -> bool:
        gone = sum(found.get(status, 0) for status in _GONE)
        return not moving & set(found) and (gone >= _LIMIT or not found.get("held"))

    settled: dict[str, int] = await eventually(look, is_settled, _SETTLED_SECONDS)
    found = Counter(settled)
    gone = sum(found[status] for status in _GONE)
    verdict.require(gone == _LIMIT, f"person {number}: {gone} went or may have gone of {_LIMIT}: {dict(found)}")
    accepts = sum(accept.to == f"person-{number}@example.org" for accept in scene.stub.accepts())
    verdict.require(accepts <= _LIMIT, f"person {number}: the provider took {accepts} of {_LIMIT}")
    return found


async def _take_back(scene: Scene) -> None:
    """Cancel what waits for a slot: it would wait for an hour."""
    status, page = await scene.house.get("/v1/messages?status=held&limit=200")
    while status == 200 and page["items"]:
        for message in page["items"]:
            await scene.house.post(f"/v1/messages/{message['id']}/cancel", {})
        status, page = await scene.house.get("/v1/messages?status=held&limit=200")


ROWS: Final = (
    Row(name="F22 cap of three, killed", play=race_under_kills, short=1, long=100),
    Row(name="F22 cap of three, failures", play=race_under_failures, short=0, long=100),
)
