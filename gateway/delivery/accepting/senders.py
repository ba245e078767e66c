"""In whose name a message goes out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.domain.ids import ServiceId
from gateway.domain.recipients import Channel
from gateway.ports import Clock, SenderIdentity, Service

DEFAULT_SENDERS: Final = {
    Channel.EMAIL: "Heliograph <heliograph@localhost.localdomain>",
    Channel.SMS: "Heliograph",
    Channel.PUSH: "Heliograph",
}
"""Used where neither message, service nor provider names a sender: good for trying things out."""
_BELIEVED_SECONDS: Final = 2.0


def choose_sender(
    channel: Channel,
    *,
    requested: str | None,
    identities: Sequence[SenderIdentity],
    country: str | None,
    locale: str | None,
    of_provider: str | None,
) -> str:
    """The message's own sender where the service has it on this channel, else the service's best match.

    The best match names the country and the locale (or its language), then the country, then the locale, then
    neither; an identity made for another country or locale never serves. Without any the provider's `from`.
    """
    own = [identity for identity in identities if identity.channel is channel]
    named = next((one.sender for one in own if requested is not None and names_sender(requested, one.sender)), None)
    if named is not None:
        return named
    fitting = [
        identity
        for identity in own
        if identity.country in (None, country) and identity.locale in (None, locale, (locale or "").split("-")[0])
    ]
    best = max(fitting, key=lambda identity: _fit(identity, locale), default=None)
    if best is not None:
        return best.sender
    return of_provider or DEFAULT_SENDERS[channel]


def _fit(identity: SenderIdentity, locale: str | None) -> tuple[bool, int]:
    exact = 2 if identity.locale == locale else 1
    return identity.country is not None, 0 if identity.locale is None else exact


def may_send_as(requested: str, channels: Sequence[Channel], identities: Sequence[SenderIdentity]) -> bool:
    """Whether the service has this sender on one of the channels."""
    return any(identity.channel in channels and names_sender(requested, identity.sender) for identity in identities)


def names_sender(requested: str, sender: str) -> bool:
    """Whether a request means this sender: as it is written, or by the bare address of a mailbox.

    Letter case does not count. Only the service's own spelling ever goes out.
    """
    wanted = requested.strip().casefold()
    return wanted in (sender.strip().casefold(), _bare(sender))


def _bare(sender: str) -> str:
    return sender.rpartition("<")[2].rstrip("> ").casefold()


class ServiceDirectory(Protocol):
    """Where services are read."""

    async def get_service(self, service_id: ServiceId) -> Service:
        """Raises NotFound."""


@dataclass(frozen=True, slots=True)
class _Believed:
    identities: tuple[SenderIdentity, ...]
    until: float


class Senders:
    """The services' sender identities, read from the store at most every two seconds for each service."""

    def __init__(self, services: ServiceDirectory, clock: Clock) -> None:
        self._services = services
        self._clock = clock
        self._believed: dict[ServiceId, _Believed] = {}
        self._asking = asyncio.Lock()

    async def of(self, service_id: ServiceId) -> tuple[SenderIdentity, ...]:
        """The service's identities. Raises NotFound for a service that is gone."""
        known = self._known(service_id)
        if known is not None:
            return known
        async with self._asking:
            # Another task may have asked while we waited for the lock.
            known = self._known(service_id)
            if known is None:
                known = (await self._services.get_service(service_id)).senders
                self._believed[service_id] = _Believed(known, self._clock.monotonic() + _BELIEVED_SECONDS)
        return known

    def _known(self, service_id: ServiceId) -> tuple[SenderIdentity, ...] | None:
        believed = self._believed.get(service_id)
        fresh = believed is not None and believed.until > self._clock.monotonic()
        return believed.identities if believed is not None and fresh else None
