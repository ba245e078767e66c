"""Whatever is killed while services are being told: each event of each message is heard, under one id."""

import os
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import send_body
from tests.receiver import Receiver, receiving
from tests.scaled import house
from tests.serving import Served, routed, serving
from tests.waiting import eventually

LONG = bool(os.environ.get("HELIOGRAPH_LONG"))
_MESSAGES = 20
_KILLS = 30 if LONG else 1
_PATH = "/v1/webhook-endpoints"
_PATIENCE_SECONDS = 60.0
TOLD = """
[security]
allow_private_endpoints = ["127.0.0.1"]
[webhooks]
timeout = "1s"
retry_first = "100ms"
retry_max = "500ms"
"""
Ask = Callable[[str], Awaitable[Any]]


def settings(folder: Path) -> dict[str, str]:
    """Settings under which loopback may be called, and what was taken by who died is soon taken again."""
    file = folder / "told.toml"
    file.write_text(Path(routed(folder)["HELIOGRAPH_CONFIG"]).read_text() + TOLD, encoding="utf-8")
    return {"HELIOGRAPH_CONFIG": str(file)}


async def add(session: aiohttp.ClientSession, url: str, receiver: Receiver) -> str:
    body = {"url": f"{receiver.url}/hook", "filters": {"types": ["*"]}}
    async with session.post(url + _PATH, json=body) as response:
        assert response.status == 201, await response.text()
        return str((await response.json())["secret"])


async def post(session: aiohttp.ClientSession, url: str) -> list[str]:
    """A batch of messages; their ids."""
    body = {"messages": [send_body() for _ in range(_MESSAGES)]}
    async with session.post(f"{url}/v1/messages/batch", json=body) as response:
        return [item["message"]["id"] for item in (await response.json())["items"]]


async def read(session: aiohttp.ClientSession, url: str, path: str) -> Any:
    async with session.get(url + path) as response:
        return await response.json()


async def events_of(ask: Ask, messages: list[str]) -> set[str]:
    """The ids of all events of messages, once they are delivered."""
    ids = set()
    for message in messages:
        await eventually(
            partial(ask, f"/v1/messages/{message}"),
            lambda seen: seen["status"] == "delivered",
            _PATIENCE_SECONDS,
        )
        ids |= {event["id"] for event in (await ask(f"/v1/messages/{message}/events"))["items"]}
    return ids


async def all_heard(receiver: Receiver, events: set[str], secret: str) -> None:
    async def heard() -> set[str]:
        return {one.headers["webhook-id"] for one in receiver.heard}

    known = await eventually(heard, lambda seen: events <= seen, _PATIENCE_SECONDS)
    assert known == events
    assert all(one.is_signed(secret) for one in random.sample(receiver.heard, 20))


@pytest.mark.timeout(3_600 if LONG else 300)
async def test_a_gateway_that_is_killed_while_it_tells_leaves_nothing_untold(tmp_path: Path) -> None:
    changes, messages, keys, secrets = settings(tmp_path), list[str](), list[str](), list[str]()
    async with receiving() as receiver:
        for number in range(_KILLS + 1):
            async with serving(tmp_path, first=number == 0, **changes) as served:
                keys += [served.key] if number == 0 else []
                async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {keys[0]}"}) as session:
                    secrets += [await add(session, served.url, receiver)] if number == 0 else []
                    if number < _KILLS:
                        messages += await post(session, served.url)
                        await be_killed_while_telling(served, receiver)
                        continue
                    events = await events_of(partial(read, session, served.url), messages)
                    await all_heard(receiver, events, secrets[0])


async def be_killed_while_telling(served: Served, receiver: Receiver) -> None:
    """Kill it once some calls are answered, some under way and most not begun."""
    receiver.open.clear()
    before = len(receiver.heard)
    await eventually(lambda: count(receiver), lambda seen: seen > before + 4, _PATIENCE_SECONDS)
    receiver.open.set()
    await eventually(lambda: count(receiver), lambda seen: seen > before + 12, _PATIENCE_SECONDS)
    served.process.kill()


async def count(receiver: Receiver) -> int:
    return len(receiver.heard)


@pytest.mark.timeout(3_600 if LONG else 300)
async def test_a_worker_that_is_killed_while_it_tells_is_followed_by_another(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    changes: dict[str, Any] = {**settings(tmp_path), "HELIOGRAPH_STORE_URL": postgres_url}
    async with receiving() as receiver, house(tmp_path, redis_url, workers=2, **changes) as home:
        secret = await add(home.session, home.web.url, receiver)
        receiver.open.clear()
        messages = await post(home.session, home.web.url)
        await eventually(lambda: count(receiver), lambda seen: seen > 12, _PATIENCE_SECONDS)
        home.workers[0].process.kill()
        receiver.open.set()

        events = await events_of(partial(read, home.session, home.web.url), messages)
        await all_heard(receiver, events, secret)
