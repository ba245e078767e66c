"""What services ask us to send, and what became of it."""

from typing import Final

import sqlalchemy as sa

from gateway.storage.tables.kinds import (
    Instant,
    Json,
    RowNumber,
    Text,
    belongs_to,
    by_month,
    message_id_column,
    metadata,
)

messages: Final = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("service_id", Text, nullable=False),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("template", Text, nullable=False),
    sa.Column("category", Text, nullable=False),
    sa.Column("topic", Text),
    sa.Column("strategy", Text, nullable=False),
    sa.Column("channels", Json, nullable=False),
    sa.Column("recipient_id", Text),
    # The inline values as the caller gave them; what is stored of the recipient stays in `recipients`.
    sa.Column("recipient", Json, nullable=False),
    sa.Column("data", Json, nullable=False),
    # Apart from `data`, so that forgetting them is one assignment.
    sa.Column("secrets", Json),
    sa.Column("secrets_dropped", sa.Boolean, nullable=False),
    sa.Column("priority", Text, nullable=False),
    sa.Column("tags", Json, nullable=False),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("sender", Text),
    sa.Column("attachments", sa.Integer, nullable=False),
    sa.Column("fallback_after", sa.BigInteger),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("send_at", Instant),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("locale", Text),
    sa.Column("traceparent", Text),
    # lifecycle.message_status of its deliveries, kept here for the log's filters.
    sa.Column("status", Text, nullable=False),
    sa.Column("versions", Json),
    # Lower-cased words that the free-text filter looks through.
    sa.Column("search", Text, nullable=False),
    sa.Index("ix_messages_created_at", "created_at", "id"),
    sa.Index("ix_messages_service_id", "service_id", "created_at", "id"),
    sa.Index("ix_messages_template", "template", "created_at", "id"),
    **by_month("id"),
)

COMMON_STATUSES: Final = ("accepted", "sending", "sent", "delivered")
"""Statuses that every message passes through: not worth an index that each step would have to move."""

RARE_STATUS: Final = messages.c.status.not_in([sa.literal_column(f"'{status}'") for status in COMMON_STATUSES])
"""The condition of the index on status; a query says it too, so that SQLite sees that the index applies."""

sa.Index(
    "ix_messages_status",
    messages.c.status,
    messages.c.created_at,
    messages.c.id,
    sqlite_where=RARE_STATUS,
    postgresql_where=RARE_STATUS,
)
_NAMED = messages.c.recipient_id.is_not(None)
sa.Index(
    "ix_messages_recipient_id",
    messages.c.recipient_id,
    messages.c.created_at,
    sqlite_where=_NAMED,
    postgresql_where=_NAMED,
)

attachments: Final = sa.Table(
    "attachments",
    metadata,
    message_id_column(),
    belongs_to("message_id", "messages"),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("filename", Text, nullable=False),
    sa.Column("content_type", Text, nullable=False),
    sa.Column("inline_id", Text),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("message_id", "position"),
    **by_month("message_id"),
)

message_tags: Final = sa.Table(
    "message_tags",
    metadata,
    message_id_column(),
    belongs_to("message_id", "messages"),
    sa.Column("tag", Text, nullable=False),
    sa.PrimaryKeyConstraint("message_id", "tag"),
    sa.Index("ix_message_tags_tag", "tag", "message_id"),
    sqlite_with_rowid=False,
    **by_month("message_id"),
)

deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Text, primary_key=True),
    message_id_column(),
    belongs_to("message_id", "messages"),
    sa.Column("channel", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("reason", Text),
    sa.Column("not_before", Instant),
    sa.Column("lane", sa.Integer, nullable=False),
    # When it may be claimed; null when nothing is left to do.
    sa.Column("due_at", Instant),
    # The worker that holds it; null when it may be claimed.
    sa.Column("lease_owner", Text),
    # Raised whenever the holder changes: a write with an older number is refused.
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("provider", Text),
    sa.Column("provider_message_id", Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("address", Text),
    sa.Column("sender", Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    # Whose share of the lane it takes.
    sa.Column("service_id", Text, nullable=False, server_default=""),
    # How many claims of it ended with their worker before a provider was called, as far as it may be to blame.
    sa.Column("claims", sa.Integer, nullable=False, server_default="0"),
    # Whom it is for, as a pseudonym, once it is held or queued: caps and whoever changes a fact find it by that.
    sa.Column("subject", Text),
    # Where our own steps led, once receipts say another status (domain.tracking); else null.
    sa.Column("own_status", Text),
    sa.Index("ix_deliveries_message_id", "message_id"),
)
_CLAIMABLE = sa.and_(deliveries.c.lease_owner.is_(None), deliveries.c.due_at.is_not(None))
sa.Index(
    "ix_deliveries_claim",
    deliveries.c.lane,
    deliveries.c.due_at,
    deliveries.c.id,
    sqlite_where=_CLAIMABLE,
    postgresql_where=_CLAIMABLE,
)
sa.Index(
    "ix_deliveries_share",
    deliveries.c.lane,
    deliveries.c.service_id,
    deliveries.c.due_at,
    deliveries.c.id,
    sqlite_where=_CLAIMABLE,
    postgresql_where=_CLAIMABLE,
)
_LEASED = deliveries.c.lease_owner.is_not(None)
sa.Index("ix_deliveries_lease_owner", deliveries.c.lease_owner, sqlite_where=_LEASED, postgresql_where=_LEASED)
_ADDRESSED = deliveries.c.address.is_not(None)
sa.Index("ix_deliveries_address", deliveries.c.address, sqlite_where=_ADDRESSED, postgresql_where=_ADDRESSED)
_TAKEN = deliveries.c.provider_message_id.is_not(None)
sa.Index(
    "ix_deliveries_provider_message_id",
    deliveries.c.provider_message_id,
    sqlite_where=_TAKEN,
    postgresql_where=_TAKEN,
)
_WAITS = sa.and_(deliveries.c.subject.is_not(None), deliveries.c.due_at.is_not(None))
sa.Index("ix_deliveries_subject", deliveries.c.subject, sqlite_where=_WAITS, postgresql_where=_WAITS)

contents: Final = sa.Table(
    "contents",
    metadata,
    # Apart from the delivery, whose row changes with every step and should stay small.
    sa.Column("delivery_id", Text, primary_key=True),
    belongs_to("delivery_id", "deliveries"),
    sa.Column("content", Json, nullable=False),
    **by_month("delivery_id"),
)

attempts: Final = sa.Table(
    "attempts",
    metadata,
    sa.Column("delivery_id", Text, nullable=False),
    belongs_to("delivery_id", "deliveries"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("id", Text, nullable=False),
    sa.Column("provider", Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Column("outcome", Text),
    sa.Column("result", Json),
    sa.PrimaryKeyConstraint("delivery_id", "number"),
    sqlite_with_rowid=False,
    **by_month("delivery_id"),
)

events: Final = sa.Table(
    "events",
    metadata,
    # The order of writing: ids made in one millisecond do not sort. On PostgreSQL the key is (message_id, seq).
    sa.Column("seq", RowNumber, primary_key=True),
    sa.Column("id", Text, nullable=False),
    message_id_column(),
    belongs_to("message_id", "messages"),
    sa.Column("delivery_id", Text),
    sa.Column("type", Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Index("ix_events_message_id", "message_id", "seq").ddl_if(dialect="sqlite"),
    **by_month("message_id"),
)

idempotency_keys: Final = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("service_id", Text, nullable=False),
    sa.Column("key", Text, nullable=False),
    sa.Column("fingerprint", Text, nullable=False),
    # Null for the key of a whole batch.
    sa.Column("message_id", Text),
    # Of a batch: what it was answered, with nothing of its messages but their ids.
    sa.Column("answer", Json),
    sa.Column("created_at", Instant, nullable=False),
    # Kept at least until then, and as long as its message is not final.
    sa.Column("expires_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("service_id", "key"),
    sa.Index("ix_idempotency_keys_expires_at", "expires_at"),
    sqlite_with_rowid=False,
)
