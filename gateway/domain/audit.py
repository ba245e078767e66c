"""Who did what by hand, and why: one entry for each deed that somebody may have to answer for."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from gateway.domain.ids import AUDIT, AuditId, KeyId, ServiceId, make_id
from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value

Actor = NewType("Actor", str)
"""Who acts: `key:<key id>` over HTTP, or one of those below."""

CONSOLE: Final = Actor("console")
"""Whoever sits at the gateway's own machine and looks at its pages, which ask nobody's name."""
RECIPIENT: Final = Actor("recipient")
"""The person, by a link or an answer to a message."""
SYSTEM: Final = Actor("system")
"""The gateway itself, by a rule or a setting."""


class AuditAction(StrEnum):
    """The deeds that leave an entry."""

    CANCEL = "message.cancel"
    RETRY = "message.retry"
    LIFT = "suppression.lift"
    UNMASK = "address.unmask"
    EXPORT = "recipient.export"
    ERASE = "recipient.erase"
    CONSENT = "consent.record"
    OVERRIDE = "pack.override"
    WEBHOOK = "webhook.change"


class By(Value, frozen=True, kw_only=True):
    """On whose word a deed is done; what use cases take beside what they do."""

    actor: Actor
    service_id: ServiceId | None = None
    """The service of the actor's key."""
    reason: str | None = None
    """Why, in the actor's own words; None where none was given."""


class AuditEntry(Value, frozen=True, kw_only=True):
    """One deed; written in the transaction of the deed itself and never changed."""

    id: AuditId
    at: datetime
    actor: Actor
    service_id: ServiceId | None
    action: AuditAction
    subject: str
    """The id of what it was done to; a person is named by a pseudonym, which outlives an erasure."""
    reason: str | None
    data: Mapping[str, JsonValue]
    """What else tells of the deed; never an address."""


def of_key(key_id: KeyId) -> Actor:
    """The actor behind an API key."""
    return Actor(f"key:{key_id}")


def make_entry(
    action: AuditAction, subject: str, by: By, now: datetime, data: Mapping[str, JsonValue] | None = None
) -> AuditEntry:
    """The entry of a deed that is about to be done."""
    return AuditEntry(
        id=AuditId(make_id(AUDIT, now)),
        at=now,
        actor=by.actor,
        service_id=by.service_id,
        action=action,
        subject=subject,
        reason=by.reason,
        data=data or {},
    )
