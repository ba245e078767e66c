"""The SMTP server that bounces come to: takes mail to return paths of ours, one at a time, and nothing else.

It answers no mail with mail, and takes none that it would have to give back: what nobody expects is refused while its
sender is still there.
"""

from typing import Final
from weakref import WeakKeyDictionary

import structlog
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as ReceivedEnvelope

from gateway.errors import Overloaded, Unavailable
from gateway.ports import BounceIntake, ExpectedBounce
from providers.smtp_listener import Manners, Offering, SmtpListener

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MANNERS: Final = Manners(
    hostname="bounces.localhost",
    ident="Heliograph bounces",
    # Reports hold headers only where their writer heeds what was asked for; others return the whole e-mail.
    most_bytes=10 * 1024 * 1024,
    most_connections=50,
    idle_seconds=60.0,
)
_LATER: Final = "451 4.3.0 It cannot be kept now; come again later"


class _Handler(Offering):
    """What aiosmtpd calls; the method names are its hooks."""

    def __init__(self, intake: BounceIntake) -> None:
        self._intake = intake
        self._expected: WeakKeyDictionary[ReceivedEnvelope, ExpectedBounce] = WeakKeyDictionary()
        """For each mail that is being handed in, whose it is."""

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: ReceivedEnvelope, address: str, _options: list[str]
    ) -> str:
        """Take the return path of one e-mail of ours."""
        if envelope.rcpt_tos:
            # Each has its own: whoever has several of them for us brings them one after the other.
            return "452 4.5.3 One recipient at a time"
        expected = await self._intake.expect(address)
        if expected is None:
            return "550 5.1.1 No mail is expected there"
        self._expected[envelope] = expected
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: ReceivedEnvelope) -> str:  # noqa: N802
        """Let it act, and say so only when that is on disk."""
        mail = envelope.content if isinstance(envelope.content, bytes) else b""
        await self._intake.take_in(self._expected[envelope], mail)
        return "250 2.0.0 Ok"

    async def handle_exception(self, error: Exception) -> str:
        """Have it brought again, whatever went wrong here."""
        if not isinstance(error, Unavailable | Overloaded):
            _log.error("bounce.failed", error=type(error).__name__, exc_info=error)
        return _LATER


def bounce_listener(intake: BounceIntake, *, host: str, port: int, shared: bool = False) -> SmtpListener:
    """The server of one address, not yet started."""
    return SmtpListener(_Handler(intake), _MANNERS, host=host, port=port, shared=shared)
