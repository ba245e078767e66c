"""SMTP: hands each e-mail to one relay over kept connections, signed and with a return path of its own.

What becomes of it comes back as mail to that path: see `smtp_bounces`.
"""

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from gateway.domain.return_paths import return_path
from gateway.errors import ConfigurationError
from providers.base import (
    Capabilities,
    Channel,
    Envelope,
    Fitness,
    Outcome,
    ProbeResult,
    SendResult,
    redacted,
    wrong_channel,
)
from providers.dkim import DkimKey, DkimSigner
from providers.smtp_answers import Answer, Stage, classify
from providers.smtp_conversation import Conversation
from providers.smtp_opening import NotConnected, Peer, connect
from providers.smtp_pool import SmtpPool
from providers.smtp_transaction import Letter, bare_address, wire_address, with_whole_line_ends


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """One relay and how to treat it."""

    host: str
    port: int = 25
    tls: Literal["none", "starttls", "tls"] = "none"
    """`starttls` and `tls` never go on without a certificate that verifies."""
    ca_file: Path | None = None
    """Authorities to trust in place of the system's."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0
    """For one call in all, a new connection included; the envelope's deadline holds too."""
    connections: int = 20
    messages_per_connection: int = 100
    idle_seconds: float = 60.0
    """After so long without use a connection is closed; servers hang up after some minutes themselves."""
    hello: str | None = None
    """Our name in EHLO; None takes this machine's own."""
    bounce_domain: str | None = None
    """Where bounces come to, each to an address that names its delivery; None has the relay report to the sender."""
    dkim: tuple[DkimKey, ...] = ()
    """Keys that sign; each signs what its domain sends."""


class SmtpProvider:
    """One relay. `sent` means that the relay has the message; without a `bounce_domain` that is all it ever tells."""

    def __init__(self, name: str, settings: SmtpSettings) -> None:
        """Raises ConfigurationError for a `ca_file` or a key that cannot be read."""
        self._name = name
        self._bounce_domain = settings.bounce_domain
        self._signer = DkimSigner(f"providers.{name}.dkim", settings.dkim) if settings.dkim else None
        self._timeout_seconds = settings.timeout_seconds
        self._peer = Peer(
            host=settings.host,
            port=settings.port,
            tls=settings.tls,
            tls_context=_tls_context(name, settings),
            username=settings.username,
            password=settings.password,
            hello=settings.hello,
        )
        self._pool = SmtpPool(
            self._connect,
            connections=settings.connections,
            messages_per_connection=settings.messages_per_connection,
            idle_seconds=settings.idle_seconds,
        )
        self._capabilities = Capabilities(
            channels=frozenset({Channel.EMAIL}),
            receipts=settings.bounce_domain is not None,
            concurrency=settings.connections,
            takes_mime=True,
        )

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """E-mail as MIME, as many calls at once as there are connections."""
        return self._capabilities

    async def send(self, envelope: Envelope) -> SendResult:
        """Hand one e-mail over and classify the answer."""
        letter = self._prepare(envelope)
        if isinstance(letter, SendResult):
            return letter
        deadline = asyncio.get_running_loop().time() + min(self._timeout_seconds, envelope.deadline_seconds)
        try:
            answer = await self._converse(letter, deadline)
        except TimeoutError:
            answer = Answer(stage=Stage.CONNECT, reply=None, is_late=True)
        except NotConnected as error:
            if error.misconfigured is not None:
                return _refused(Outcome.MISCONFIGURED, "connect", error.misconfigured)
            answer = error.answer
        return _result(answer, envelope)

    async def health(self) -> ProbeResult:
        """Connect, secure the line, sign in and take leave; nothing of a message is said."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                conversation = await self._connect()
        except TimeoutError:
            return ProbeResult(fitness=Fitness.DOWN, detail="No answer in time.")
        except NotConnected as error:
            return _unfit(error)
        conversation.close()
        return ProbeResult(fitness=Fitness.OK)

    async def aclose(self) -> None:
        """Take leave on all kept connections."""
        await self._pool.aclose()

    def _prepare(self, envelope: Envelope) -> Letter | SendResult:
        """What to hand to the server, or the result where there is nothing that could be said."""
        if envelope.channel is not Channel.EMAIL or envelope.mime is None:
            return wrong_channel(envelope)
        sender, recipient = bare_address(envelope.sender), wire_address(envelope.to)
        if sender is None:
            return _refused(Outcome.MISCONFIGURED, "bad_sender", "The sender is no e-mail address; correct `from`.")
        if recipient is None:
            return _refused(Outcome.INVALID_RECIPIENT, "5.1.3", "This is no e-mail address.")
        mime = envelope.mime
        if self._signer is not None:
            # What is signed must be what arrives: line ends are made whole before.
            mime = self._signer.sign(with_whole_line_ends(mime), sender)
        if self._bounce_domain is None:
            return Letter(sender=sender, recipient=recipient, mime=mime)
        return Letter(
            sender=return_path(envelope.delivery_id, self._bounce_domain),
            recipient=recipient,
            mime=mime,
            envelope_id=f"{envelope.delivery_id}.{envelope.attempt_id}",
        )

    async def _converse(self, letter: Letter, deadline: float) -> Answer:
        """Use a kept connection; where it proves dead before the text was sent, the next, and at last a new one.

        Raises NotConnected, and TimeoutError while nothing was said yet.
        """
        places = self._pool.places
        if places.locked():
            async with asyncio.timeout_at(deadline):
                await places.acquire()
        else:
            await places.acquire()
        try:
            while (conversation := self._pool.take()) is not None:
                answer = await self._deliver(conversation, letter, deadline)
                if not _was_stale(answer):
                    return answer
            async with asyncio.timeout_at(deadline):
                conversation = await self._pool.open()
            return await self._deliver(conversation, letter, deadline)
        finally:
            places.release()

    async def _deliver(self, conversation: Conversation, letter: Letter, deadline: float) -> Answer:
        try:
            return await conversation.deliver(letter, deadline)
        finally:
            self._pool.give_back(conversation)

    async def _connect(self) -> Conversation:
        return await connect(self._peer, self._timeout_seconds)


def _was_stale(answer: Answer) -> bool:
    """The server had left, or took its leave, before it was given any text: nothing can have been taken."""
    if answer.stage is Stage.DOT or answer.is_late:
        return False
    return answer.reply is None or answer.reply.code == 421


_QUEUE_ID: Final = re.compile(r"(?:queued as|\bid=)\s*<?([\w.\-]{4,64})", re.IGNORECASE)
"""Where Postfix, Exim and their likes name the message in their own log."""


def _result(answer: Answer, envelope: Envelope) -> SendResult:
    outcome, reply = classify(answer), answer.reply
    if reply is None:
        return SendResult(outcome=outcome, code=f"lost:{answer.stage.value}", detail=_silence(answer))
    queued = _QUEUE_ID.search(reply.text) if outcome is Outcome.SENT else None
    return SendResult(
        outcome=outcome,
        provider_message_id=queued[1] if queued else None,
        code=reply.label,
        detail=redacted(reply.text, envelope.to, envelope.sender),
    )


def _unfit(error: NotConnected) -> ProbeResult:
    """What a connection that could not be opened says of the relay."""
    if error.misconfigured is not None:
        return ProbeResult(fitness=Fitness.MISCONFIGURED, detail=error.misconfigured)
    reply, refused = error.answer.reply, classify(error.answer) is Outcome.MISCONFIGURED
    told = _silence(error.answer) if reply is None else f"{reply.label} {redacted(reply.text)}"
    return ProbeResult(fitness=Fitness.MISCONFIGURED if refused else Fitness.DOWN, detail=told)


def _silence(answer: Answer) -> str:
    if answer.is_late:
        return "No answer in time."
    return "No connection." if answer.stage is Stage.CONNECT else "The connection broke."


def _refused(outcome: Outcome, code: str, detail: str) -> SendResult:
    return SendResult(outcome=outcome, code=code, detail=detail)


def _tls_context(name: str, settings: SmtpSettings) -> ssl.SSLContext | None:
    if settings.tls == "none":
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"providers.{name}.ca_file: {settings.ca_file} is no readable file of certificates in PEM ({error})."
        ) from error
