"""The mailbox's own SMTP server: takes mail on loopback from our provider or any local client, and keeps it."""

from typing import Final

from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as ReceivedEnvelope

from gateway.domain.ids import DELIVERY, make_id
from gateway.errors import Overloaded, Unavailable
from gateway.ports import MailboxItem, MailboxStore
from providers.base import Channel, Clock, DeliveryId
from providers.mailbox_content import ReceivedMail, whole
from providers.smtp_listener import Manners, Offering, SmtpListener

_MANNERS: Final = Manners(
    hostname="mailbox.localhost",
    ident="Heliograph mailbox",
    most_bytes=64 * 1024 * 1024,
    most_connections=1_000,
    idle_seconds=300.0,
)


class _Handler(Offering):
    """What aiosmtpd calls; the method names are its hooks."""

    def __init__(self, store: MailboxStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

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


def mailbox_listener(store: MailboxStore, clock: Clock, *, host: str, port: int, shared: bool = False) -> SmtpListener:
    """The server of one mailbox, not yet started."""
    return SmtpListener(_Handler(store, clock), _MANNERS, host=host, port=port, shared=shared)
