"""F27: killed at random while people are asked to confirm and do so: no line without its message, and none twice."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from tests.faults.house import GONE, House
from tests.faults.judge import Verdict
from tests.faults.rig import Row, Scene, Stage
from tests.serving import run_command
from tests.waiting import eventually

_SHORTEST, _LONGEST = 0.02, 0.4
"""Seconds of traffic before a kill."""
_PEOPLE: Final = 24
_PATIENCE_SECONDS: Final = 60.0
_TO_MAILBOX: Final = [{"channel": channel, "providers": ["mailbox"]} for channel in ("email", "sms", "push")]
_PENDING: Final = {"channel": "email", "topic": "newsletter", "state": "pending", "source": "form"}


async def kill_in_double_opt_in(stage: Stage, trials: int) -> Verdict:
    """Every request is repeated until it is answered; what a kill cut off is whole or was never there."""
    async with stage.scene(started=False, content={}, routes=_TO_MAILBOX) as scene:
        for trial in range(trials):
            people = [f"user-{trial}-{number}" for number in range(_PEOPLE)]
            await _under_kill(scene, [_asked(scene.house, person) for person in people])
            links = await eventually(partial(_links, scene.house), partial(_are_all, _known(trial)), _PATIENCE_SECONDS)
            await _under_kill(scene, [_confirmed(scene.house, links[person]) for person in people])
        return await _judge(scene.house, trials)


def _are_all(wanted: int, found: Mapping[str, str]) -> bool:
    return len(found) == wanted


def _known(trial: int) -> int:
    return (trial + 1) * _PEOPLE


async def _under_kill(scene: Scene, work: list[Awaitable[None]]) -> None:
    """All of it at once, while a process dies under it and comes back."""
    house = scene.house
    await house.restart()
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.sleep(scene.chance.uniform(_SHORTEST, _LONGEST))
    await house.kill(scene.chance.choice(house.members))
    await house.restart()
    await asyncio.gather(*tasks)


async def _asked(house: House, person: str) -> None:
    path = f"/v1/recipients/{person}"
    await _insist(partial(_call, house, "PUT", path, {"email": f"{person}@example.org"}))
    await _insist(partial(_call, house, "PUT", f"{path}/consents", {"consents": [_PENDING]}))


async def _confirmed(house: House, link: str) -> None:
    await _insist(partial(_call, house, "POST", link, None))


async def _insist(call: Callable[[], Awaitable[bool]]) -> None:
    await eventually(call, bool, _PATIENCE_SECONDS)


async def _call(house: House, method: str, path: str, body: Any) -> bool:
    web = next((member for member in house.webs if member.is_running), house.webs[0])
    headers = house.headers if body is not None else {}
    data = {"confirm": "1"} if body is None else None
    try:
        async with house.session.request(
            method, f"{web.url}{path}", json=body, data=data, headers=headers, allow_redirects=False
        ) as response:
            if response.status >= 400 and response.status not in (409, 503):
                house.broken.append(f"{method} {path} got {response.status}: {await response.text()}")
            return response.status < 400
    except GONE:
        return False


async def _links(house: House) -> dict[str, str]:
    """The path of the link that each person was sent."""
    found: dict[str, str] = {}
    for to, content in await house.view.rows('SELECT "to", CAST(content AS TEXT) FROM mailbox'):
        link = re.search(r"/u/cns_[\w.-]+", json.loads(content)["text"])
        assert link
        found[to.partition("@")[0]] = link.group()
    return found


async def _judge(house: House, trials: int) -> Verdict:
    verdict = Verdict(trials=2 * trials, problems=[*house.broken])
    lines = await house.view.rows("SELECT id, recipient_id, state, CAST(evidence AS TEXT) FROM consents")
    pending = {row[0]: json.loads(row[3]) for row in lines if row[2] == "pending"}
    asking = await house.view.rows("SELECT id, CAST(metadata AS TEXT) FROM messages")
    by_line = {json.loads(metadata)["consent_id"]: message for message, metadata in asking}
    granted = [row[1] for row in lines if row[2] == "granted"]
    verdict.promised, verdict.accepted = _known(trials - 1), len(await house.view.rows("SELECT 1 FROM mailbox"))
    verdict.require(len(pending) == verdict.promised, f"{len(pending)} pending lines")
    verdict.require(len(asking) == len(by_line) == verdict.accepted == verdict.promised, f"{len(asking)} messages")
    verdict.require(
        {line: evidence["confirmation_message"] for line, evidence in pending.items()} == by_line,
        "a line without its message, or a message without its line",
    )
    verdict.require(sorted(granted) == sorted({row[1] for row in lines}), "not exactly one grant for each person")
    checked = await run_command("consents", "verify", environment=house.environment)
    verdict.require(checked.status == 0, f"the ledger is not whole: {checked.out}{checked.err}")
    return verdict


ROWS: Final = (Row(name="F27 kill in double opt-in", play=kill_in_double_opt_in, short=1, long=30),)
