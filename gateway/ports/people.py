"""People, what they said, and the addresses that are never written to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import RecipientId, ServiceId, SuppressionId
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.recipients import Channel, Recipient
from gateway.ports.reading import Page


class RecipientStore(Protocol):
    """People as the services know them; an id means something within one service only."""

    async def put_recipient(self, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
        """Keep the whole record in place of what was there; True when it is new."""

    async def get_recipient(self, service_id: ServiceId, recipient_id: RecipientId) -> Recipient:
        """Read it. Raises NotFound."""


class ConsentStore(Protocol):
    """The consent history, append-only."""

    async def add_consents(self, consents: Sequence[Consent]) -> None:
        """Append them all, or none."""

    async def current_consents(self, service_id: ServiceId, recipient_id: RecipientId) -> Sequence[Consent]:
        """For each (channel, topic) the line that holds: the latest `at`; at one instant the strictest."""

    async def consent_history(
        self, service_id: ServiceId, recipient_id: RecipientId, limit: int, cursor: str | None
    ) -> Page[Consent]:
        """Every line, newest recorded first."""


class SuppressionStore(Protocol):
    """Addresses never to be written to."""

    async def add_suppression(self, suppression: Suppression) -> Suppression:
        """Add it; the one that stands already for (channel, address, reason, scope) is answered instead."""

    async def remove_suppression(self, suppression_id: SuppressionId, entry: AuditEntry) -> None:
        """Lift it, and keep who did so and why. Raises NotFound."""

    async def list_suppressions(
        self, channel: Channel | None, address: str | None, limit: int, cursor: str | None
    ) -> Page[Suppression]:
        """Those that match, newest first."""
