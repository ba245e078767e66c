"""People, what they said, and the addresses that are never written to."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import RecipientId, ServiceId, SuppressionId
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.recipients import Channel, JsonValue, Recipient
from gateway.ports.reading import Page


class RecipientStore(Protocol):
    """People as the services know them; an id means something within one service only."""

    async def put_recipient(self, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
        """Keep the whole record in place of what was there; True when it is new. What the person chose stays."""

    async def put_recipients(
        self, service_id: ServiceId, recipients: Sequence[Recipient], now: datetime
    ) -> Sequence[bool]:
        """`put_recipient` for each, all in one transaction; of two with one id the later is kept."""

    async def set_preferences(
        self,
        service_id: ServiceId,
        recipient_id: RecipientId,
        preferences: Mapping[str, JsonValue] | None,
        now: datetime,
    ) -> None:
        """Keep what the person chose, also of one of whom nothing else is kept; None forgets it."""

    async def get_recipient(self, service_id: ServiceId, recipient_id: RecipientId) -> Recipient:
        """Read it. Raises NotFound."""

    async def list_recipients(
        self, service_id: ServiceId, address: tuple[Channel, str] | None, limit: int, cursor: str | None
    ) -> Page[Recipient]:
        """The service's people, newest first; those with one e-mail address or one number, if it is given."""


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

    async def add_suppressions(self, suppressions: Sequence[Suppression]) -> Sequence[Suppression]:
        """`add_suppression` for each, all in one transaction."""

    async def find_suppressed(
        self, addresses: Collection[tuple[Channel, str]], now: datetime
    ) -> Collection[tuple[Channel, str]]:
        """Those of the addresses that any suppression speaks of at that instant, whatever its scope."""

    async def remove_suppression(self, suppression_id: SuppressionId, entry: AuditEntry) -> None:
        """Lift it, and keep who did so and why. Raises NotFound."""

    async def list_suppressions(
        self, channel: Channel | None, address: str | None, limit: int, cursor: str | None
    ) -> Page[Suppression]:
        """Those that match, newest first."""
