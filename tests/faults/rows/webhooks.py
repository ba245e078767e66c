"""F28 to F31: what providers tell, fifty times, in any order, early, a day late, forged, replayed and stale.

Processes are killed meanwhile: the final state is right, and each thing told has its event and consequences once.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.faults.house import House
from tests.faults.judge import Verdict
from tests.faults.ledger import post_all
from tests.faults.postman import Call, Letter, Postman, insist, post
from tests.faults.rig import Row, Stage
from tests.faults.telling import (
    COPIES,
    PATIENCE_SECONDS,
    batches,
    count,
    events_of,
    furnished,
    judge_told,
    letter_to,
    moving,
    send_letters,
    tell_all,
    under_kill,
)
from tests.waiting import eventually

_PATHS: Final[Sequence[tuple[tuple[str, ...], str]]] = (
    (("processed", "deferred", "delivered"), "delivered"),
    (("processed", "delivered", "bounce"), "undelivered"),
    (("processed", "bounce"), "undelivered"),
    (("delivered", "moulted"), "delivered"),
)
"""What may become of a letter, and the status that it all comes to; one word that nobody knows."""


async def tell_over_and_over(stage: Stage, trials: int) -> Verdict:
    """F28: fifty of each in random order, a process killed meanwhile; what was not answered is told again."""
    async with furnished(stage) as (scene, postman):
        letters = await send_letters(scene, postman, "over", trials)
        fates = {letter.delivery: scene.chance.choice(_PATHS) for letter in letters}
        events = [event for letter in letters for event in events_of(letter, fates[letter.delivery][0])]
        calls = batches(postman, events, scene.chance)
        await under_kill(scene, tell_all(scene.house, calls))
        verdict = await judge_told(scene, postman, fates)
        verdict.figures["events_posted"] = len(events) * COPIES
        return verdict


async def tell_before_the_answer(stage: Stage, trials: int) -> Verdict:
    """F29: told twice before the provider answers, which it then does, or not, or only after a process was killed."""
    async with furnished(stage, delivery={"unknown_after": "1s"}) as (scene, postman):

        async def tell(letter: Letter) -> None:
            call = postman.sign([letter.event("delivered")])
            await asyncio.gather(insist(scene.house, call), insist(scene.house, call))
            await asyncio.sleep(scene.chance.uniform(0, 0.2))

        postman.first, postman.drops = tell, lambda: scene.chance.random() < 0.3
        for start in range(0, trials, 10):
            bodies = {f"early-{n}": letter_to(scene, f"early-{n}") for n in range(start, min(start + 10, trials))}
            await post_all(scene.ledger, bodies)
            await asyncio.sleep(scene.chance.uniform(0, 0.3))
            await scene.house.kill(scene.chance.choice(scene.house.workers))
            await scene.house.restart()
        await eventually(lambda: moving(scene.house), lambda left: left == 0, PATIENCE_SECONDS)
        verdict = await judge_told(scene, postman, dict.fromkeys(postman.letters, (("delivered",), "delivered")))
        verdict.unknown = await count(scene.house, "unknown")
        # Whose intent was written and whose call died with the process: nobody can tell, and nobody sends again.
        settled = verdict.unknown + len(postman.letters)
        verdict.require(settled == trials, f"{settled} of {trials} are settled or unknown")
        return verdict


async def tell_a_day_late(stage: Stage, trials: int) -> Verdict:
    """F30: everything is told only after 24 hours, and after a restart; of what nobody sent there is word, too."""
    async with furnished(stage, clocked=True) as (scene, postman):
        letters = await send_letters(scene, postman, "late", trials)
        fates = {letter.delivery: scene.chance.choice(_PATHS) for letter in letters}
        scene.house.step(timedelta(hours=24))
        await scene.house.stop()
        await scene.house.restart()
        late = datetime.now(UTC) + timedelta(hours=24)
        events = [event for letter in letters for event in events_of(letter, fates[letter.delivery][0])]
        await tell_all(scene.house, batches(postman, events, scene.chance, at=late))
        verdict = await judge_told(scene, postman, fates)
        stranger = Letter(delivery="dlv_of_nobody", attempt="att_of_nobody", to="x@example.org", at=late)
        call = postman.sign([stranger.event("delivered")], at=late)
        verdict.require(await post(scene.house, call) == 204, "word of what nobody sent is not kept")
        return verdict


async def forge(stage: Stage, trials: int) -> Verdict:
    """F31: forged, changed, stale and from the future: 401 and no trace; a genuine call replayed: no second one."""
    async with furnished(stage) as (scene, postman):
        letters = await send_letters(scene, postman, "forged", trials)
        fates = {letter.delivery: (("delivered",), "delivered") for letter in letters}
        genuine = [postman.sign([letter.event("delivered")]) for letter in letters]
        await tell_all(scene.house, genuine)
        before = await _all_rows(scene.house)
        answers = Counter([await post(scene.house, call) for letter in letters for call in _forged(postman, letter)])
        replays = Counter([await post(scene.house, call) for call in genuine for _ in range(3)])
        after = await _all_rows(scene.house)
        verdict = await judge_told(scene, postman, fates)
        verdict.require(set(answers) == {401}, f"forged calls got {dict(answers)}")
        verdict.require(set(replays) == {204}, f"replayed calls got {dict(replays)}")
        verdict.require(before == after, "what was forged or replayed left a trace")
        verdict.figures["forged"] = answers.total()
        return verdict


def _forged(postman: Postman, letter: Letter) -> Iterable[Call]:
    """Calls that say that it bounced, and that are none of the provider's, or not of today."""
    events, now = events_of(letter, ["bounce"]), datetime.now(UTC)
    good = postman.sign(events)
    yield postman.sign(events, key=generate_private_key(SECP256R1()))
    yield postman.sign(events, at=now - timedelta(hours=26))
    yield postman.sign(events, at=now + timedelta(hours=1))
    yield replace(good, body=good.body + b" ")
    yield replace(good, body=good.body.replace(b"5.1.1", b"5.1.2"))
    for name in good.headers:
        yield replace(good, headers={key: value for key, value in good.headers.items() if key != name})
        yield replace(good, headers={**good.headers, name: good.headers[name][:-2] + "00"})


async def _all_rows(house: House) -> list[Sequence[Any]]:
    """Everything that a webhook may change."""
    asked = (
        "SELECT id, status, reason FROM deliveries ORDER BY id",
        "SELECT id, CAST(data AS TEXT) FROM events ORDER BY id",
        "SELECT id, delivery_id FROM receipts ORDER BY id",
        "SELECT id FROM suppressions ORDER BY id",
        "SELECT id FROM consents ORDER BY id",
    )
    return [[tuple(row) for row in await house.view.rows(statement)] for statement in asked]


ROWS: Final = (
    Row(name="F28 told fifty times, killed", play=tell_over_and_over, short=0, long=60),
    Row(name="F29 told before the answer", play=tell_before_the_answer, short=0, long=100),
    Row(name="F30 told a day late", play=tell_a_day_late, short=0, long=60),
    Row(name="F31 forged, replayed, stale", play=forge, short=0, long=50),
)
