"""Stories of the scaled mode: real processes that accept and dispatch apart, with Redis between them or without it."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import send_body
from tests.servers import start_postgres, start_valkey
from tests.serving import Served, free_port, plain_environment, ready, routed, run_command, running, serving, working
from tests.waiting import eventually

ALL = ("send", "read", "ops")
LONG = bool(os.environ.get("HELIOGRAPH_LONG"))
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
        made = await run_command(*words, environment=web.environment)
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


async def test_what_one_process_accepts_another_delivers(tmp_path: Path, redis_url: str) -> None:
    async with house(tmp_path, redis_url, workers=2) as home:
        accepted = await home.accepted(40)
        await home.delivered(accepted)

        assert await home.attempts(accepted) == {1: 40}
        assert await queue_of(home, home.web) == {"status": "elsewhere", "redis": "ok"}
        assert await queue_of(home, home.workers[0]) == {"status": "ok", "redis": "ok"}
        assert [await one.stop() for one in (home.web, *home.workers)] == [0, 0, 0]


CAP = """
[[frequency_caps]]
name = "orders"
limit = 3
per = "24h"
categories = ["transactional"]
over = "drop"
"""


def capped(folder: Path, store: str) -> dict[str, str]:
    """Settings under which everybody gets three orders a day."""
    file = folder / "capped.toml"
    file.write_text(Path(routed(folder)["HELIOGRAPH_CONFIG"]).read_text() + CAP, encoding="utf-8")
    return {"HELIOGRAPH_CONFIG": str(file), "HELIOGRAPH_STORE_URL": store}


@pytest.mark.timeout(3_600 if LONG else 300)
async def test_of_sixty_four_sends_at_once_four_workers_let_three_go(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with house(tmp_path, redis_url, dispatchers=4, **capped(tmp_path, postgres_url)) as home:
        for number in range(200 if LONG else 1):
            to = {"id": f"user-{number}", "email": f"user-{number}@example.org"}

            accepted = await home.accepted(64, to=to, channels=["email"])
            ended = [await home.ended(one) for one in accepted]

            assert Counter(ended) == {"delivered": 3, "suppressed": 61}, number


async def test_without_redis_messages_are_accepted_and_delivered(tmp_path: Path) -> None:
    async with house(tmp_path, NOWHERE) as home:
        accepted = await home.accepted(5)
        await home.delivered(accepted, 30)

        assert await queue_of(home, home.workers[0]) == {"status": "ok", "redis": "away"}
        assert [await one.stop() for one in (home.web, *home.workers)] == [0, 0]


def children(process: Served) -> list[int]:
    """The processes that one supervises, in the order of their start."""
    pid = process.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def measured(house: House, process: Served, name: str) -> float:
    """The sum of a metric's samples, as any of its processes tells it."""
    async with house.session.get(f"{process.url}/metrics") as response:
        assert response.status == 200
        lines = (await response.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


async def replaced(process: Served, dead: int) -> None:
    """Wait until another child stands where one was killed."""
    count = len(children(process))

    async def now() -> list[int]:
        return children(process)

    await eventually(now, lambda seen: dead not in seen and len(seen) == count, 60)


@pytest.mark.timeout(300)
async def test_several_processes_accept_and_dispatch_as_one_and_outlive_their_children(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    words = ("--processes=2",)
    async with house(tmp_path, redis_url, *words, dispatchers=2, HELIOGRAPH_STORE_URL=postgres_url) as home:
        web, worker = home.web, home.workers[0]
        accepted = await home.accepted(30)
        await home.delivered(accepted, 60)
        counted = [await measured(home, web, "heliograph_messages_accepted_total") for _ in range(4)]
        called = await measured(home, worker, "heliograph_attempts_total")

        for process in (web, worker):
            dead = children(process)[0]
            os.kill(dead, signal.SIGKILL)
            await replaced(process, dead)
        await ready(web.process, int(web.url.rpartition(":")[2]), tmp_path / "gateway.log")
        more = await home.accepted(30)
        await home.delivered(more, 60)

        assert counted == [30] * 4
        assert await home.attempts(accepted + more) == {1: 60}
        assert called == 30
        assert await measured(home, worker, "heliograph_attempts_total") == 60
        assert [await one.stop() for one in (web, worker)] == [0, 0]


@pytest.mark.timeout(300)
async def test_embedded_accepting_and_dispatching_may_be_two_processes(tmp_path: Path) -> None:
    async with serving(tmp_path, "--dispatch=beside") as web:
        headers = {"Authorization": f"Bearer {web.key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            home = House(web, [], session)
            accepted = await home.accepted(10)
            await home.delivered(accepted)
            _, dispatching = children(web)
            assert await measured(home, web, "heliograph_attempts_total") == 10

            os.kill(dispatching, signal.SIGKILL)
            during = await home.accepted(5)
            await home.delivered(during, 90)

            assert await home.attempts(accepted + during) == {1: 15}
            assert await measured(home, web, "heliograph_attempts_total") == 15
            assert await web.stop() == 0


@pytest.mark.timeout(300)
async def test_an_outage_of_redis_delays_messages_and_loses_none(tmp_path: Path) -> None:
    with start_valkey() as valkey:
        async with house(tmp_path, valkey.url()) as home:
            before = await home.accepted(5)
            valkey.kill()
            during = await home.accepted(5)
            await home.delivered(before + during, 30)
            away = await eventually(lambda: queue_of(home, home.web), lambda seen: seen["redis"] == "away", 20)

            valkey.start()
            for process in (home.web, home.workers[0]):
                await eventually(partial(queue_of, home, process), lambda seen: seen["redis"] == "ok", 20)
            after = await home.accepted(5)
            await home.delivered(after)

            assert away["status"] == "elsewhere"
            assert await home.attempts(before + during + after) == {1: 15}
            assert [await one.stop() for one in (home.web, *home.workers)] == [0, 0]


async def probed(port: int, path: str) -> tuple[int, str | None]:
    """Status and Retry-After, once anybody answers."""

    async def ask() -> tuple[int, str | None]:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/{path}") as response:
                return response.status, response.headers.get("Retry-After")
        except aiohttp.ClientConnectionError:
            return 0, None

    return await eventually(ask, lambda seen: seen[0] > 0)


@pytest.mark.timeout(300)
async def test_processes_wait_for_their_store_and_its_tables_and_can_be_told_to_stop_meanwhile(tmp_path: Path) -> None:
    with start_postgres() as server:
        settings = {"HELIOGRAPH_STORE_URL": server.create_database(), "HELIOGRAPH_QUEUE_URL": NOWHERE}
        server.stop()
        port, log = free_port(), tmp_path / "waiting.log"
        environment = {**plain_environment(tmp_path, port), **routed(tmp_path), **settings}

        async def waits() -> bool:
            return log.exists() and "store.awaited" in log.read_text()

        async def needs_tables() -> bool:
            return "heliograph db upgrade" in log.read_text()

        async with running("worker", environment=environment, log=log) as told:
            await eventually(waits, bool, 60)
            told.send_signal(signal.SIGTERM)
            async with asyncio.timeout(25):
                assert await told.wait() == 0
        log.unlink()
        async with running("serve", environment=environment, log=log) as patient:
            await eventually(waits, bool, 60)
            answers = await asyncio.gather(*(probed(port, path) for path in ("healthz", "readyz", "v1/messages")))
            server.start()
            await eventually(needs_tables, bool, 60)
            assert (await run_command("db", "upgrade", environment=environment)).status == 0
            await ready(patient, port, log)

        assert answers == [(200, None), (503, "5"), (503, "5")]
        assert "store.sqlite" not in log.read_text(), "it is no file that could be damaged"
