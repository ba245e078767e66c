"""The console is open without sign-in to this machine alone, and only in embedded mode."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, make_mocked_request

from gateway.settings import Settings
from gateway.web.console.access import is_at_this_machine
from tests.pages import make_console

Client = Callable[[Any], Awaitable[TestClient[Any, Any]]]


class Connection:
    """The transport of a request, as far as it says who is at the other end."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return (self._peer, 50_000) if name == "peername" else None


def make_request(peer: str, host: str = "127.0.0.1:8080", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/log", headers={"Host": host, **named}, transport=Connection(peer))


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("127.0.0.1", "127.0.0.1:8080"),
        ("127.4.5.6", "localhost:8080"),
        ("::1", "[::1]:8080"),
        ("::ffff:127.0.0.1", "heliograph.localhost:8080"),
    ],
)
def test_this_machine_is_known_by_its_connection(peer: str, host: str) -> None:
    assert is_at_this_machine(make_request(peer, host))


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("192.168.1.7", "127.0.0.1:8080"),
        ("203.0.113.9", "localhost"),
        ("::ffff:203.0.113.9", "localhost"),
        ("2001:db8::1", "[::1]"),
        ("127.0.0.1", "evil.example"),
        ("127.0.0.1", "127.0.0.1.evil.example"),
        ("127.0.0.1", "localhost.evil.example:8080"),
        ("127.0.0.1", "evillocalhost"),
        ("127.0.0.1", "user@evil.example"),
        ("127.0.0.1", "["),
        ("127.0.0.1", ""),
        ("", "127.0.0.1"),
    ],
)
def test_another_machine_or_another_name_is_not_let_in(peer: str, host: str) -> None:
    assert not is_at_this_machine(make_request(peer, host))


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "X_Real_IP", "Via", "X_Forwarded_Host"])
def test_whoever_speaks_for_somebody_else_is_not_let_in(header: str) -> None:
    assert not is_at_this_machine(make_request("127.0.0.1", **{header: "127.0.0.1"}))


@pytest.mark.parametrize("path", ["/", "/log", "/log/msg_1", "/mailbox", "/mailbox/dlv_1", "/mailbox/dlv_1/html"])
@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "evil.example"),
        ({"server": {"public_url": "https://messages.example.org"}}, "127.0.0.1"),
        ({"store": {"url": "postgresql://localhost/heliograph"}}, "127.0.0.1"),
    ],
    ids=["rebound-name", "published", "scaled"],
)
async def test_a_shut_door_says_so_and_shows_nothing(
    aiohttp_client: Client, path: str, settings: dict[str, Any], host: str
) -> None:
    client = await aiohttp_client(await make_console(settings=Settings.model_validate(settings)))

    async with client.get(path, headers={"Host": host}) as response:
        text = await response.text()

    assert response.status == 403
    assert "only on the machine that the gateway runs on" in text


async def test_a_gateway_that_listens_everywhere_still_opens_to_its_own_machine(aiohttp_client: Client) -> None:
    settings = Settings.model_validate({"server": {"host": "0.0.0.0"}})
    client = await aiohttp_client(await make_console(settings=settings))

    async with client.get("/log") as response:
        assert response.status == 200
