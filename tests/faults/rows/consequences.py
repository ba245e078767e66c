"""F32 and F33: what follows from what providers tell, or do not tell, happens once, whoever dies meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from tests.faults.house import House
from tests.faults.judge import Verdict
from tests.faults.ledger import post_all
from tests.faults.postman import stop_from
from tests.faults.rig import Row, Stage
from tests.faults.telling import (
    BOUNCE,
    COPIES,
    PATIENCE_SECONDS,
    batches,
    count,
    furnished,
    judge_told,
    moving,
    tell_all,
    under_kill,
)
from tests.serving import run_command
from tests.waiting import eventually

_ALERT: Final = (
    'description = "Says something, and makes sure"\ncategory = "transactional"\nchannels = ["email", "sms"]\n'
    'strategy = "first"\nfallback_after = "4s"\n[variables]\ntext = {type = "string", max_length = 100}\n'
    '[samples.usual]\ntext = "hello"\n'
)
_PARTS: Final = {"email/subject.txt": "A note", "email/body.html": "<p>{{ text }}</p>", "email/body.txt": "{{ text }}"}


async def restart_before_the_fallback(stage: Stage, trials: int) -> Verdict:
    """F32: all processes are killed while the next channel waits its turn; it comes once, and not where told."""
    async with furnished(stage, started=False) as (scene, postman):
        for name, text in {"template.toml": _ALERT, "sms/body.txt": "{{ text }}", **_PARTS}.items():
            file = scene.house.folder / "templates" / "alert" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        await scene.house.start()
        bodies = {f"fall-{n}": _alert(f"fall-{n}") for n in range(trials)}
        await post_all(scene.ledger, bodies)
        await eventually(lambda: count(scene.house, "sent"), lambda found: found >= trials, PATIENCE_SECONDS)
        letters = list(postman.letters.values())
        told = [letter for letter in letters if scene.chance.random() < 0.5]
        await tell_all(scene.house, [postman.sign([letter.event("delivered")]) for letter in told])
        await asyncio.sleep(scene.chance.uniform(0, 1))
        await scene.house.kill()
        await scene.house.restart()
        wanted = len(letters) - len(told)
        await eventually(lambda: _texts(scene.house), lambda found: len(found) >= wanted, PATIENCE_SECONDS)
        fates = {letter.delivery: (("delivered",), "delivered") for letter in told}
        verdict = await judge_told(scene, postman, fates)
        texts, rows = await _texts(scene.house), await scene.house.view.rows("SELECT message_id, id FROM deliveries")
        confirmed = {message for message, delivery in rows if delivery in fates}
        verdict.trials = trials
        verdict.require(len(texts) == len(set(texts)) == wanted, f"{len(texts)} texts for {wanted}")
        verdict.require(not confirmed & set(texts), "a text went although the letter had arrived")
        verdict.figures["fell_back"] = wanted
        return verdict


def _alert(name: str) -> dict[str, Any]:
    to = {"id": name, "email": f"{name}@example.org", "phone": "+33612345678"}
    return {"template": "alert", "data": {"text": "hello"}, "to": to}


async def _texts(house: House) -> list[str]:
    """The messages whose text came to the mailbox, each as often as it did."""
    rows = await house.view.rows(
        "SELECT d.message_id FROM mailbox m JOIN deliveries d ON d.id = m.delivery_id WHERE m.channel = 'sms'"
    )
    return [str(row[0]) for row in rows]


_CONSEQUENCES: Final[Mapping[str, Mapping[str, Any]]] = {
    "bounce": BOUNCE,
    "spamreport": {},
    "group_unsubscribe": {"asm_group_id": 7},
}
_STOP: Final = "stop"
"""They answer STOP to a text; nothing is told of their letter."""
_REASONS: Final = {"bounce": "bounce", "spamreport": "complaint", _STOP: "stop"}


async def act_once(stage: Stage, trials: int) -> Verdict:
    """F33: people bounce, complain, leave and say STOP, fifty times each under a kill: each acts once, for good."""
    async with furnished(stage) as (scene, postman):
        house = scene.house
        people = {f"user-{n}": scene.chance.choice([*_CONSEQUENCES, _STOP]) for n in range(trials)}
        grant = {"channel": "email", "topic": "offers", "state": "granted", "source": "form", "wording": "Yes"}
        for person in people:
            path = f"/v1/recipients/{person}"
            await _put(house, path, {"email": f"{person}@example.org", "phone": _number(person)})
            await _put(house, f"{path}/consents", {"consents": [grant]})
        await post_all(scene.ledger, {person: _offer(person) for person in people})
        await eventually(lambda: count(house, "sent"), lambda found: found >= trials, PATIENCE_SECONDS)
        events = [
            letter.event(what, **_CONSEQUENCES[what])
            for letter in postman.letters.values()
            for what in [people[letter.to.partition("@")[0]]]
            if what in _CONSEQUENCES
        ]
        stops = [stop_from(_number(person)) for person, what in people.items() if what == _STOP]
        calls = [*batches(postman, events, scene.chance), *stops * COPIES]
        scene.chance.shuffle(calls)
        await under_kill(scene, tell_all(house, calls))
        called = postman.calls.total()
        await post_all(scene.ledger, {f"{one}-again": _again(one, what) for one, what in people.items()})
        await eventually(lambda: moving(house), lambda left: left == 0, PATIENCE_SECONDS)
        verdict = Verdict(trials=trials, promised=len(scene.ledger.promised), accepted=postman.calls.total())
        verdict.require(postman.calls.total() == called, "somebody who left was written to")
        await _judge_consequences(house, people, verdict)
        verdict.problems += scene.ledger.broken + house.broken + [f"log: {line}" for line in house.trouble()[:3]]
        return verdict


def _offer(person: str) -> dict[str, Any]:
    return {"template": "offer", "data": {"text": "now"}, "channels": ["email"], "to": {"id": person}}


def _again(person: str, what: str) -> dict[str, Any]:
    """One more, on the channel that they left."""
    if what != _STOP:
        return _offer(person)
    return {"template": "note", "data": {"text": "hello"}, "channels": ["sms"], "to": {"id": person}}


def _number(person: str) -> str:
    return f"+336120{int(person.partition('-')[2]):05}"


async def _put(house: House, path: str, body: Any) -> None:
    async with house.session.put(f"{house.webs[0].url}{path}", json=body, headers=house.headers) as response:
        assert response.status in (200, 201), await response.text()


async def _judge_consequences(house: House, people: Mapping[str, str], verdict: Verdict) -> None:
    wanted = Counter(
        (_number(person) if what == _STOP else f"{person}@example.org", _REASONS[what])
        for person, what in people.items()
        if what in _REASONS
    )
    suppressed = await house.view.rows("SELECT address, reason FROM suppressions")
    verdict.require(Counter(map(tuple, suppressed)) == wanted, f"{len(suppressed)} suppressions for {wanted.total()}")
    texts = await house.view.rows("SELECT 1 FROM mailbox WHERE channel = 'sms'")
    verdict.require(not texts, f"{len(texts)} texts to people who said STOP")
    denied = await house.view.rows("SELECT recipient_id FROM consents WHERE state = 'denied'")
    left = Counter(person for person, what in people.items() if what == "group_unsubscribe")
    verdict.require(Counter(row[0] for row in denied) == left, f"{len(denied)} withdrawals for {left.total()}")
    checked = await run_command("consents", "verify", environment=house.environment)
    verdict.require(checked.status == 0, f"the ledger is not whole: {checked.out}{checked.err}")


ROWS: Final = (
    Row(name="F32 restart before fallback", play=restart_before_the_fallback, short=0, long=60),
    Row(name="F33 bounces and leaves act once", play=act_once, short=0, long=40),
)
