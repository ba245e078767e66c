"""Whatever is posted is refused with a clear problem or kept exactly; nothing breaks, hangs or leaks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gateway.bootstrap import open_gateway
from gateway.settings import Settings
from gateway.web.app import make_app
from gateway.web.server import listening
from gateway.web.site import page_routes
from tests.http import Caller, send_body

pytestmark = pytest.mark.asyncio(loop_scope="module")

INJECTIONS = [
    "x\r\nBcc: victim@example.org",
    "x\nBcc: victim@example.org",
    "x\rBcc: victim@example.org",
    "=?utf-8?q?hi=0d=0aBcc:_victim=40example.org?=",
    "x\u2028Bcc: victim@example.org",
    "x\x85Bcc: victim@example.org",
    "x\x0bBcc: victim@example.org",
    "x\x7f",
    "{{ 7 * 7 }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "%(name)900000000s",
    "{0.__class__}",
    "<script>alert(1)</script>",
    "'; DROP TABLE messages; --",
    "../../../../etc/passwd",
    "\u202egnp.exe",
    "A" * 1_000_000,
    "é" * 500_000,
    "🏳️‍🌈" * 20_000,
    "\ufeff",
    "\uffff",
    "a" * 5000 + "@example.org",
]


def at(body: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The body with a value at a path; lists on the way are made as needed."""
    first, *rest = path
    changed = dict(body)
    if not rest:
        changed[str(first)] = value
    elif isinstance(rest[0], int):
        changed[str(first)] = [value]
    else:
        inner = changed.get(str(first))
        changed[str(first)] = at(inner if isinstance(inner, dict) else {}, tuple(rest), value)
    return changed


FIELDS: list[tuple[str | int, ...]] = [
    ("template",),
    ("to", "id"),
    ("to", "email"),
    ("to", "phone"),
    ("to", "locale"),
    ("to", "timezone"),
    ("to", "country"),
    ("to", "region"),
    ("to", "attributes", "name"),
    ("data", "order"),
    ("data", "eta"),
    ("data", "tracking_url"),
    ("data", "total", "amount"),
    ("data", "total", "currency"),
    ("send_at",),
    ("send_at", "timezone"),
    ("expires_at",),
    ("tags", 0),
    ("metadata", "note"),
    ("from",),
    ("priority",),
]


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
async def test_hostile_text_in_any_field_is_refused_or_kept_exactly(shop: Caller, path: tuple[str | int, ...]) -> None:
    for text in INJECTIONS:
        body = at(send_body(to={"id": "user-42", "email": "amina@example.org"}), path, text)
        started = time.perf_counter()

        explained = await shop.post("/v1/explain", body)
        sent = await shop.post("/v1/messages", body)

        assert time.perf_counter() - started < 5, (path, text[:40])
        assert sent.status in (202, 413, 422), (path, text[:40], sent.body)
        assert explained.status in (200, 413, 422), (path, text[:40], explained.body)
        if sent.status == 202:
            read = await shop.get(sent.headers["Location"])
            assert read.status == 200
            assert kept(read.body, path) in (text, None), path
        if explained.status == 200:
            assert_nothing_is_injected(explained.body["deliveries"][0]["content"])


def kept(message: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    """What a message read back has where the request had the hostile text; normal forms of addresses aside."""
    value: Any = {**message, "to": {"attributes": message["recipient"]["attributes"]}}
    step: Any
    for step in path:
        value = value[step] if isinstance(value, list) else (value or {}).get(step)
    return value


def assert_nothing_is_injected(content: dict[str, Any]) -> None:
    for text in (content["subject"], content["preheader"], *content["headers"].keys(), *content["headers"].values()):
        assert not {"\r", "\n", "\u2028", "\x85", "\x0b"} & set(text)
    assert "<script>alert" not in content["html"]
    assert "bcc" not in {name.lower() for name in content["headers"]}


@pytest.mark.parametrize("kind", ["list", "object", "number", "true", "null", "deep"])
async def test_a_value_of_the_wrong_kind_anywhere_is_no_server_error(shop: Caller, kind: str) -> None:
    deep: Any = 1
    for _ in range(25):
        deep = [deep]
    value = {"list": [1], "object": {"a": {"b": 1}}, "number": 1e300, "true": True, "null": None, "deep": deep}[kind]

    for path in FIELDS:
        reply = await shop.post("/v1/messages", at(send_body(), path, value))

        assert reply.status in (202, 422), (path, reply.body)


@pytest.mark.parametrize(
    "header",
    ["Idempotency-Key", "traceparent", "X-Request-Id", "Authorization", "Content-Type", "Accept", "If-Match", "Cookie"],
)
async def test_hostile_headers_are_refused_or_ignored(shop: Caller, header: str) -> None:
    for value in ("é" * 20, "x" * 4000, '"' * 50, "00-" + "f" * 300, ";;;===,,,"):
        reply = await shop.call("POST", "/v1/messages", send_body(), headers={header: value})

        assert reply.status in (202, 400, 401, 415, 422), (header, value[:20], reply.body)
        assert reply.headers["X-Request-Id"] != value


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listener(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, str]]:
    """Port and key of a gateway that listens as it does in earnest."""
    configured = {"store": {"url": f"sqlite:///{tmp_path_factory.mktemp('listener')}/store.db"}}
    async with (
        open_gateway(Settings.model_validate(configured), work=False) as gateway,
        listening(make_app(gateway, page_routes(gateway)), "127.0.0.1", 0) as port,
    ):
        assert gateway.first_key is not None
        yield port, gateway.first_key


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=lambda raw: repr(raw[:20]),
)
async def test_what_is_no_http_ends_with_a_problem_and_a_closed_connection(
    listener: tuple[int, str], raw: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener[0])

    writer.write(raw)
    if raw.startswith(b"\x16"):
        # A TLS greeting is never a whole line: the client would wait for ever, and gives up.
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head.partition(b"\r\n")[0] or raw.startswith(b"\x16")
    if answer:
        assert json.loads(body)["code"] == "bad_request"
        assert b"application/problem+json" in head
        assert b"X-Request-Id" in head
        assert b"aiohttp" not in head


@pytest.mark.parametrize(
    ("path", "route", "content_type"),
    [
        ("/v1/messages", "/v1/messages", "application/json"),
        ("/u/x", "/u/{token}", "application/x-www-form-urlencoded"),
        ("/u/x", "/u/{token}", "multipart/form-data; boundary=b"),
    ],
)
async def test_a_caller_that_hangs_up_in_the_middle_of_its_body_is_no_failure_of_ours(
    listener: tuple[int, str], path: str, route: str, content_type: str
) -> None:
    port, key = listener
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: {content_type}\r\nContent-Length: 1000\r\n\r\n{{"
    url = f"http://127.0.0.1:{port}/metrics"

    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        metrics = ""
        while f'route="{route}",status="400"' not in metrics:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode())
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
            async with session.get(url) as response:
                metrics = await response.text()

    assert 'status="500"' not in metrics
