"""People, what they said, and the addresses that are never written to."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import ConsentId, RecipientId, ServiceId, SuppressionId
from gateway.domain.ledger import Head
from gateway.domain.ledger_check import Kept
from gateway.domain.messages import Event
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.recipients import Channel, JsonValue, Recipient
from gateway.domain.values import Value
from gateway.ports.accepting import NewMessage
from gateway.ports.reading import Page


class RecipientStore(Protocol):
    """People as the services know them; an id means something within one service only."""

    async def put_recipient(self, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
        """Keep the whole record in place of what was there; True when it is new. What the person chose stays."""

    async def put_recipients(
        self, service_id: ServiceId, recipients: Sequence[Recipient], now: datetime
    ) -> Sequence[bool]:
        """`put_recipient` for each, all in one transaction; of two with one id the later is kept."""

    async def get_recipient(self, service_id: ServiceId, recipient_id: RecipientId) -> Recipient:
        """Read it. Raises NotFound."""

    async def list_recipients(
        self, service_id: ServiceId, address: tuple[Channel, str] | None, limit: int, cursor: str | None
    ) -> Page[Recipient]:
        """The service's people, newest first; those with one e-mail address or one number, if it is given."""


class ConsentStore(Protocol):
    """The consent history, append-only."""

    async def add_consents(
        self,
        lines: Sequence[Consent],
        *,
        messages: Mapping[ConsentId, NewMessage] = ...,
        entry: AuditEntry | None = None,
        again: bool = False,
    ) -> Sequence[Consent]:
        """Append them all, or none, with the messages that ask for confirmation and the entry; those that were.

        With `again` those are left out whose ids are there already; if nothing is new there is no entry. A line
        with a message is left out, and its message with it, where the same was asked a moment ago
        (`preferences.may_ask`).
        """

    async def confirm(self, pending: Consent, grant: Consent) -> Consent:
        """Append the grant that ends a double opt-in, if it still waits; the line that holds afterwards.

        Raises NotFound where the person was erased meanwhile.
        """

    async def get_consent(self, consent_id: ConsentId) -> Consent:
        """One line by its id. Raises NotFound, also where its person was erased."""

    async def current_consents(
        self,
        service_id: ServiceId,
        recipient_id: RecipientId,
        *,
        at: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Sequence[Consent]:
        """For each (channel, topic) the line that holds, or held `at` an instant: the latest, and the strictest of two.

        With `known_at` only lines that were recorded by then count: what the gateway could know.
        """

    async def consent_history(
        self, service_id: ServiceId, recipient_id: RecipientId, limit: int, cursor: str | None
    ) -> Page[Consent]:
        """Every line, newest recorded first."""


class Wished(Value, frozen=True, kw_only=True):
    """What a person wishes for: own hours, own frequency, a break, own zone."""

    preferences: Mapping[str, JsonValue] | None
    """In place of the earlier ones; None forgets those."""


class ReaderChoice(Value, frozen=True, kw_only=True):
    """What a person chose through the link in a message, with what is told of it."""

    service_id: ServiceId
    recipient_id: RecipientId
    at: datetime
    lines: tuple[Consent, ...] = ()
    wished: Wished | None = None
    """None leaves the wishes as they are."""
    events: tuple[Event, ...]
    """For the timeline of that message, while it is kept."""


class ReaderStore(Protocol):
    """What readers say through the links in messages: all that follows from a word is kept with it, or nothing."""

    async def choose(self, choice: ReaderChoice) -> None:
        """Keep lines, wishes and events; lines that say what holds already are left out, and then nothing is told."""

    async def leave(self, suppressions: Sequence[Suppression], event: Event) -> None:
        """Suppress the addresses; the event is told unless all of them were suppressed already."""


class LedgerStore(Protocol):
    """The chains of the consent history as they are kept."""

    async def heads(self) -> Sequence[Head]:
        """Where each service's chain ends."""

    async def head(self, service_id: ServiceId) -> Head:
        """Where one service's chain ends."""

    def lines(self, service_id: ServiceId) -> AsyncIterator[Kept]:
        """The service's lines in the order of their places, also those that are added meanwhile."""


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
