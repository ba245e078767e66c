"""The services that call, who they write as, and their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.ids import KeyId, ServiceId
from gateway.domain.recipients import Channel
from gateway.domain.values import Value


class SenderIdentity(Value, frozen=True, kw_only=True):
    """Who a service's messages come from, on a channel, optionally for one country or locale only."""

    channel: Channel
    sender: str
    """An e-mail mailbox (`Name <a@b>`), an E.164 number or an alphanumeric sender."""
    country: str | None = None
    locale: str | None = None


class Service(Value, frozen=True, kw_only=True):
    """A calling application."""

    id: ServiceId
    name: str
    senders: tuple[SenderIdentity, ...]
    created_at: datetime


class ApiKey(Value, frozen=True, kw_only=True):
    """A key's public side; the secret itself is kept only as SHA-256."""

    id: KeyId
    service_id: ServiceId
    live: bool
    scopes: frozenset[str]
    secret_hash: str
    rate_per_second: float | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class ServiceStore(Protocol):
    """Services, their sender identities and their keys."""

    async def add_service(self, service: Service) -> None:
        """Raises Conflict when the name is taken."""

    async def update_senders(self, service_id: ServiceId, senders: Sequence[SenderIdentity]) -> Service:
        """Replace the sender identities."""

    async def get_service(self, service_id: ServiceId) -> Service:
        """Raises NotFound."""

    async def find_service(self, name: str) -> Service:
        """Raises NotFound."""

    async def list_services(self) -> Sequence[Service]:
        """All, by name."""

    async def add_key(self, key: ApiKey) -> None:
        """Keep a new key."""

    async def get_key(self, key_id: KeyId) -> ApiKey:
        """Raises NotFound."""

    async def list_keys(self, service_id: ServiceId | None) -> Sequence[ApiKey]:
        """Newest first."""

    async def revoke_key(self, key_id: KeyId, now: datetime) -> None:
        """From now on it opens nothing. Raises NotFound."""

    async def expire_key(self, key_id: KeyId, expires_at: datetime) -> None:
        """Let it end at that instant (rotation). Raises NotFound."""
