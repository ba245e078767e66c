"""An answer is one well-formed HTTP message, whatever the caller's version and wish for the connection."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.web.responses import json_response
from gateway.web.server import listening


async def _answer(_request: web.Request) -> web.StreamResponse:
    response = json_response({"é": 1}, 202, {"Location": "/there"})
    response.standing = "Server: heliograph\r\n"
    return response


async def asked(head: bytes) -> tuple[list[str], bytes]:
    """What a fresh connection gets, to its end."""
    app = web.Application()
    app.router.add_route("*", "/", _answer)
    async with listening(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        got = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
    lines, _, body = got.partition(b"\r\n\r\n")
    return lines.decode().split("\r\n"), body


@pytest.mark.parametrize(
    ("head", "connection"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ["Connection: close"]),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", []),
    ],
    ids=["1.1 that asks for the end", "1.0 that ends by itself"],
)
async def test_the_connection_ends_after_the_answer_where_the_caller_wants_it(
    head: bytes, connection: list[str]
) -> None:
    lines, body = await asked(head)

    assert lines[0] == "HTTP/1.1 202 Accepted"
    assert body == '{"é":1}'.encode()
    assert {"Content-Type: application/json", "Content-Length: 8", "Location: /there", "Server: heliograph"} < set(
        lines
    )
    assert [line for line in lines if line.startswith("Connection")] == connection
    assert sum(line.startswith("Date: ") for line in lines) == 1


async def test_a_kept_connection_of_the_old_version_is_confirmed_and_answers_twice() -> None:
    again = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"

    lines, rest = await asked(again + b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")

    assert "Connection: keep-alive" in lines
    assert rest.count(b"HTTP/1.1 202 Accepted") == 1


async def test_a_head_request_gets_the_length_and_no_body() -> None:
    lines, body = await asked(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert "Content-Length: 8" in lines
    assert body == b""


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
async def test_a_header_with_a_line_break_is_never_written(value: str) -> None:
    response = json_response({}, headers={"Location": value})
    await response.prepare(make_mocked_request("GET", "/"))

    with pytest.raises(ValueError, match="line break"):
        await response.write_eof()
