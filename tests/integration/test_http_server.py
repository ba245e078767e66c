"""The listener takes so many connections and no more, and ends without cutting anyone off."""

import asyncio

import aiohttp
from aiohttp import web

from gateway.web.server import listening


async def _answer_late(_request: web.Request) -> web.Response:
    await asyncio.sleep(0.2)
    return web.Response(text="whole")


def make_slow_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", _answer_late)
    return app


async def test_one_connection_too_many_is_turned_away_and_room_comes_back() -> None:
    async with listening(make_slow_app(), "127.0.0.1", 0, most_connections=2) as port:
        first = await asyncio.open_connection("127.0.0.1", port)
        second = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turned_away = await asyncio.wait_for(reader.read(), 10)
        for _, held in (first, second, (reader, writer)):
            held.close()
            await held.wait_closed()
        await asyncio.sleep(0)

        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
            status = response.status

    assert turned_away.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in turned_away
    assert status == 200


async def test_a_request_under_way_is_answered_although_the_listener_closes() -> None:
    async with aiohttp.ClientSession() as session:
        async with listening(make_slow_app(), "127.0.0.1", 0) as port:
            under_way = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/"))
            await asyncio.sleep(0.05)

        async with await under_way as response:
            assert await response.text() == "whole"
