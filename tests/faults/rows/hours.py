"""F18, F19 and F23 under quiet hours: clocks that are set, a daylight-saving gap at the opening, a STOP meanwhile."""

import asyncio
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note, post_all
from tests.faults.rig import Row, Scene, Stage
from tests.faults.stores import statuses_of
from tests.waiting import eventually

_HOUR: Final = timedelta(hours=1)
_SECOND: Final = timedelta(seconds=1)
_SECRET: Final = "of-the-mailbox-and-nobody-else"
_SETTLED_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 3.0
"""In which what is let go too early goes."""


async def step_over_opening(stage: Stage, trials: int) -> Verdict:
    """Nothing goes before the opening, whatever the clock does; what is held then goes, and what is due stays due."""
    opens = (datetime.now(UTC) + _HOUR).replace(second=0, microsecond=0)
    async with _scene(stage, forbid=[{"from": _wall(opens - 2 * _HOUR), "to": _wall(opens)}]) as scene:
        await _post(scene, "held", trials)
        await _held(scene, "held", trials)
        scene.house.step(-2 * _HOUR)
        await asyncio.sleep(_QUIET_SECONDS)
        early = len(scene.stub.accepts())
        scene.house.step(2 * _HOUR + (opens - datetime.now(UTC)) + _SECOND)
        await _all_gone(scene, "held")
        await _post(scene, "open", trials)
        await _all_gone(scene, "open")
        verdict: Verdict = await scene.judge(trials, Allowed(ahead=2 * _HOUR))
        verdict.require(early == 0, f"{early} went while the hours were closed")
        verdict.require(verdict.accepted == 2 * trials, f"{verdict.accepted} accepts of {2 * trials}")
        return verdict


_GAP_DAY: Final = datetime(2027, 3, 14, tzinfo=UTC)
"""In New York the clock goes from 02:00 to 03:00, which is 07:00 UTC."""
_GAP_END: Final = _GAP_DAY + timedelta(hours=7)


async def open_in_gap(stage: Stage, trials: int) -> Verdict:
    """An opening inside the gap moves to its end, and a window that lies wholly in it waits for the next day."""
    rules = [
        _rule("moved", "moved", allow=[{"from": "02:30", "to": "06:00"}]),
        _rule("skipped", "skipped", allow=[{"from": "02:10", "to": "02:50"}]),
    ]
    async with stage.scene(clocked=True, started=False, quiet_hours=rules, policy=_POLICY) as scene:
        _set(scene, _GAP_END - timedelta(minutes=5))
        await scene.house.start()
        for country in ("moved", "skipped"):
            await _post(scene, country, trials, country=_COUNTRY[country])
            await _held(scene, country, trials)
        before = len(scene.stub.accepts())
        _set(scene, _GAP_END + _SECOND)
        await _all_gone(scene, "moved")
        at_end = len(scene.stub.accepts())
        _set(scene, _GAP_END + timedelta(hours=4))
        await asyncio.sleep(_QUIET_SECONDS)
        same_day = len(scene.stub.accepts())
        _set(scene, _GAP_DAY + timedelta(days=1, hours=6, minutes=10, seconds=1))
        await _all_gone(scene, "skipped")
        verdict: Verdict = await scene.judge(2 * trials, Allowed(ahead=timedelta(days=400)))
        verdict.require(before == 0, f"{before} went before the gap ended")
        verdict.require(at_end == trials, f"{at_end} of {trials} went at the end of the gap")
        verdict.require(same_day == trials, f"{same_day - trials} went on a day on which their window does not occur")
        return verdict


async def stop_while_held(stage: Stage, trials: int) -> Verdict:
    """A STOP by text, or a suppression, while messages wait for an opening: at the opening only the others go."""
    opens = (datetime.now(UTC) + _HOUR).replace(second=0, microsecond=0)
    async with _scene(stage, forbid=[{"from": _wall(opens - 2 * _HOUR), "to": _wall(opens)}]) as scene:
        for number in range(trials):
            phone = f"+3361234{number:04}"
            to = {"phone": phone, "timezone": "Etc/UTC"}
            await post_all(scene.ledger, {f"text-{number}": {**note(scene.chance, "sms"), "to": to}})
        await _post(scene, "left", trials)
        await _post(scene, "stays", trials)
        for prefix in ("text", "left", "stays"):
            await _held(scene, prefix, trials)
        for number in range(trials):
            await _stop(scene, f"+3361234{number:04}", number)
            body = {"channel": "email", "address": f"left-{number}@example.org", "reason": "stop"}
            status, answer = await scene.house.post("/v1/suppressions", body)
            assert status in (200, 201), answer
        scene.house.step((opens - datetime.now(UTC)) + _SECOND)
        await _all_gone(scene, "stays")
        verdict: Verdict = await scene.judge(2 * trials, Allowed(statuses=("suppressed",), ahead=2 * _HOUR))
        stopped = await _statuses(scene, "text", "left")
        wanted = {"suppressed": 2 * trials}
        verdict.late += stopped.get("sent", 0) + stopped.get("delivered", 0)
        verdict.require(stopped == wanted, f"stopped while held: {stopped}, not {wanted}")
        return verdict


_POLICY: Final = {"packs": False, "release_over": "1s"}
_COUNTRY: Final = {"moved": "US", "skipped": "CA"}


def _rule(name: str, country: str, **windows: Any) -> dict[str, Any]:
    return {"name": name, "categories": ["transactional"], "countries": [_COUNTRY[country]], **windows}


def _scene(stage: Stage, **windows: Any) -> Any:
    rule = {"name": "closed", "categories": ["transactional"], **windows}
    mailbox = {"kind": "mailbox", "webhook_secret": _SECRET}
    return stage.scene(clocked=True, quiet_hours=[rule], policy=_POLICY, mailbox=mailbox)


def _wall(at: datetime) -> str:
    return f"{at:%H:%M}"


async def _post(scene: Scene, prefix: str, count: int, country: str | None = None) -> None:
    zone = "Etc/UTC" if country is None else "America/New_York"
    for number in range(count):
        to = {"email": f"{prefix}-{number}@example.org", "timezone": zone, "country": country}
        body = {**note(scene.chance, "email"), "to": {key: value for key, value in to.items() if value is not None}}
        await post_all(scene.ledger, {f"{prefix}-{number}": body})


async def _statuses(scene: Scene, *prefixes: str) -> dict[str, int]:
    messages = [id_ for key, id_ in scene.ledger.promised.items() if key.partition("-")[0] in prefixes]
    return await statuses_of(scene.house.view, messages)


async def _held(scene: Scene, prefix: str, count: int) -> None:
    await eventually(lambda: _statuses(scene, prefix), lambda found: found == {"held": count}, _SETTLED_SECONDS)


async def _all_gone(scene: Scene, prefix: str) -> None:
    await eventually(lambda: _statuses(scene, prefix), lambda found: set(found) == {"sent"}, _SETTLED_SECONDS)


def _set(scene: Scene, instant: datetime) -> None:
    """Set the clock of the gateway to an instant."""
    assert scene.house.clock is not None
    ahead = timedelta(seconds=float(scene.house.clock.read_text()))
    scene.house.step(instant - datetime.now(UTC) - ahead)


async def _stop(scene: Scene, phone: str, number: int) -> None:
    """STOP from a number, as a provider would tell of it; return when it was answered."""
    text = {"id": f"evt-{number}", "from": phone, "to": "+33700000000", "text": "STOP"}
    body, now = json.dumps(text).encode(), str(int(time.time())).encode()
    signature = hmac.new(_SECRET.encode(), now + b"." + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "Heliograph-Timestamp": now.decode(),
        "Heliograph-Signature": f"sha256={signature}",
    }
    web = scene.house.webs[0]
    async with scene.house.session.post(f"{web.url}/webhooks/mailbox", data=body, headers=headers) as response:
        assert response.status == 204, await response.text()


ROWS: Final = (
    Row(name="F18 clock stepped over an opening", play=step_over_opening, short=1, long=20),
    Row(name="F19 opening inside a DST gap", play=open_in_gap, short=0, long=10),
    Row(name="F23 STOP while held", play=stop_while_held, short=1, long=100),
)
