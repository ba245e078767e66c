"""Stories of the scaled mode: real processes that accept and dispatch apart, with Redis between them."""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.scaled import House, house, queue_of
from tests.serving import Served, ready, routed, serving
from tests.waiting import eventually

LONG = bool(os.environ.get("HELIOGRAPH_LONG"))


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


def capped(folder: Path, store: str) -> dict[str, Any]:
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
