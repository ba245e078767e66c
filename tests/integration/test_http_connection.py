"""The requests of one connection: each gets its answer, in their order, whatever became of the one before."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gateway.web.connection import Connection
from gateway.web.server import listening

_POST = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
_LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def _echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def _ignore(_request: web.Request) -> web.Response:
    return web.Response(text="ignored")


async def _fail(_request: web.Request) -> web.Response:
    raise RuntimeError("a defect")


async def _last(_request: web.Request) -> web.Response:
    return web.Response(text="the end")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Port of a small app behind the gateway's listener."""
    app = web.Application()
    app.router.add_post("/echo", _echo)
    app.router.add_post("/ignore", _ignore)
    app.router.add_post("/fail", _fail)
    app.router.add_get("/last", _last)
    async with listening(app, "127.0.0.1", 0) as bound:
        yield bound


async def conversation(port: int, *parts: bytes) -> bytes:
    """All that a connection answers until its end, with a pause between the parts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.05)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def test_requests_sent_at_once_are_answered_in_their_order(port: int) -> None:
    posts = [_POST % (b"/echo", 7, b"body-%02d" % number) for number in range(40)]

    answer = await conversation(port, b"".join(posts) + _LAST)

    found = [answer.find(b"body-%02d" % number) for number in range(40)]
    assert -1 not in found
    assert found == sorted(found)
    assert answer.endswith(b"the end")


async def test_a_body_in_pieces_is_read_whole(port: int) -> None:
    whole = _POST % (b"/echo", 200_000, b"y" * 200_000)

    answer = await conversation(port, whole[:30], whole[30:1_000], whole[1_000:], _LAST)

    assert b"y" * 200_000 in answer
    assert answer.endswith(b"the end")


async def test_a_body_that_nobody_reads_does_not_stand_in_the_way(port: int) -> None:
    whole = _POST % (b"/ignore", 50_000, b"z" * 50_000)

    answer = await conversation(port, whole[:1_000], whole[1_000:], _LAST)

    assert b"ignored" in answer
    assert answer.endswith(b"the end")


async def test_what_fails_without_a_guard_is_an_internal_problem_and_the_end(port: int) -> None:
    answer = await conversation(port, _POST % (b"/fail", 2, b"{}") + _LAST)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b'"code":"internal"' in answer
    assert b"a defect" not in answer
    assert b"the end" not in answer


async def test_a_caller_who_leaves_before_the_answer_harms_nobody(port: int) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_POST % (b"/echo", 100_000, b"x" * 50))
        writer.transport.abort()

    assert (await conversation(port, _LAST)).endswith(b"the end")


async def test_a_request_whose_caller_hangs_up_at_once_is_not_begun(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        begun.append(request.path)
        return web.Response()

    loop, (near, far) = asyncio.get_running_loop(), socket.socketpair()
    server = web.Server(answer)
    with far:
        transport, connection = await loop.connect_accepted_socket(
            lambda: Connection(server, memoryview(bytearray(1024)), None, loop=loop), near
        )
        await asyncio.sleep(0)
        # Both in one turn of the loop, before anybody looks.
        connection.data_received(b"GET /late HTTP/1.1\r\nHost: here\r\n\r\n")
        connection.connection_lost(None)
        for _ in range(5):
            await asyncio.sleep(0)
        transport.abort()

    assert begun == []
    assert caplog.records == []
