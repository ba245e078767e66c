"""The mailbox's own SMTP server: takes mail on loopback from our provider or any local client, and keeps it."""

import asyncio
import logging
from typing import Final

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as ReceivedEnvelope

from gateway.domain.ids import DELIVERY, make_id
from gateway.errors import Overloaded, Unavailable
from gateway.ports import MailboxItem, MailboxStore
from providers.base import Channel, Clock, DeliveryId
from providers.mailbox_content import ReceivedMail, whole

_SIZE_LIMIT: Final = 64 * 1024 * 1024
_IDLE_SECONDS: Final = 300.0


class _Handler:
    """What aiosmtpd calls; the method names are its hooks."""

    def __init__(self, store: MailboxStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: ReceivedEnvelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer what aiosmtpd can do and does not say: it reads commands one by one from a buffer."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: ReceivedEnvelope) -> str:  # noqa: N802
        """Keep the mail, and say so only when it is on disk."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        now = self._clock.now()
        mail = ReceivedMail(raw)
        item = MailboxItem(
            delivery_id=mail.delivery_id or DeliveryId(make_id(DELIVERY, now)),
            channel=Channel.EMAIL,
            sender=mail.header("From") or whole(envelope.mail_from or ""),
            to=whole(", ".join(envelope.rcpt_tos)),
            content=mail.as_json(),
            raw=raw,
            received_at=now,
        )
        try:
            await self._store.keep(item)
        except (Unavailable, Overloaded):
            return "451 4.3.0 The store cannot keep it now"
        return f"250 2.0.0 Ok: queued as {item.delivery_id}"


class MailboxListener:
    """Listens on one address from `start` to `aclose`, in the running event loop."""

    def __init__(self, store: MailboxStore, clock: Clock, *, host: str, port: int, shared: bool = False) -> None:
        self._handler = _Handler(store, clock)
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
        self._server = await loop.create_server(
            lambda: _Session(self._handler, self._open), self._host, self._port, reuse_port=self._shared or None
        )
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


class _Session(SMTP):
    """One client's connection, entered in the listener's book so that it can be closed with it."""

    def __init__(self, handler: _Handler, book: set[asyncio.BaseTransport]) -> None:
        super().__init__(
            handler,
            data_size_limit=_SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname="mailbox.localhost",
            ident="Heliograph mailbox",
            timeout=_IDLE_SECONDS,
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
