"""Stories of the scaled mode: real processes that accept and dispatch apart, with Redis between them or without it."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.http import send_body
from tests.serving import Served, run_command, serving, working
from tests.waiting import eventually

ALL = ("send", "read", "ops")


@dataclass(frozen=True, slots=True)
class House:
    """A gateway in scaled mode, its workers, and a caller."""

    web: Served
    workers: list[Served]
    session: aiohttp.ClientSession

    async def post(self, **changes: Any) -> tuple[int, dict[str, Any]]:
        async with self.session.post(f"{self.web.url}/v1/messages", json=send_body(**changes)) as response:
            return response.status, await response.json()

    async def accepted(self, count: int, **changes: Any) -> list[str]:
        answers = await asyncio.gather(*(self.post(**changes) for _ in range(count)))
        assert {status for status, _ in answers} == {202}
        return [body["id"] for _, body in answers]

    async def read(self, message_id: str) -> dict[str, Any]:
        async with self.session.get(f"{self.web.url}/v1/messages/{message_id}") as response:
            body: dict[str, Any] = await response.json()
            return body

    async def delivered(self, message_ids: list[str], seconds: float = 30.0) -> None:
        for one in message_ids:
            await eventually(lambda one=one: self.read(one), lambda seen: seen["status"] == "delivered", seconds)

    async def attempts(self, message_ids: list[str]) -> Counter[int]:
        """How many deliveries took how many calls."""
        read = [await self.read(one) for one in message_ids]
        return Counter(len(delivery["attempts"]) for message in read for delivery in message["deliveries"])


@asynccontextmanager
async def house(folder: Path, url: str, workers: int = 1, **changes: str) -> AsyncIterator[House]:
    """One process that accepts, others that dispatch, and a key."""
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(serving(folder, first=False, HELIOGRAPH_QUEUE_URL=url, **changes))
        words = ("keys", "create", "--service", "shop", *(f"--scope={one}" for one in ALL), "--json")
        made = await run_command(*words, environment=web.environment)
        assert made.status == 0, made.err
        headers = {"Authorization": f"Bearer {json.loads(made.out)['key']}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        started = [
            await stack.enter_async_context(working(folder, environment=web.environment)) for _ in range(workers)
        ]
        yield House(web, started, session)


async def queue_of(house: House, process: Served) -> dict[str, str]:
    async with house.session.get(f"{process.url}/readyz") as response:
        body = await response.json()
        return dict(body["queue"])


async def test_what_one_process_accepts_another_delivers(tmp_path: Path, redis_url: str) -> None:
    async with house(tmp_path, redis_url, workers=2) as home:
        accepted = await home.accepted(40)
        await home.delivered(accepted)

        assert await home.attempts(accepted) == {1: 40}
        assert await queue_of(home, home.web) == {"status": "elsewhere", "redis": "ok"}
        assert await queue_of(home, home.workers[0]) == {"status": "ok", "redis": "ok"}
        assert [await one.stop() for one in (home.web, *home.workers)] == [0, 0, 0]


async def test_without_redis_messages_are_accepted_and_delivered(tmp_path: Path) -> None:
    async with house(tmp_path, "redis://127.0.0.1:1/0") as home:
        accepted = await home.accepted(5)
        await home.delivered(accepted, 30)

        assert await queue_of(home, home.workers[0]) == {"status": "ok", "redis": "away"}
        assert [await one.stop() for one in (home.web, *home.workers)] == [0, 0]
