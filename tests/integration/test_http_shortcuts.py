"""A call answers alike however it was found: by one look-up, or by the router."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.bootstrap import open_gateway
from gateway.settings import Settings
from gateway.web.app import make_app
from gateway.web.server import listening
from tests.http import send_body


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[tuple[int, str]]:
    """Port and key of a gateway that listens as it does in earnest."""
    settings = Settings.model_validate({"store": {"url": f"sqlite:///{tmp_path}/store.db"}})
    async with open_gateway(settings, work=False) as gateway, listening(make_app(gateway), "127.0.0.1", 0) as port:
        assert gateway.first_key is not None
        yield port, gateway.first_key


async def posted(listener: tuple[int, str], path: str, *further: str) -> tuple[str, set[str], bytes]:
    """Status line, header lines and the rest of what a post on a connection of its own gets."""
    port, key = listener
    body = json.dumps(send_body()).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", *further, "", ""])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + body)
    got = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    told, _, rest = got.partition(b"\r\n\r\n")
    status, *headers = told.decode().split("\r\n")
    return status, set(headers), rest


async def test_the_router_and_the_look_up_lead_to_the_same_answer(listener: tuple[int, str]) -> None:
    direct, routed = await posted(listener, "/v1/messages"), await posted(listener, "/v1/%6Dessages")

    assert direct[0] == routed[0] == "HTTP/1.1 202 Accepted"
    assert {line.partition(":")[0] for line in direct[1]} == {line.partition(":")[0] for line in routed[1]}
    assert json.loads(direct[2]).keys() == json.loads(routed[2]).keys()


async def test_a_query_that_means_nothing_is_refused_either_way(listener: tuple[int, str]) -> None:
    status, _, rest = await posted(listener, "/v1/messages?x=1")

    assert status.startswith("HTTP/1.1 422 ")
    assert json.loads(rest)["errors"][0]["pointer"] == "?x"


async def test_a_caller_who_waits_to_be_told_gets_a_continue_first(listener: tuple[int, str]) -> None:
    status, _, rest = await posted(listener, "/v1/messages", "Expect: 100-continue")

    assert status == "HTTP/1.1 100 Continue"
    assert rest.startswith(b"HTTP/1.1 202 Accepted\r\n")


async def test_every_answer_tells_the_request_id_and_the_standing_headers(listener: tuple[int, str]) -> None:
    _, headers, _ = await posted(listener, "/v1/messages", "X-Request-Id: their-own-id")

    assert {"X-Request-Id: their-own-id", "Server: heliograph", "X-Content-Type-Options: nosniff"} < headers
