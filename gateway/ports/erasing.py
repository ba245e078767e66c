"""Forgetting one person: everything that can be read of them goes, and what must outlive them stays unreadable."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import ErasureId, RecipientId, ServiceId
from gateway.domain.values import Value
from gateway.ports.belongings import Belonging


class Erasure(Value, frozen=True, kw_only=True):
    """A person to be erased, until nothing is left of them; then this is gone as well."""

    id: ErasureId
    whose: Belonging
    requested_at: datetime
    """What comes in later is of a new acquaintance."""
    scanned: str
    """The last message that was looked through for their addresses."""


class Advance(StrEnum):
    """Where an erasure is after another portion."""

    MORE = "more"
    """There is more to do."""
    WAITING = "waiting"
    """All is done but for messages that a provider is being given right now."""
    DONE = "done"
    """Nothing readable is left."""


class ErasureStore(Protocol):
    """Erasures, a durable portion at a time: whoever is killed in between leaves the rest to the next sweep."""

    async def begin_erasure(
        self, service_id: ServiceId, recipient_id: RecipientId, entry: AuditEntry, now: datetime
    ) -> Erasure:
        """From now on the person is unknown: the record, what the ledger tells of them and every readable suppression
        of theirs are gone, the rest is under way. Raises NotFound for somebody of whom nothing is kept."""

    async def open_erasures(self) -> Sequence[Erasure]:
        """Those under way, the oldest first."""

    async def advance_erasure(self, erasure_id: ErasureId, now: datetime) -> Advance:
        """Do another portion; DONE also for one that another process finished."""

    async def wipe(self) -> bool:
        """Take what was erased out of the store's own files as well; False while somebody is still reading it."""
