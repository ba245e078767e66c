"""From a rendered delivery to what a provider is handed: sender, address or devices, identifiers, MIME."""

from collections.abc import Collection, Mapping
from datetime import datetime
from email.utils import parseaddr
from functools import lru_cache
from typing import Final

from gateway.delivery.accepting.senders import Senders, choose_sender
from gateway.domain.decisions import Facts
from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Attempt, Content, EmailContent, Envelope
from gateway.domain.recipients import Channel, PushDevice, PushPlatform
from gateway.policy.suppression import open_addresses
from gateway.ports import Claim, Provider
from gateway.rendering.email import build_mime

_CALL_SECONDS: Final = 30.0
_LEAST_SECONDS: Final = 1.0
"""A call that had less would end as a lost answer more often than not."""


class Addressing:
    """Puts the envelope around a content."""

    def __init__(self, senders: Senders, of_providers: Mapping[str, str], call_seconds: Mapping[str, float]) -> None:
        self._senders = senders
        self._of_providers = of_providers
        """Each provider's own `from`, where its settings name one."""
        self._call_seconds = call_seconds
        """How long one call to a provider may take, where its settings say."""

    async def sender(self, claim: Claim, facts: Facts, content: Content, provider: str) -> str:
        """In whose name a call to the provider goes out. Raises NotFound for a service that is gone."""
        return choose_sender(
            claim.delivery.channel,
            requested=claim.message.sender,
            identities=await self._senders.of(claim.message.service_id),
            country=facts.recipient.country,
            locale=content.locale,
            of_provider=self._of_providers.get(provider),
        )

    async def envelope(
        self, claim: Claim, facts: Facts, attempt: Attempt, content: Content, *, provider: Provider, now: datetime
    ) -> Envelope:
        """The envelope for one call: to the address, or to every device of the provider's that is not suppressed."""
        message, channel = claim.message, claim.delivery.channel
        sender = await self.sender(claim, facts, content, provider.name)
        to, devices = _destination(facts, now, provider.capabilities.platforms)
        header = message_id_header(claim.delivery.id, sender) if channel is Channel.EMAIL else None
        mime = None
        if isinstance(content, EmailContent) and header is not None and provider.capabilities.takes_mime:
            mime = build_mime(
                content,
                sender=sender,
                to=to,
                message_id=header,
                date=now,
                attachments=message.attachments,
                boundary_seed=claim.delivery.id,
            )
        return Envelope(
            delivery_id=claim.delivery.id,
            attempt_id=attempt.id,
            channel=channel,
            live=message.live,
            sender=sender,
            to=to,
            devices=devices,
            content=content,
            mime=mime,
            attachments=message.attachments,
            message_id_header=header,
            expires_at=message.expires_at,
            deadline_seconds=min(self._call_seconds.get(provider.name, _CALL_SECONDS), _left(message.expires_at, now)),
        )


def addresses_of(envelope: Envelope) -> tuple[str, ...]:
    """Where the call goes: one address, or each device's."""
    return tuple(device.address for device in envelope.devices) or (envelope.to,)


def _left(expires_at: datetime, now: datetime) -> float:
    """How long a call may last that is not to hand over what has expired by then."""
    return max((expires_at - now).total_seconds(), _LEAST_SECONDS)


def message_id_header(delivery_id: DeliveryId, sender: str) -> str:
    """RFC 5322 §3.6.4: unique by the delivery, the same for every try, in the sender's own domain."""
    return f"<{delivery_id}@{_domain_of(sender)}>"


@lru_cache(maxsize=1_024)
def _domain_of(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost.localdomain"


def open_devices(facts: Facts, now: datetime) -> tuple[PushDevice, ...]:
    """The person's devices, where the channel is push, that no suppression forbids now."""
    if facts.channel is not Channel.PUSH:
        return ()
    reachable = open_addresses(facts, now)
    return tuple([device for device in facts.recipient.push if device.address in reachable])


def _destination(
    facts: Facts, now: datetime, platforms: Collection[PushPlatform]
) -> tuple[str, tuple[PushDevice, ...]]:
    if facts.channel is Channel.PUSH:
        return "", tuple([device for device in open_devices(facts, now) if device.platform in platforms])
    return open_addresses(facts, now)[0], ()
