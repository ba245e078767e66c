"""One kept SMTP connection: opened and secured by aiosmtplib, then spoken over in as few round trips as allowed.

aiosmtplib knows greetings, STARTTLS and AUTH, and sends one command per round trip. The three commands of a message
are ours, so that they go pipelined (RFC 2920) where the server offers it, and so that we know for certain whether
the final dot had left when a connection broke.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

import aiosmtplib

from providers.smtp_answers import Answer, Reply, Stage, read_reply

_REPLY_LINE: Final = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?")
_CLOSING: Final = 421
"""The server hangs up after this one; what was asked beside it is not answered."""
_MAX_REPLY_BYTES: Final = 64 * 1024
_MAX_REPLY_LINES: Final = 512
"""A server that says more than this in one breath is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Which server to speak to, and how."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    tls_context: ssl.SSLContext | None
    username: str | None
    password: str | None = field(repr=False)
    hello: str | None
    """The name given in EHLO; None takes this machine's own."""


class NotConnected(Exception):
    """No conversation could be opened; nothing of any message was said."""

    def __init__(self, answer: Answer, *, misconfigured: str | None = None) -> None:
        super().__init__(misconfigured or "no connection")
        self.answer = answer
        self.misconfigured = misconfigured
        """A sentence, where the settings and not the network are at fault."""


class Disconnected(Exception):
    """The connection broke; `replies` had come before."""

    def __init__(self, replies: list[Reply]) -> None:
        super().__init__("disconnected")
        self.replies = replies


class Conversation(asyncio.Protocol):
    """Sends groups of commands and collects their replies, one group at a time."""

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str]) -> None:
        self.extensions = extensions
        """What EHLO answered: keyword in lower case → parameters."""
        self.messages = 0
        """How many were handed over on this connection."""
        self.needs_reset = False
        """A transaction was broken off and stands in the way of the next."""
        self._transport = transport
        self._buffer = bytearray()
        self._code: bytes | None = None
        """Of the reply whose first lines came."""
        self._lines: list[str] = []
        self._replies: list[Reply] = []
        self._expected = 0
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._lost = False

    @property
    def is_usable(self) -> bool:
        """Open, with no reply outstanding: fit for another message."""
        return not self._lost and not self._expected and not self._transport.is_closing()

    async def exchange(self, commands: bytes, replies: int) -> list[Reply]:
        """Send one group of commands and wait for all its replies. Raises Disconnected with those that came."""
        if not self.is_usable:
            raise Disconnected([])
        self._replies, self._expected = [], replies
        self._transport.write(commands)
        await self._wait()
        if len(self._replies) < replies:
            raise Disconnected(self._replies)
        return self._replies

    async def write(self, data: bytes) -> None:
        """Hand data to the network; return when the most of it has left. Raises Disconnected."""
        self._transport.write(data)
        if self._paused:
            try:
                await self._wait()
            except asyncio.CancelledError:
                # Half a text is out: whatever came next on this connection would be read as the rest of it.
                self.abort()
                raise
        if self._lost:
            raise Disconnected([])

    def close(self) -> None:
        """Take leave as one should, without waiting for the answer; at once where something is outstanding."""
        if not self.is_usable:
            self.abort()
            return
        self._lost = True
        self._transport.write(b"QUIT\r\n")
        self._transport.close()

    def abort(self) -> None:
        """Hang up, and let whoever waits for a reply know."""
        self._lost = True
        self._transport.abort()
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _MAX_REPLY_BYTES:
            self.abort()
        while not self._lost and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._read_line(line)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._lost = True
        self._wake()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        # Whoever waits for replies goes on waiting: that the text has left answers nothing.
        if not self._expected:
            self._wake()

    def _read_line(self, line: bytes) -> None:
        shaped = _REPLY_LINE.fullmatch(line)
        # Between messages only a farewell comes unasked (421 before an idle server hangs up).
        if shaped is None or not self._expected or len(self._lines) >= _MAX_REPLY_LINES:
            self.abort()
            return
        code, more, text = shaped.groups()
        if self._code not in (None, code):
            # RFC 5321 section 4.2.1: every line has the same code; which of two would count nobody can tell.
            self.abort()
            return
        self._lines.append((text or b"").decode("utf-8", "replace"))
        if more == b"-":
            self._code = code
            return
        self._code = None
        self._replies.append(read_reply(int(code), self._lines))
        self._lines = []
        self._expected -= 1
        if int(code) == _CLOSING:
            self._lost = True
        if self._lost or not self._expected:
            self._wake()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def connect(peer: Peer, timeout_seconds: float) -> Conversation:
    """Open a connection, secure it, sign in, and take it over from aiosmtplib. Raises NotConnected, classified."""
    client = aiosmtplib.SMTP(
        hostname=peer.host,
        port=peer.port,
        timeout=timeout_seconds,
        use_tls=peer.tls == "tls",
        start_tls=peer.tls == "starttls",
        tls_context=peer.tls_context,
        username=peer.username,
        password=peer.password,
        local_hostname=peer.hello,
    )
    try:
        await client.connect()
        if client.last_ehlo_response is None:
            await client.ehlo()
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
        client.close()
        raise _translate(error) from error
    except BaseException:
        client.close()
        raise
    if client.transport is None or client.transport.is_closing():
        raise NotConnected(Answer(stage=Stage.CONNECT, reply=None))
    transport = cast(asyncio.Transport, client.transport)
    conversation = Conversation(transport, client.esmtp_extensions)
    transport.set_protocol(conversation)
    return conversation


def _translate(error: Exception) -> NotConnected:
    """Our word for what aiosmtplib, the TLS library or the network said while a connection was made."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return _at_fault("The server's certificate cannot be trusted, or it does not speak TLS on this port.")
        cause = cause.__cause__
    match error:
        case aiosmtplib.SMTPResponseException(code=aiosmtplib.SMTPStatus.invalid_response):
            return _at_fault("What answers on this port does not speak SMTP.")
        case aiosmtplib.SMTPResponseException():
            stage = Stage.AUTH if isinstance(error, aiosmtplib.SMTPAuthenticationError) else Stage.CONNECT
            return NotConnected(Answer(stage=stage, reply=read_reply(error.code, error.message.split("\n"))))
        case OSError():
            return NotConnected(Answer(stage=Stage.CONNECT, reply=None))
        case UnicodeError():
            return _at_fault("The host name cannot be looked up.")
        case _:
            # STARTTLS or AUTH asked for by the settings and not offered by the server.
            return _at_fault("The server offers no STARTTLS, or no way to sign in that we know.")


def _at_fault(sentence: str) -> NotConnected:
    return NotConnected(Answer(stage=Stage.CONNECT, reply=None), misconfigured=sentence)
