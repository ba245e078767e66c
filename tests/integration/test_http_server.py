"""The listener takes so many connections and no more, and ends without cutting anyone off."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from gateway.web.server import listening
from tests.waiting import eventually


class SlowApp:
    """Answers once it may, and says when it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.app = web.Application()
        self.app.router.add_get("/", self._answer)

    async def _answer(self, _request: web.Request) -> web.Response:
        self.asked.set()
        await self.may_answer.wait()
        return web.Response(text="whole")


async def test_one_connection_too_many_is_turned_away_and_room_comes_back() -> None:
    slow = SlowApp()
    slow.may_answer.set()
    async with listening(slow.app, "127.0.0.1", 0, most_connections=2) as port:
        first = await asyncio.open_connection("127.0.0.1", port)
        second = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turned_away = await asyncio.wait_for(reader.read(), 10)
        for _, held in (first, second, (reader, writer)):
            held.close()
            await held.wait_closed()

        async def status() -> int | None:
            try:
                async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
                    return response.status
            except aiohttp.ClientConnectionError:
                return None

        assert await eventually(status, lambda seen: seen == 200)

    assert turned_away.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in turned_away


async def test_a_request_under_way_is_answered_although_the_listener_closes() -> None:
    slow = SlowApp()
    async with aiohttp.ClientSession() as session:
        async with listening(slow.app, "127.0.0.1", 0) as port:
            under_way = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/"))
            await slow.asked.wait()
            asyncio.get_running_loop().call_later(0.1, slow.may_answer.set)

        async with await under_way as response:
            assert await response.text() == "whole"


@pytest.mark.parametrize("path", ["/", "/nowhere"])
async def test_an_expectation_that_is_not_met_is_a_problem_like_any_other(path: str) -> None:
    slow = SlowApp()
    headers = {"Expect": "something", "X-Request-Id": "their-own-id"}
    async with (
        listening(slow.app, "127.0.0.1", 0) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as response,
    ):
        problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["code"]) == (417, "expectation_failed")
    assert response.headers["X-Request-Id"] == "their-own-id"
    assert response.headers["Server"] == "heliograph"
    assert not slow.asked.is_set()
