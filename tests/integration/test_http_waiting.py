"""A process that waits for its store answers all the same: it lives, and it cannot work yet."""

import aiohttp
import pytest

from gateway.errors import ConfigurationError
from gateway.web.waiting import answering
from tests.servers import free_port


async def test_who_waits_for_the_store_lives_and_refuses_all_else() -> None:
    port = free_port()
    async with answering("127.0.0.1", port, shared=False), aiohttp.ClientSession() as session:
        answers = {}
        for method, path in (("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/v1/messages")):
            async with session.request(method, f"http://127.0.0.1:{port}{path}", json={}) as response:
                answers[path] = (response.status, response.headers.get("Retry-After"), (await response.json()))

    assert answers["/healthz"] == (200, None, {"status": "ok"})
    assert answers["/readyz"][:2] == answers["/v1/messages"][:2] == (503, "5")
    assert answers["/v1/messages"][2]["code"] == "unavailable"


async def test_a_port_that_somebody_else_has_is_told_at_once() -> None:
    port = free_port()
    async with answering("127.0.0.1", port, shared=False):
        with pytest.raises(ConfigurationError, match=f"Cannot listen on 127.0.0.1:{port}"):
            await answering("127.0.0.1", port, shared=False).__aenter__()
