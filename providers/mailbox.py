"""The local mailbox: for every channel, keeps what it was given for people to look at, and sends nothing out.

E-mail takes the whole way: a real SMTP conversation with the mailbox's own listener, in the code of the `smtp`
provider. What comes twice for one delivery is kept once, so a second call is always safe. It also takes texts as if
someone had sent them (`mailbox_webhook`), for trying things out.
"""

from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from gateway.domain.recipients import JsonValue
from gateway.errors import Overloaded, Unavailable
from gateway.ports import MailboxItem, MailboxStore
from providers.base import (
    Capabilities,
    Channel,
    Clock,
    DeviceResult,
    Envelope,
    Inbound,
    Outcome,
    PushContent,
    SendResult,
    SmsContent,
    WebhookRequest,
    wrong_channel,
)
from providers.mailbox_content import push_json, sms_json
from providers.mailbox_listener import mailbox_listener
from providers.mailbox_webhook import is_signed, read_text
from providers.smtp import SmtpProvider, SmtpSettings
from providers.smtp_listener import SmtpListener

_CONNECTIONS: Final = 8


class MailboxProvider:
    """Keeps everything; its answer is `delivered`, for what lies in the mailbox has arrived."""

    def __init__(
        self, name: str, store: MailboxStore, clock: Clock, listener: SmtpListener, webhook_secret: str | None
    ) -> None:
        """Takes over a listener that was started; `open` is the usual way."""
        self._name = name
        self._store = store
        self._clock = clock
        self._listener = listener
        self._webhook_secret = webhook_secret
        host, port = listener.address
        self._smtp = SmtpProvider(
            name, SmtpSettings(host=host, port=port, connections=_CONNECTIONS, hello="heliograph.localhost")
        )

    @classmethod
    async def open(
        cls,
        name: str,
        store: MailboxStore,
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        shared: bool = False,
        webhook_secret: str | None = None,
    ) -> "MailboxProvider":
        """A mailbox whose SMTP listener is open; port 0 takes a free one. Raises OSError for a taken port.

        Processes over one store may have a `shared` port: mail comes to any of them, and into the one mailbox.
        Inbound texts are signed with the `webhook_secret`; without one none is believed.
        """
        listener = mailbox_listener(store, clock, host=host, port=port, shared=shared)
        await listener.start()
        return cls(name, store, clock, listener, webhook_secret)

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Every channel; idempotent by delivery id."""
        return Capabilities(channels=frozenset(Channel), idempotent=True, concurrency=64, takes_mime=True)

    @property
    def smtp_address(self) -> tuple[str, int]:
        """Where any local client may hand in mail, such as a provider of the kind `smtp`."""
        return self._listener.address

    async def send(self, envelope: Envelope) -> SendResult:
        """Keep it; `transient` while the store cannot, since another try never makes a second copy."""
        match envelope.channel:
            case Channel.EMAIL:
                return await self._send_email(envelope)
            case Channel.SMS:
                if not isinstance(envelope.content, SmsContent):
                    return wrong_channel(envelope)
                return await self._keep(envelope, envelope.to, sms_json(envelope.content))
            case Channel.PUSH:
                if not isinstance(envelope.content, PushContent):
                    return wrong_channel(envelope)
                to = ", ".join(device.platform.value for device in envelope.devices)
                return await self._keep(envelope, to, push_json(envelope.content, envelope.devices))
            case never:
                assert_never(never)

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether an inbound text is signed with the mailbox's secret, within the last five minutes."""
        return self._webhook_secret is not None and is_signed(self._webhook_secret, request)

    def parse(self, request: WebhookRequest) -> Sequence[Inbound]:
        """The one text of the call. Raises InvalidRequest."""
        return (read_text(request.body),)

    async def aclose(self) -> None:
        """Close the listener and our own connections to it."""
        await self._smtp.aclose()
        await self._listener.aclose()

    async def _send_email(self, envelope: Envelope) -> SendResult:
        result = await self._smtp.send(envelope)
        return _arrived(envelope) if result.outcome is Outcome.SENT else result

    async def _keep(self, envelope: Envelope, to: str, content: Mapping[str, JsonValue]) -> SendResult:
        item = MailboxItem(
            delivery_id=envelope.delivery_id,
            channel=envelope.channel,
            sender=envelope.sender,
            to=to,
            content=content,
            raw=None,
            received_at=self._clock.now(),
        )
        try:
            await self._store.keep(item)
        except (Unavailable, Overloaded) as error:
            return SendResult(outcome=Outcome.TRANSIENT, code="store", detail=error.message)
        return _arrived(envelope)


def _arrived(envelope: Envelope) -> SendResult:
    devices = tuple(
        DeviceResult(platform=device.platform.value, status="delivered", provider_message_id=envelope.delivery_id)
        for device in envelope.devices
    )
    return SendResult(outcome=Outcome.DELIVERED, provider_message_id=envelope.delivery_id, devices=devices)
