"""SMTP servers on loopback that answer as a test tells them: aiosmtpd for the usual, bare lines for the odd."""

# ruff: noqa: N802 - the hooks of aiosmtpd are named after commands

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CUT = "cut"
"""In place of an answer: break the connection."""
HANG = "hang"
"""In place of an answer: say nothing more."""


@dataclass
class Peer:
    """A server under the test's command, and what it saw."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    """MAIL, RCPT, DATA (after the final dot) or AUTH → the answer, `cut` or `hang`; else it takes everything."""
    taken: Callable[[Envelope], str | None] = lambda mail: None
    """After the final dot: what stands in the place of DATA's answer for one e-mail; None for nothing."""
    mails: list[Envelope] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    open: set[asyncio.Transport] = field(default_factory=set)
    most_open: int = 0
    pipelining: bool = True

    def hang_up(self) -> None:
        """Close every connection, as servers do with idle ones."""
        for transport in tuple(self.open):
            transport.close()


class _Handler:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self._peer.sessions.append(session)
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self._peer.pipelining else responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from, envelope.mail_options = address, options
        return await self._answer("MAIL", server, "250 2.1.0 Ok")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._answer("RCPT", server, "250 2.1.5 Ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self._peer.mails.append(envelope)
        usual = "250 2.0.0 Ok: queued as 4XyZ12"
        return await self._answer("DATA", server, usual, instead=self._peer.taken(envelope))

    async def _answer(self, command: str, server: SMTP, usual: str, instead: str | None = None) -> str:
        answer = instead or self._peer.answers.get(command, usual)
        if answer == HANG:
            await asyncio.Event().wait()
        if answer == CUT:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "421 gone"
        return answer


class _Connection(SMTP):
    def __init__(self, peer: Peer, tls: ssl.SSLContext | None, password: bytes | None) -> None:
        def authenticate(
            server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
        ) -> AuthResult:
            scripted = peer.answers.get("AUTH")
            right = isinstance(data, LoginPassword) and data.password == password and scripted is None
            return AuthResult(success=right, handled=False, message=scripted)

        super().__init__(
            _Handler(peer),
            enable_SMTPUTF8=True,
            hostname="peer.test",
            tls_context=tls,
            auth_require_tls=False,
            authenticator=authenticate if password is not None else None,
            auth_exclude_mechanism=None if password is not None else ("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        self._peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._peer.open.add(transport)
        self._peer.most_open = max(self._peer.most_open, len(self._peer.open))
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self._peer.open.discard(self.transport)
        super().connection_lost(error)


@asynccontextmanager
async def smtp_peer(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    password: bytes | None = None,
    **answers: str,
) -> AsyncIterator[Peer]:
    """A real SMTP server on a free port of 127.0.0.1."""
    peer = Peer(answers=answers)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(peer, starttls, password), "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for transport in tuple(peer.open):
            transport.abort()
        await server.wait_closed()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def bare_peer(talk: Talk) -> AsyncIterator[int]:
    """A server that holds the given conversation with each client; answers its port."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def read_commands(reader: asyncio.StreamReader, *commands: bytes) -> None:
    """Read lines until each of the commands came, in that order."""
    for command in commands:
        while not (await reader.readuntil(b"\n")).upper().startswith(command):
            pass
