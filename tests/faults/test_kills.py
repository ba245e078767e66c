"""Killed with -9 at random instants, the gateway keeps every promise: nothing lost, nothing sent twice."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from gateway.bootstrap import SystemClock
from gateway.ports import MailboxItem
from gateway.storage.store import open_store
from tests.faults.child import Child, Ledger
from tests.waiting import eventually

ROUNDS: Final = 200 if os.environ.get("HELIOGRAPH_LONG") else 20
_CALLERS: Final = 8
_SHORTEST, _LONGEST = 0.02, 0.5
"""Seconds of traffic before the kill."""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Ledger(Child(tmp_path), session)


def _body(chance: random.Random) -> dict[str, Any]:
    template, data = chance.choice([("note", {"text": "hello"}), ("code", {"code": "908172"})])
    body: dict[str, Any] = {
        "template": template,
        "data": data,
        "to": {"email": "amina@example.org", "phone": "+33612345678", "push": [{"platform": "fcm", "token": "device"}]},
    }
    if template == "note":
        body["channels"] = [chance.choice(["email", "sms", "push"])]
    return body


async def _call(ledger: Ledger, prefix: str, chance: random.Random) -> None:
    """Post new messages, now and then one of them again, until the gateway is gone."""
    number = 0
    while True:
        key, body = f"{prefix}-{number}", _body(chance)
        number += 1
        for _ in range(chance.choice([1, 1, 1, 2])):
            if not await ledger.post(key, body):
                return


async def _mailbox(url: str) -> list[MailboxItem]:
    async with open_store(url, SystemClock()) as store:
        items: list[MailboxItem] = []
        cursor: str | None = None
        while True:
            page = await store.mailbox.list_items(None, 200, cursor)
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                return items


@pytest.mark.timeout(60 + ROUNDS * 15)
async def test_every_promise_outlives_kills_at_random_instants(ledger: Ledger) -> None:
    chance = random.Random(20261122)
    for number in range(ROUNDS):
        await ledger.child.start(ledger.session)
        for key, body in list(ledger.uncertain.items()):
            await ledger.post(key, body)
        callers = [asyncio.create_task(_call(ledger, f"{number}-{caller}", chance)) for caller in range(_CALLERS)]
        await asyncio.sleep(chance.uniform(_SHORTEST, _LONGEST))
        await ledger.child.kill()
        await asyncio.gather(*callers)
    await ledger.child.start(ledger.session)
    for key, body in list(ledger.uncertain.items()):
        await ledger.post(key, body)

    async def unfinished() -> list[str]:
        found = []
        for message_id in waiting:
            message = await ledger.read(message_id)
            if message["status"] != "delivered":
                found.append(f"{message_id}: {message['status']}")
        waiting[:] = [line.split(":")[0] for line in found]
        return found

    waiting = list(ledger.promised.values())
    await eventually(unfinished, lambda left: not left, seconds=90)
    deliveries = [
        delivery["id"]
        for message_id in ledger.promised.values()
        for delivery in (await ledger.read(message_id))["deliveries"]
    ]
    status = await ledger.child.stop()
    kept = Counter(item.delivery_id for item in await _mailbox(ledger.child.store_url))

    assert ledger.broken == []
    assert ledger.uncertain == {}
    assert len(set(ledger.promised.values())) == len(ledger.promised) > ROUNDS
    # One delivery for each message, each in the mailbox once, and nothing that nobody asked for.
    assert kept == Counter(deliveries)
    assert len(deliveries) == len(ledger.promised)
    assert status == 0


async def test_asked_to_stop_it_finishes_what_it_took_and_exits_with_zero(ledger: Ledger) -> None:
    await ledger.child.start(ledger.session)
    chance = random.Random(1)
    callers = [asyncio.create_task(_call(ledger, f"{caller}", chance)) for caller in range(_CALLERS)]
    await asyncio.sleep(0.3)

    began = asyncio.get_running_loop().time()
    status = await ledger.child.stop()
    took = asyncio.get_running_loop().time() - began
    await asyncio.gather(*callers)

    assert status == 0
    assert took < 25
    await ledger.child.start(ledger.session)
    for message_id in ledger.promised.values():
        await eventually(lambda asked=message_id: ledger.read(asked), lambda message: message["status"] == "delivered")
    await ledger.child.stop()
    assert ledger.broken == []
