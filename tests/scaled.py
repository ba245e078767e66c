"""A gateway in scaled mode as real processes: one that accepts, others that dispatch, and a caller."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tests.http import send_body
from tests.serving import Served, routed, serving, working
from tests.waiting import eventually

ALL = ("send", "read", "ops")
NOWHERE = "redis://127.0.0.1:1/0"


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
            await eventually(partial(self.read, one), lambda seen: seen["status"] == "delivered", seconds)

    async def ended(self, message_id: str) -> str:
        """Where a message stands that is delivered or suppressed."""
        seen = await eventually(
            partial(self.read, message_id), lambda seen: seen["status"] in ("delivered", "suppressed"), 30
        )
        return str(seen["status"])

    async def attempts(self, message_ids: list[str]) -> Counter[int]:
        """How many deliveries took how many calls."""
        read = [await self.read(one) for one in message_ids]
        return Counter(len(delivery["attempts"]) for message in read for delivery in message["deliveries"])


@asynccontextmanager
async def house(
    folder: Path, url: str, *words: str, workers: int = 1, dispatchers: int = 1, **changes: str
) -> AsyncIterator[House]:
    """One `serve` with these words, some `worker`s of so many dispatchers each, and a key."""
    async with AsyncExitStack() as stack:
        settings = {"HELIOGRAPH_QUEUE_URL": url, **routed(folder), **changes}
        web = await stack.enter_async_context(serving(folder, *words, first=False, **settings))
        words = ("keys", "create", "--service", "shop", *(f"--scope={one}" for one in ALL), "--json")
        made = await web.run(*words)
        assert made.status == 0, made.err
        headers = {"Authorization": f"Bearer {json.loads(made.out)['key']}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        many = f"--processes={dispatchers}"
        started = [
            await stack.enter_async_context(working(folder, many, environment=web.environment)) for _ in range(workers)
        ]
        yield House(web, started, session)


async def queue_of(house: House, process: Served) -> dict[str, str]:
    async with house.session.get(f"{process.url}/readyz") as response:
        body = await response.json()
        return dict(body["queue"])
