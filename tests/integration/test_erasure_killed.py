"""A gateway that is killed while it erases somebody goes on when it is started again, and leaves nothing behind."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import send_body
from tests.serving import Served, serving
from tests.waiting import eventually

WORDS = ("amina.benali", "+33612345678", "rosengasse")
_MESSAGES = 3_000
PERSON = {"email": "Amina.Benali@example.org", "phone": "+33612345678", "attributes": {"street": "Rosengasse"}}
LATER = (datetime.now(UTC) + timedelta(days=365)).isoformat()


async def call(served: Served, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {served.key}"}
    client = aiohttp.ClientSession(headers=headers)
    async with client as session, session.request(method, served.url + path, json=body) as response:
        assert response.status < 300, await response.text()
        return await response.json() if response.status != 204 else None


async def fill(served: Served) -> None:
    """A person to whom thousands of messages are to go, some by id, some by address."""
    await call(served, "PUT", "/v1/recipients/amina.benali", PERSON)
    suppression = {"channel": "sms", "address": "+33612345678", "reason": "stop", "evidence": {"who": "Amina.Benali"}}
    await call(served, "POST", "/v1/suppressions", suppression)
    whom = [{"id": "amina.benali"}, {"email": "amina.benali@example.org"}]
    message = send_body(send_at=LATER, metadata={"street": "Rosengasse"})
    items = [{**message, "to": whom[number % 2]} for number in range(1_000)]
    for _ in range(_MESSAGES // 1_000):
        answer = await call(served, "POST", "/v1/messages/batch", {"messages": items})
        assert {item["status"] for item in answer["items"]} == {"accepted"}


def query(folder: Path, statement: str) -> int:
    with closing(sqlite3.connect(f"file:{folder}/heliograph.db?mode=ro", uri=True)) as connection:
        count: int = connection.execute(statement).fetchone()[0]
        return count


async def blanked(folder: Path) -> int:
    return await asyncio.to_thread(query, folder, "SELECT count(*) FROM messages WHERE recipient = '{}'")


async def under_way(folder: Path) -> int:
    return await asyncio.to_thread(query, folder, "SELECT count(*) FROM erasures")


def readable(folder: Path) -> set[tuple[str, str]]:
    """Each file in which one of the words stands, the database's free pages included."""
    return {
        (file.name, word)
        for file in folder.iterdir()
        for word in WORDS
        if file.is_file() and word.encode() in file.read_bytes().lower()
    }


async def test_a_killed_erasure_is_gone_on_with(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await fill(served)
        erasing = asyncio.create_task(call(served, "DELETE", "/v1/recipients/amina.benali"))
        await eventually(lambda: blanked(tmp_path), lambda count: count > 0)
        served.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await erasing
    at_the_kill = await blanked(tmp_path)

    async with serving(tmp_path, first=False) as served:
        await eventually(lambda: under_way(tmp_path), lambda count: count == 0)
        await served.stop()

    assert 0 < at_the_kill < _MESSAGES
    assert await blanked(tmp_path) == _MESSAGES
    cancelled = "SELECT count(*) FROM deliveries WHERE status = 'cancelled' AND due_at IS NULL AND address IS NULL"
    assert await asyncio.to_thread(query, tmp_path, cancelled) == _MESSAGES
    suppressed = "SELECT count(*) FROM suppressions WHERE address IS NULL AND address_hash IS NOT NULL"
    assert await asyncio.to_thread(query, tmp_path, suppressed) == 1
    assert await asyncio.to_thread(readable, tmp_path) == set()
