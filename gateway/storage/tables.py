"""Every table, for SQLite and PostgreSQL alike; the migrations are held to this by a test.

Instants are integers of UTC microseconds, so that both engines compare and index them alike. Times that come
from callers become whole microseconds once, here.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


# The instants of one message's rows are mostly the same one.
@lru_cache(maxsize=1_024)
def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970 of an aware datetime; exact, unlike `timestamp()`."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of `to_micros`."""
    return _EPOCH + timedelta(microseconds=micros)


class Instant(sa.TypeDecorator[datetime]):
    """An aware datetime, kept as a BIGINT of UTC microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """To the column."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """From the column."""
        return None if value is None else from_micros(value)


Json: Final = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_Sequence: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An ever-growing row number; SQLite numbers only INTEGER keys by itself."""

metadata: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _message_id() -> sa.Column[str]:
    return sa.Column("message_id", sa.Text, sa.ForeignKey("messages.id", ondelete="CASCADE"), nullable=False)


services: Final = sa.Table(
    "services",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("senders", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("service_id", sa.Text, sa.ForeignKey("services.id"), nullable=False, index=True),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.Column("rate_per_second", sa.Float),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
)

messages: Final = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("topic", sa.Text),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("channels", Json, nullable=False),
    sa.Column("recipient_id", sa.Text),
    # The inline values as the caller gave them; what is stored of the recipient stays in `recipients`.
    sa.Column("recipient", Json, nullable=False),
    sa.Column("data", Json, nullable=False),
    # Apart from `data`, so that forgetting them is one assignment.
    sa.Column("secrets", Json),
    sa.Column("secrets_dropped", sa.Boolean, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("tags", Json, nullable=False),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("sender", sa.Text),
    sa.Column("attachments", sa.Integer, nullable=False),
    sa.Column("fallback_after", sa.BigInteger),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("send_at", Instant),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("locale", sa.Text),
    sa.Column("traceparent", sa.Text),
    # lifecycle.message_status of its deliveries, kept here for the log's filters.
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("versions", Json),
    # Lower-cased words that the free-text filter looks through.
    sa.Column("search", sa.Text, nullable=False),
    sa.Index("ix_messages_created_at", "created_at", "id"),
    sa.Index("ix_messages_service_id", "service_id", "created_at", "id"),
    sa.Index("ix_messages_template", "template", "created_at", "id"),
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
    _message_id(),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("inline_id", sa.Text),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("message_id", "position"),
)

message_tags: Final = sa.Table(
    "message_tags",
    metadata,
    _message_id(),
    sa.Column("tag", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("message_id", "tag"),
    sa.Index("ix_message_tags_tag", "tag", "message_id"),
    sqlite_with_rowid=False,
)

deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _message_id(),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("not_before", Instant),
    sa.Column("lane", sa.Integer, nullable=False),
    # When it may be claimed; null when nothing is left to do.
    sa.Column("due_at", Instant),
    # The worker that holds it; null when it may be claimed.
    sa.Column("lease_owner", sa.Text),
    # Raised whenever the holder changes: a write with an older number is refused.
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("provider", sa.Text),
    sa.Column("provider_message_id", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("sender", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
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
_LEASED = deliveries.c.lease_owner.is_not(None)
sa.Index("ix_deliveries_lease_owner", deliveries.c.lease_owner, sqlite_where=_LEASED, postgresql_where=_LEASED)
_ADDRESSED = deliveries.c.address.is_not(None)
sa.Index("ix_deliveries_address", deliveries.c.address, sqlite_where=_ADDRESSED, postgresql_where=_ADDRESSED)

contents: Final = sa.Table(
    "contents",
    metadata,
    # Apart from the delivery, whose row changes with every step and should stay small.
    sa.Column("delivery_id", sa.Text, sa.ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("content", Json, nullable=False),
)

attempts: Final = sa.Table(
    "attempts",
    metadata,
    sa.Column("delivery_id", sa.Text, sa.ForeignKey("deliveries.id", ondelete="CASCADE"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Column("outcome", sa.Text),
    sa.Column("result", Json),
    sa.PrimaryKeyConstraint("delivery_id", "number"),
    sqlite_with_rowid=False,
)

events: Final = sa.Table(
    "events",
    metadata,
    # The order of writing: ids made in one millisecond do not sort.
    sa.Column("seq", _Sequence, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    _message_id(),
    sa.Column("delivery_id", sa.Text),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Index("ix_events_message_id", "message_id", "seq"),
)

idempotency_keys: Final = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    # Null for the key of a whole batch.
    sa.Column("message_id", sa.Text),
    sa.Column("answer", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    # Kept at least until then, and as long as its message is not final.
    sa.Column("expires_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("service_id", "key"),
)

recipients: Final = sa.Table(
    "recipients",
    metadata,
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("push", Json, nullable=False),
    sa.Column("locale", sa.Text),
    sa.Column("timezone", sa.Text),
    sa.Column("country", sa.Text),
    sa.Column("region", sa.Text),
    sa.Column("attributes", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("service_id", "id"),
)

consents: Final = sa.Table(
    "consents",
    metadata,
    # The order of recording.
    sa.Column("seq", _Sequence, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("service_id", sa.Text, nullable=False),
    sa.Column("recipient_id", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("wording", sa.Text),
    sa.Column("locale", sa.Text),
    sa.Column("evidence", Json),
    sa.Column("at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Index("ix_consents_recipient_id", "service_id", "recipient_id", "topic", "seq"),
)

suppressions: Final = sa.Table(
    "suppressions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("evidence", Json),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.UniqueConstraint("channel", "address", "reason", "scope"),
    sa.Index("ix_suppressions_created_at", "created_at", "id"),
)

mailbox: Final = sa.Table(
    "mailbox",
    metadata,
    sa.Column("delivery_id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("to", sa.Text, nullable=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("received_at", Instant, nullable=False),
    sa.Index("ix_mailbox_received_at", "received_at", "delivery_id"),
    sa.Index("ix_mailbox_channel", "channel", "received_at", "delivery_id"),
)

workers: Final = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    # Grows while it lives; others watch it by their own monotonic clocks.
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("joined_at", Instant, nullable=False),
)
