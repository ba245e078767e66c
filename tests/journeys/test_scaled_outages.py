"""Stories of the scaled mode without its servers: Redis away, and a store that is not there yet."""

import asyncio
import signal
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.scaled import NOWHERE, house, queue_of
from tests.servers import free_port, start_postgres, start_valkey
from tests.serving import plain_environment, ready, routed, run_command, running
from tests.waiting import eventually


async def test_without_redis_messages_are_accepted_and_delivered(tmp_path: Path) -> None:
    async with house(tmp_path, NOWHERE) as home:
        accepted = await home.accepted(5)
        await home.delivered(accepted, 30)

        assert await queue_of(home, home.workers[0]) == {"status": "ok", "redis": "away"}
        assert [await one.stop() for one in (home.web, *home.workers)] == [0, 0]


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
