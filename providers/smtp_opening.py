"""Opening an SMTP connection: aiosmtplib greets, secures and signs in, then a conversation of ours takes over."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Literal, cast

import aiosmtplib

from providers.smtp_answers import Answer, Stage, read_reply
from providers.smtp_conversation import Conversation


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
