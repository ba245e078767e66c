"""Texts that nobody sent: signed as the mailbox wants them, so that a command can try out what a real one would do."""

import json
import uuid
from contextlib import AsyncExitStack

from gateway.bootstrap.connections import mailbox_name
from gateway.bootstrap.stores import open_webhook_secret
from gateway.domain.values import Value
from gateway.errors import ConfigurationError
from gateway.ports import Clock
from gateway.settings import Settings
from gateway.settings.providers import MailboxProviderSettings
from providers.mailbox_webhook import sign


class SignedText(Value, frozen=True, kw_only=True):
    """A call to a mailbox's webhook, ready to be posted."""

    path: str
    headers: dict[str, str]
    body: bytes


async def sign_text(
    settings: Settings,
    clock: Clock,
    *,
    sender: str,
    to: str,
    text: str,
    event_id: str | None = None,
    mailbox: str | None = None,
) -> SignedText:
    """Sign a text to the mailbox of that name, left out the one that test keys use; left out the id, a new one.

    Raises ConfigurationError where there is no such mailbox.
    """
    name = mailbox or mailbox_name(settings)
    configured = settings.providers.get(name, MailboxProviderSettings(kind="mailbox"))
    if not isinstance(configured, MailboxProviderSettings):
        raise ConfigurationError(f"providers.{name}: this is no mailbox")
    body = json.dumps(
        {"id": event_id or str(uuid.uuid4()), "from": sender, "to": to, "text": text}, ensure_ascii=False
    ).encode()
    async with AsyncExitStack() as stack:
        if configured.webhook_secret is not None:
            secret = configured.webhook_secret.get_secret_value()
        else:
            secret = await stack.enter_async_context(open_webhook_secret(settings))
    headers = {"Content-Type": "application/json", **sign(secret, int(clock.now().timestamp()), body)}
    return SignedText(path=f"/webhooks/{name}", headers=headers, body=body)
