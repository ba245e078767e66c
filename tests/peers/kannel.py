"""A Kannel of the tests' own on loopback: bearerbox and smsbox, and a carrier that they reach by HTTP."""

import itertools
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

from tests.peers.programs import find_program
from tests.servers import free_port
from tests.servers.process import ServerProcess

USERNAME, PASSWORD, TOKEN = "heliograph", "password-of-the-tests", "token-for-the-texts"
_CONF: Final = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = tests
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
dlr-storage = internal
sms-resend-freq = 1
sms-resend-retry = 1

group = smsc
smsc = http
smsc-id = carrier
system-type = kannel
smsc-username = kannel
smsc-password = kannel
send-url = "{carrier}"
port = {receipts}
connect-allow-ip = 127.0.0.1
dlr-url = "http://127.0.0.1:{receipts}/sms?username=kannel&password=kannel"

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {boxes}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
http-request-retry = 20
http-queue-delay = 1

group = sendsms-user
username = {username}
password = {password}
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = yes
max-messages = 0
get-url = "{webhook}?from=%p&to=%P&text=%b&charset=%C&id=%I&at=%T&token={token}"
"""


@dataclass(frozen=True)
class Kannel:
    """A running one."""

    url: str
    """Its smsbox."""
    texts: str
    """Where the carrier brings texts."""


@contextmanager
def running_kannel(carrier: str, webhook: str) -> Iterator[Kannel]:
    """Kannel before the carrier at that address, calling the gateway's webhook, until the block ends."""
    bearerbox = find_program("bearerbox", package="kannel")
    smsbox = find_program("smsbox", package="kannel")
    ports = {name: free_port() for name in ("admin", "boxes", "receipts", "sendsms")}
    with tempfile.TemporaryDirectory(prefix="kannel-") as base:
        conf = Path(base) / "kannel.conf"
        names = {"username": USERNAME, "password": PASSWORD, "token": TOKEN}
        conf.write_text(_CONF.format(carrier=carrier, webhook=webhook, **ports, **names))
        servers = [
            ServerProcess(
                [program, "-v", "2", conf],
                log=Path(base) / f"{Path(program).name}.log",
                answers=lambda port=ports[port]: _listens(port),  # type: ignore[misc]  # mypy gives lambdas no defaults
                end=signal.SIGTERM,
                cwd=base,
            )
            for program, port in ((bearerbox, "boxes"), (smsbox, "sendsms"))
        ]
        try:
            for server in servers:
                server.start()
            yield Kannel(url=f"http://127.0.0.1:{ports['sendsms']}", texts=f"http://127.0.0.1:{ports['receipts']}/sms")
        finally:
            for server in reversed(servers):
                server.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Carrier:
    """A carrier that Kannel speaks to by HTTP; what it says of a text and when is for tests to choose."""

    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By number: status and words in place of taking it."""
    got: list[dict[str, str]] = field(default_factory=list)
    """The texts, part by part."""

    async def take(self, request: web.Request) -> web.Response:
        """Take one part of a text."""
        # Its bytes are in the charset that it names.
        query = request.rel_url.raw_query_string
        charset = request.query["charset"]
        text = dict(parse_qsl(query, encoding=charset, errors="surrogatepass"))["text"]
        part = {**request.query, "text": text}
        self.got.append(part)
        status, words = self.refused.get(part["to"], (202, "0: Accepted for delivery"))
        return web.Response(status=status, text=words)

    async def tell(self, number: str, *receipts: int) -> None:
        """Give receipts for the number's texts, in that order."""
        async with aiohttp.ClientSession() as session:
            for part, receipt in itertools.product(self.of(number), receipts):
                async with session.get(part["dlr-url"].replace("%d", str(receipt))) as answer:
                    assert answer.status == 202, await answer.text()

    def of(self, number: str) -> list[dict[str, str]]:
        """The parts that came for a number."""
        return [part for part in self.got if part["to"] == number]


@dataclass
class Door:
    """What stands before the gateway: it brings every call twice, and may be shut."""

    gateway: TestClient[Any, Any] | None = None
    shut: set[str] = field(default_factory=set)
    """Kinds of receipts that are turned away."""

    async def take(self, request: web.Request) -> web.Response:
        """Pass a call on."""
        if self.gateway is None or request.query.get("status") in self.shut:
            return web.Response(status=503)
        statuses = []
        for _ in range(2):
            async with self.gateway.get(URL(request.raw_path, encoded=True)) as answer:
                statuses.append(answer.status)
        assert statuses[0] == statuses[1]
        return web.Response(status=statuses[0])


@asynccontextmanager
async def serving(path: str, take: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server on loopback, and its address."""
    app = web.Application()
    app.router.add_get(path, take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()
