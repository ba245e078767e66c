"""A small SMTP server in the running event loop: one address, and so many connections at once."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as ReceivedEnvelope

_TURNED_AWAY: Final = b"421 4.3.2 Too many connections; come again later\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a server behaves towards whoever connects."""

    hostname: str
    ident: str
    most_bytes: int
    """Of one mail; more is refused."""
    most_connections: int
    """At once; whoever comes then is turned away."""
    idle_seconds: float
    """After so long without a word a connection is closed."""


class Offering:
    """What aiosmtpd can do and does not say: it reads commands one by one from a buffer. The name is its hook."""

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: ReceivedEnvelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer pipelining and enhanced status codes."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]


class SmtpListener:
    """Listens on one address from `start` to `aclose`; what it is told goes to the hooks of a handler of aiosmtpd."""

    def __init__(self, handler: Offering, manners: Manners, *, host: str, port: int, shared: bool = False) -> None:
        self._handler = handler
        self._manners = manners
        self._host = host
        self._port = port
        self._shared = shared
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.BaseTransport] = set()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to; a port of 0 becomes a real one at the start."""
        return self._host, self._port

    async def start(self) -> None:
        """Open the port. Raises OSError where it is taken."""
        # aiosmtpd writes whole addresses into its log at the level `info`.
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, self._host, self._port, reuse_port=self._shared or None)
        self._port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Close the port and what is connected to it."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for transport in tuple(self._open):
            transport.close()
        await server.wait_closed()

    def _connect(self) -> asyncio.BaseProtocol:
        if len(self._open) >= self._manners.most_connections:
            return _TurnedAway()
        return _Connection(self._handler, self._manners, self._open)


class _TurnedAway(asyncio.Protocol):
    """Says that there is no room, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_TURNED_AWAY)
            transport.close()


class _Connection(SMTP):
    """One client's connection, entered in the listener's book so that it can be closed with it."""

    def __init__(self, handler: Offering, manners: Manners, book: set[asyncio.BaseTransport]) -> None:
        super().__init__(
            handler,
            data_size_limit=manners.most_bytes,
            enable_SMTPUTF8=True,
            hostname=manners.hostname,
            ident=manners.ident,
            timeout=manners.idle_seconds,
            loop=asyncio.get_running_loop(),
        )
        self._book = book

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._book.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._book.discard(self.transport)
        super().connection_lost(error)
