"""Letters through a postman, what he tells of them, and the judge of what the gateway made of it."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.faults.house import House
from tests.faults.judge import Verdict
from tests.faults.ledger import note, post_all
from tests.faults.postman import Call, Letter, Postman, insist, open_postman
from tests.faults.rig import Scene, Stage
from tests.waiting import eventually

COPIES: Final = 50
_AT_ONCE: Final = 16
_SHORTEST, _LONGEST = 0.05, 0.5
"""Seconds of traffic before a kill."""
PATIENCE_SECONDS: Final = 120.0
BOUNCE: Final = {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 user unknown"}


@asynccontextmanager
async def furnished(stage: Stage, **how: Any) -> AsyncIterator[tuple[Scene, Postman]]:
    """A gateway whose e-mail goes to a postman."""
    async with open_postman() as postman, stage.scene(**postman.sections, **how) as scene:
        yield scene, postman


async def send_letters(scene: Scene, postman: Postman, prefix: str, number: int) -> list[Letter]:
    """Send so many, and wait until their provider has answered for each."""
    known = set(postman.letters)
    await post_all(scene.ledger, {f"{prefix}-{n}": letter_to(scene, f"{prefix}-{n}") for n in range(number)})
    await eventually(lambda: count(scene.house, "sent"), lambda found: found >= number, PATIENCE_SECONDS)
    return [letter for delivery, letter in postman.letters.items() if delivery not in known]


def letter_to(scene: Scene, name: str) -> dict[str, Any]:
    """A message to somebody of that name."""
    body = note(scene.chance, "email")
    body["to"] = {"id": name, "email": f"{name}@example.org"}
    return body


async def count(house: House, status: str) -> int:
    """How many deliveries stand there."""
    ((found,),) = await house.view.rows(f"SELECT count(*) FROM deliveries WHERE status = '{status}'")
    return int(found)


def events_of(letter: Letter, kinds: Iterable[str]) -> list[dict[str, Any]]:
    """Events of these kinds."""
    return [letter.event(kind, **(BOUNCE if kind == "bounce" else {})) for kind in kinds]


def batches(postman: Postman, events: list[dict[str, Any]], chance: random.Random, **how: Any) -> list[Call]:
    """Each event fifty times, all in random order, in calls of up to twenty."""
    copies, calls = events * COPIES, []
    chance.shuffle(copies)
    while copies:
        size = chance.randint(1, 20)
        calls.append(postman.sign(copies[:size], **how))
        del copies[:size]
    return calls


async def tell_all(house: House, calls: Sequence[Call]) -> None:
    """Post all calls, some at once, until each was taken."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def tell(call: Call) -> None:
        async with turn:
            await insist(house, call)

    await asyncio.gather(*map(tell, calls))


async def under_kill(scene: Scene, work: Awaitable[None]) -> None:
    """The work, while a process dies under it and comes back."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(scene.chance.uniform(_SHORTEST, _LONGEST))
    await scene.house.kill(scene.chance.choice(scene.house.members))
    await scene.house.restart()
    await task


async def _events_of_receipts(house: House) -> Counter[tuple[str, str, str]]:
    """How many events of each type each word on each delivery led to."""
    rows = await house.view.rows(
        "SELECT delivery_id, type, CAST(data AS TEXT) FROM events WHERE delivery_id IS NOT NULL"
    )
    told = [(row[0], json.loads(row[2]).get("told"), row[1]) for row in rows]
    return Counter(one for one in told if one[1] is not None)


async def judge_told(scene: Scene, postman: Postman, fates: Mapping[str, tuple[Sequence[str], str]]) -> Verdict:
    """Final states, one event for each thing told, and nothing parked, lost or called for twice."""
    house = scene.house
    verdict = Verdict(trials=len(fates), promised=len(scene.ledger.promised), accepted=sum(postman.calls.values()))
    statuses = {row[0]: row[1] for row in await house.view.rows("SELECT id, status FROM deliveries")}
    wrong = Counter(f"{statuses.get(one)} for {ends}" for one, (_, ends) in fates.items() if statuses.get(one) != ends)
    verdict.problems += [f"{count} × {what}" for what, count in wrong.items()]
    wanted = {(delivery, word) for delivery, (words, _) in fates.items() for word in words}
    found = await _events_of_receipts(house)
    twice = [one for one, count in found.items() if count > 1]
    verdict.require(not twice, f"{len(twice)} events more than once, such as {twice[:1]}")
    odd = {one[:2] for one in found} ^ wanted
    verdict.require(not odd, f"{len(odd)} words without their event, or never told, such as {[*odd][:1]}")
    ((kept, parked),) = await house.view.rows("SELECT count(*), count(*) - count(delivery_id) FROM receipts")
    verdict.require((kept, parked) == (len(wanted), 0), f"{kept} receipts for {len(wanted)}, {parked} parked")
    verdict.duplicate = sum(count - 1 for count in postman.calls.values())
    verdict.require(verdict.duplicate == 0, f"duplicates {verdict.duplicate}")
    verdict.problems += scene.ledger.broken + house.broken + [f"log: {line}" for line in house.trouble()[:3]]
    return verdict


async def moving(house: House) -> int:
    """How many deliveries have not come to rest."""
    ended = "('sent', 'delivered', 'undelivered', 'unknown', 'suppressed', 'failed', 'expired')"
    ((left,),) = await house.view.rows(f"SELECT count(*) FROM deliveries WHERE status NOT IN {ended}")
    return int(left)
