"""Every table, for SQLite and PostgreSQL alike, in modules by subject; the migrations are held to them by a test."""

from gateway.storage.tables.incoming import engagements, inbound, receipts
from gateway.storage.tables.kinds import Instant, metadata
from gateway.storage.tables.notifying import notices, webhook_endpoints, webhook_replays
from gateway.storage.tables.people import cap_counters, consent_chains, consents, erasures, recipients, suppressions
from gateway.storage.tables.running import (
    api_keys,
    audit,
    compatibility,
    mailbox,
    rules_in_force,
    secrets,
    services,
    workers,
)
from gateway.storage.tables.sending import (
    COMMON_STATUSES,
    RARE_STATUS,
    attachments,
    attempts,
    contents,
    deliveries,
    events,
    idempotency_keys,
    message_tags,
    messages,
)
from gateway.storage.tables.spending import charges, spending_counters

__all__ = [
    "COMMON_STATUSES",
    "RARE_STATUS",
    "Instant",
    "api_keys",
    "attachments",
    "attempts",
    "audit",
    "cap_counters",
    "charges",
    "compatibility",
    "consent_chains",
    "consents",
    "contents",
    "deliveries",
    "engagements",
    "erasures",
    "events",
    "idempotency_keys",
    "inbound",
    "mailbox",
    "message_tags",
    "messages",
    "metadata",
    "notices",
    "receipts",
    "recipients",
    "rules_in_force",
    "secrets",
    "services",
    "spending_counters",
    "suppressions",
    "webhook_endpoints",
    "webhook_replays",
    "workers",
]
