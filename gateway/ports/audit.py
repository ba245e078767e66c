"""Who did what by hand, and why: added to, read, and never changed."""

from datetime import datetime
from typing import Protocol

from gateway.domain.audit import Actor, AuditAction, AuditEntry
from gateway.domain.messages import Event
from gateway.domain.values import Value
from gateway.ports.reading import Page


class AuditQuery(Value, frozen=True, kw_only=True):
    """Which entries; None stands for any."""

    action: AuditAction | None = None
    actor: Actor | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """The first instant that is left out."""


class AuditStore(Protocol):
    """The audit trail. Deeds that are one transaction of a store hand their entry to that store instead."""

    async def add_audit(self, entry: AuditEntry, event: Event | None = None) -> None:
        """Add an entry that belongs to no other write, with its event in the timeline of a message."""

    async def list_audit(self, query: AuditQuery, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """Those that match, newest first."""
