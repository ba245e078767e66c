"""F12, F13, F14 and F23: providers that fail, that answer nothing one can use, that are all down; and a late STOP."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note, post_all
from tests.faults.rig import Row, Scene, Stage
from tests.faults.stores import statuses
from tests.faults.stub import Manner, Point
from tests.waiting import eventually

_LOST: Final = (Manner.DROP, Manner.GARBAGE, Manner.RESET, Manner.HANG)
_SLOW: Final = (Manner.DELAY, Manner.DRIP)
_SHARE: Final = 0.3
_AT_ONCE: Final = 10
_OPENS_AFTER: Final = 20
_CODE_SECONDS: Final = 3.0
_DOWN_SECONDS: Final = 5.0


async def brown_out(stage: Stage, trials: int) -> Verdict:
    """F12: the first provider turns everything away; after a few calls it is left alone and the second serves."""
    async with stage.scene(relays=2) as scene:
        await scene.stub.behave(Manner.REFUSE, code=451)
        for start in range(0, trials, _AT_ONCE):
            await post_all(scene.ledger, {f"{start + n}": note(scene.chance, "email") for n in range(_AT_ONCE)})
        verdict = await scene.judge(trials)
        calls = await scene.stub.reached(Point.RECEIVED)
        # Each worker learns by itself, and some calls are under way when it has learnt.
        most = (_OPENS_AFTER + scene.in_flight) * len(scene.house.workers)
        verdict.require(calls <= most, f"{calls} calls to a provider that fails, more than {most}")
        verdict.figures["calls_to_failing"] = calls
        return verdict


async def lose_answers(stage: Stage, trials: int, *, resend: bool = False) -> Verdict:
    """F13: a part of the messages is taken, or not, and the answer never comes; others are answered slowly."""
    policy = {"on_unknown": {"transactional": "resend"}} if resend else {}
    async with stage.scene(delivery={"unknown_after": "1s", **policy}) as scene:
        for manner in (*_LOST, *_SLOW):
            await scene.stub.behave(manner, share=1.0 if manner in _SLOW else _SHARE, seconds=0.2)
            for start in range(0, trials, _AT_ONCE):
                bodies = {f"{manner}-{start + n}": note(scene.chance, "email") for n in range(_AT_ONCE)}
                await post_all(scene.ledger, bodies)
                await eventually(lambda: statuses(scene.house.view), _is_handed_over, 60)
        await scene.stub.behave()
        hit = trials * len(_LOST)
        allowed = Allowed(unknown=0 if resend else hit, duplicate=hit if resend else 0, resends=resend)
        return await scene.judge(trials * (len(_LOST) + len(_SLOW)), allowed, seconds=120)


def _is_handed_over(found: dict[str, int]) -> bool:
    return not {"accepted", "claimed", "sending"} & set(found)


async def all_down(stage: Stage, trials: int) -> Verdict:
    """F14: nobody answers; what may wait waits, one-time codes run out, and nothing stale goes out afterwards."""
    async with stage.scene(relays=2) as scene:
        for stub in (scene.stub, *scene.others):
            await stub.tell(away=True)
        ends = datetime.now(UTC) + timedelta(seconds=_CODE_SECONDS)
        await post_all(scene.ledger, {f"note-{n}": note(scene.chance, "email") for n in range(trials)})
        await post_all(scene.ledger, {f"code-{n}": pin(ends) for n in range(trials)})
        await asyncio.sleep(_DOWN_SECONDS)
        for stub in (scene.stub, *scene.others):
            await stub.tell(away=False)
        verdict = await scene.judge(trials * 2, Allowed(statuses=("expired",)), seconds=120)
        verdict.require(verdict.accepted == trials, f"{verdict.accepted} accepts of {trials} that may still go")
        return verdict


def pin(expires_at: datetime | None = None) -> dict[str, Any]:
    """A one-time code by e-mail."""
    body: dict[str, Any] = {"template": "pin", "data": {"code": "908172"}, "to": {"email": "amina@example.org"}}
    return body if expires_at is None else {**body, "expires_at": expires_at.isoformat().replace("+00:00", "Z")}


async def stop_while_queued(stage: Stage, trials: int) -> Verdict:
    """F23: an address is suppressed while messages to it wait for their provider."""
    async with stage.scene() as scene:
        await scene.stub.tell(away=True)
        for number in range(trials):
            body = note(scene.chance, "email")
            body["to"] = {"email": f"person-{number}@example.org"}
            await post_all(scene.ledger, {f"{number}": body})
        told = await asyncio.gather(*[_suppress(scene, number) for number in range(trials)])
        await scene.stub.tell(away=False)
        verdict = await scene.judge(trials, Allowed(statuses=("suppressed",)))
        after = {f"person-{number}@example.org": at + 1 for number, at in enumerate(told)}
        late = sum(accept.at > after[accept.to] for accept in scene.stub.accepts())
        verdict.late += late
        verdict.require(late == 0, f"{late} accepts more than a second after the STOP")
        return verdict


async def _suppress(scene: Scene, number: int) -> float:
    body = {"channel": "email", "address": f"person-{number}@example.org", "reason": "stop"}
    status, answer = await scene.house.post("/v1/suppressions", body)
    assert status in (200, 201), answer
    return time.time()


ROWS: Final = (
    Row(name="F12 provider turns all away", play=brown_out, short=0, long=300),
    Row(name="F13 answers lost or slow", play=lose_answers, short=0, long=100),
    Row(name="F13 answers lost, resend", play=lambda stage, n: lose_answers(stage, n, resend=True), short=0, long=50),
    Row(name="F14 all providers down", play=all_down, short=0, long=300),
    Row(name="F23 STOP while queued", play=stop_while_queued, short=0, long=200),
)
