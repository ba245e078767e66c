"""A process that has too much to do: what is refused unread looks like every other refusal, and urgent posts pass."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.web.app import ADMISSION, make_app
from gateway.web.doorway import whole_post
from gateway.web.server import listening
from tests.fakes import SetClock
from tests.http import Caller, Site, open_site, send_body

MODES = ("embedded",)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CODE = {"template": "one-time-code", "to": {"phone": "+33612345678"}, "data": {"code": "804215", "minutes": 10}}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A gateway on a clock of ours that takes no more than waits for a minute."""
    async with open_site(tmp_path, clock=SetClock(), delivery={"shed_after": "1m"}) as site:
        yield site


@pytest.fixture
async def shop(site: Site) -> Caller:
    """A service."""
    return await site.caller()


class Line:
    """One kept connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    async def post(self, body: Any, *fields: str, path: str = "/v1/messages", pieces: int = 1) -> tuple[int, Any, Any]:
        """Post in so many pieces: status, headers, and JSON."""
        content = json.dumps(body).encode()
        lines = (
            f"POST {path} HTTP/1.1",
            "Host: here",
            f"Authorization: Bearer {self._key}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            *fields,
            "",
            "",
        )
        whole = "\r\n".join(lines).encode() + content
        size = -(-len(whole) // pieces)
        for start in range(0, len(whole), size):
            self._writer.write(whole[start : start + size])
            await self._writer.drain()
            if pieces > 1:
                await asyncio.sleep(0.01)
        return await self.answer()

    async def get(self, path: str) -> tuple[int, Any, Any]:
        """Read."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        return await self.answer()

    async def answer(self) -> tuple[int, Any, Any]:
        """The next answer."""
        async with asyncio.timeout(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            status, *fields = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
            body = await self._reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, json.loads(body)

    def send(self, data: bytes) -> None:
        """Write as it is."""
        self._writer.write(data)


@asynccontextmanager
async def line_to(site: Site, caller: Caller) -> AsyncIterator[tuple[Line, web.Application]]:
    """A connection to a server as it is run, over the same gateway."""
    app = make_app(site.gateway)
    async with listening(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Line(reader, writer, caller.key), app
        finally:
            writer.close()


async def test_what_is_refused_unread_says_the_same_as_what_was_read(site: Site, shop: Caller) -> None:
    fields = ("X-Request-Id: from-the-caller", f"traceparent: {TRACE}")
    async with line_to(site, shop) as (line, app):
        await line.post(send_body())
        app[ADMISSION].under_way = 10_000

        read, unread = [await line.post(send_body(), *fields) for _ in range(2)]
        health = await line.get("/healthz")
        app[ADMISSION].under_way = 0
        after = await line.post(send_body())
        metrics = (await shop.get("/metrics")).body

    assert (unread[0], unread[2]["code"], health[0], after[0]) == (503, "busy", 200, 202)
    assert unread[2] == read[2]
    assert {**unread[1], "date": ""} == {**read[1], "date": ""}
    assert list(unread[1]) != list(read[1]), "it was put together in another way"
    assert (unread[1]["traceparent"], unread[1]["x-request-id"]) == (TRACE, "from-the-caller")
    assert 'heliograph_http_requests_total{method="POST",route="/v1/messages",status="503"} 2.0' in metrics


async def test_a_post_in_pieces_or_with_another_behind_it_is_read_as_ever(site: Site, shop: Caller) -> None:
    async with line_to(site, shop) as (line, app):
        app[ADMISSION].under_way = 10_000
        for pieces in (1, 1, 3, 1):
            assert (await line.post(send_body(), pieces=pieces))[0] == 503

        line.send(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\nGET /heal")
        assert (await line.answer())[0] == 200
        line.send(b"thz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await line.answer())[0] == 200
        app[ADMISSION].under_way = 0
        assert (await line.post(send_body()))[0] == 202


async def test_an_old_backlog_refuses_a_flood_unread_and_never_what_may_be_urgent(site: Site, shop: Caller) -> None:
    clock = site.gateway.clock
    assert isinstance(clock, SetClock)
    async with line_to(site, shop) as (line, _):
        first = await line.post(send_body(), "Idempotency-Key: once")
        clock.advance(120)

        again = await line.post(send_body(), "Idempotency-Key: once")
        answers: list[tuple[int, Any, Any]] = []
        async with asyncio.timeout(20):
            while not answers or answers[-1][2]["detail"] != "What is due waits too long already.":
                answers.append(await line.post(send_body()))
        urgent = [await line.post(CODE), await line.post(send_body(priority="high"))]

    assert (first[0], again[0], again[1]["idempotent-replayed"]) == (202, 202, "true")
    assert {(status, body["code"]) for status, _, body in answers} == {(503, "overloaded")}
    assert [status for status, *_ in urgent] == [202, 202]


@pytest.mark.parametrize(
    ("data", "is_whole"),
    [
        (b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"POST /v1/messages/batch HTTP/1.1\r\ncontent-length:2\r\n\r\n{}", True),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}", False),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST", False),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", False),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}", False),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", False),
        (b"POST /v1/messages HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}", False),
        (b"POST /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"POST /v1/messages HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"GET /v1/messages HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_one_whole_plain_post_is_taken_for_one(data: bytes, is_whole: bool) -> None:
    assert (whole_post(data) is not None) is is_whole
