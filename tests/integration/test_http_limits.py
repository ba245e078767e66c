"""Bodies, rates, keys and a stopping process: each limit is told as a problem that says what to do."""

import gzip
import json
from typing import Any

import pytest

from gateway.web.app import ADMISSION
from tests.http import Caller, Site, send_body

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b'{"template": "a", "template": "b"}', 400, "malformed_json"),
        (b'{"template": NaN}', 400, "malformed_json"),
        (b'\xff\xfe{"template": 1}', 400, "malformed_json"),
        (b'{"template": "\\ud800"}', 422, "invalid_request"),
        (b"[" * 200_000, 422, "invalid_request"),
        (b"[" + b"1," * 20_000 + b"1]", 422, "invalid_request"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, 422, "invalid_request"),
        (b'"' + b"x" * 1_000_000 + b'"', 422, "invalid_request"),
        (b'{"data": ' + b"9" * 5_000 + b"}", 400, "malformed_json"),
        (b'{"data": ' + b"9" * 50 + b"}", 422, "invalid_request"),
        (b" " * 3_000_000, 413, "too_large"),
        (b"null", 422, "invalid_request"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_a_body_that_cannot_be_taken_is_told_why(shop: Caller, raw: bytes, status: int, code: str) -> None:
    reply = await shop.call("POST", "/v1/messages", raw=raw)

    assert (reply.status, reply.body["code"]) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/jsonp"},
    ],
    ids=str,
)
async def test_a_body_that_is_not_json_by_its_header_is_refused(shop: Caller, headers: dict[str, str]) -> None:
    reply = await shop.call("POST", "/v1/messages", raw=json.dumps(send_body()).encode(), headers=headers)

    assert (reply.status, reply.body["code"]) == (415, "unsupported_media_type")


async def test_a_compressed_body_is_refused_before_it_is_unpacked(shop: Caller) -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    reply = await shop.call("POST", "/v1/messages", raw=bomb, headers={"Content-Encoding": "gzip"})

    assert reply.status in (400, 413, 415)


async def test_a_chunked_body_is_measured_while_it_arrives(site: Site, shop: Caller) -> None:
    async def endless() -> Any:
        for _ in range(400):
            yield b" " * 65_536

    headers = {"Authorization": f"Bearer {shop.key}", "Content-Type": "application/json"}
    async with site.client.post("/v1/messages", data=endless(), headers=headers) as response:
        assert response.status == 413


async def test_a_key_is_held_to_its_rate(site: Site, service: str) -> None:
    caller = await site.caller(service, rate=2)

    replies = [await caller.get("/v1/messages") for _ in range(4)]

    assert [reply.status for reply in replies].count(200) in (2, 3)
    refused = replies[-1]
    assert (refused.status, refused.body["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) >= 1
    assert replies[0].headers["RateLimit-Policy"] == '"default";q=2;w=1'
    assert replies[0].headers["RateLimit"].startswith('"default";r=1;')


async def test_a_key_without_a_rate_has_no_limit(shop: Caller) -> None:
    replies = [await shop.get("/v1/templates/order-shipped") for _ in range(30)]

    assert {reply.status for reply in replies} == {200}
    assert "RateLimit" not in replies[0].headers


async def test_a_stopping_process_refuses_new_posts_and_still_reads(site: Site, shop: Caller) -> None:
    admission = site.client.app[ADMISSION]
    admission.drain()
    try:
        posted = await shop.post("/v1/messages", send_body())
        read = await shop.get("/v1/messages")
        health = await shop.get("/healthz")
    finally:
        admission.is_draining = False

    assert (posted.status, posted.body["code"]) == (503, "draining")
    assert posted.headers["Retry-After"] == "5"
    assert (read.status, health.status) == (200, 200)


async def test_an_unknown_route_and_a_wrong_method_are_problems_too(shop: Caller) -> None:
    absent = await shop.get("/v1/nothing")
    wrong = await shop.call("DELETE", "/v1/messages")

    assert (absent.status, absent.body["code"]) == (404, "not_found")
    assert (wrong.status, wrong.body["code"]) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET,HEAD,POST"


async def test_the_readiness_names_store_queue_and_zones(shop: Caller) -> None:
    health, ready = await shop.get("/healthz"), await shop.get("/readyz")

    assert health.body == {"status": "ok"}
    assert (ready.status, ready.body["status"]) == (200, "ready")
    assert ready.body["store"]["status"] == "ok"
    assert ready.body["migrations"]["status"] == "ok"
    assert ready.body["queue"]["status"] == "elsewhere"
    assert ready.body["timezone_database"].startswith("20")
    assert (ready.body["broken_catalogs"], ready.body["broken_templates"]) == ({}, {})


async def test_metrics_count_requests_by_route_and_never_by_id(shop: Caller) -> None:
    await shop.get("/v1/messages/msg_not_there")

    metrics = (await shop.get("/metrics")).body

    route = 'heliograph_http_requests_total{method="GET",route="/v1/messages/{message_id}",status="404"}'
    assert route in metrics
    assert "msg_not_there" not in metrics
