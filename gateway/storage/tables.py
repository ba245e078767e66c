"""Every table, for SQLite and PostgreSQL alike; the migrations are held to this by a test.

Instants are integers of UTC microseconds, so that both engines compare and index them alike. Times that come
from callers become whole microseconds once, here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


# The instants of one message's rows are mostly the same one.
@lru_cache(maxsize=1_024)
def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970 of an aware datetime; exact, unlike `timestamp()`."""
    return (instant - _EPOCH) // _MICROSECOND


# A slot counts under several caps, and is read for each of them.
@lru_cache(maxsize=1_024)
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


Text: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared byte by byte on either engine, whatever locale a PostgreSQL was set up with: ids sort by their time."""
Json: Final = sa.JSON(none_as_null=True)
"""JSON on either engine and never JSONB, which forgets the order that a caller's keys came in and refuses U+0000."""
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


def _by_month(key: str) -> Mapping[str, Any]:
    """On PostgreSQL a table of monthly partitions, over ids that sort by time."""
    return {"postgresql_partition_by": f"RANGE ({key})"}


def _belongs_to(column: str, owner: str) -> sa.Constraint:
    """Rows that are gone with their owner. Only on SQLite: on PostgreSQL whole months go at once, and a check of
    each row against a partitioned table would cost more than the row."""
    key = sa.ForeignKeyConstraint([column], [f"{owner}.id"], ondelete="CASCADE")
    return key.ddl_if(dialect="sqlite")


def _message_id() -> sa.Column[str]:
    return sa.Column("message_id", Text, nullable=False)


services: Final = sa.Table(
    "services",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("name", Text, nullable=False, unique=True),
    sa.Column("senders", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("service_id", Text, sa.ForeignKey("services.id"), nullable=False, index=True),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("secret_hash", Text, nullable=False),
    sa.Column("rate_per_second", sa.Float),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
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
    **_by_month("id"),
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
    _belongs_to("message_id", "messages"),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("filename", Text, nullable=False),
    sa.Column("content_type", Text, nullable=False),
    sa.Column("inline_id", Text),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("message_id", "position"),
    **_by_month("message_id"),
)

message_tags: Final = sa.Table(
    "message_tags",
    metadata,
    _message_id(),
    _belongs_to("message_id", "messages"),
    sa.Column("tag", Text, nullable=False),
    sa.PrimaryKeyConstraint("message_id", "tag"),
    sa.Index("ix_message_tags_tag", "tag", "message_id"),
    sqlite_with_rowid=False,
    **_by_month("message_id"),
)

deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Text, primary_key=True),
    _message_id(),
    _belongs_to("message_id", "messages"),
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
    _belongs_to("delivery_id", "deliveries"),
    sa.Column("content", Json, nullable=False),
    **_by_month("delivery_id"),
)

attempts: Final = sa.Table(
    "attempts",
    metadata,
    sa.Column("delivery_id", Text, nullable=False),
    _belongs_to("delivery_id", "deliveries"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("id", Text, nullable=False),
    sa.Column("provider", Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Column("outcome", Text),
    sa.Column("result", Json),
    sa.PrimaryKeyConstraint("delivery_id", "number"),
    sqlite_with_rowid=False,
    **_by_month("delivery_id"),
)

events: Final = sa.Table(
    "events",
    metadata,
    # The order of writing: ids made in one millisecond do not sort. On PostgreSQL the key is (message_id, seq).
    sa.Column("seq", _Sequence, primary_key=True),
    sa.Column("id", Text, nullable=False),
    _message_id(),
    _belongs_to("message_id", "messages"),
    sa.Column("delivery_id", Text),
    sa.Column("type", Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Index("ix_events_message_id", "message_id", "seq").ddl_if(dialect="sqlite"),
    **_by_month("message_id"),
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

recipients: Final = sa.Table(
    "recipients",
    metadata,
    sa.Column("service_id", Text, nullable=False),
    sa.Column("id", Text, nullable=False),
    sa.Column("email", Text),
    sa.Column("phone", Text),
    sa.Column("push", Json, nullable=False),
    sa.Column("locale", Text),
    sa.Column("timezone", Text),
    sa.Column("country", Text),
    sa.Column("region", Text),
    sa.Column("attributes", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    # Quiet hours and caps of the person's own choice, in the shape of a rule set.
    sa.Column("preferences", Json),
    sa.PrimaryKeyConstraint("service_id", "id"),
    sa.Index("ix_recipients_created_at", "service_id", "created_at", "id"),
)
for _address in (recipients.c.email, recipients.c.phone):
    sa.Index(
        f"ix_recipients_{_address.name}",
        _address,
        sqlite_where=_address.is_not(None),
        postgresql_where=_address.is_not(None),
    )

consents: Final = sa.Table(
    "consents",
    metadata,
    # The order of recording.
    sa.Column("seq", _Sequence, primary_key=True),
    sa.Column("id", Text, nullable=False, unique=True),
    sa.Column("service_id", Text, nullable=False),
    sa.Column("recipient_id", Text, nullable=False),
    sa.Column("channel", Text, nullable=False),
    sa.Column("topic", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("wording", Text),
    sa.Column("locale", Text),
    sa.Column("evidence", Json),
    sa.Column("at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("wording_version", Text),
    sa.Column("actor", Text),
    # The two instants of a double opt-in.
    sa.Column("requested_at", Instant),
    sa.Column("confirmed_at", Instant),
    # Whose line it is once erasure has taken the name: a pseudonym of service and recipient.
    sa.Column("subject", Text, nullable=False),
    # The chain of the service, which shows a line that was changed, removed, put in or moved (domain.ledger).
    sa.Column("previous_hash", Text, nullable=False),
    sa.Column("hash", Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("wording_digest", Text),
    sa.Column("evidence_salt", Text),
    sa.Column("evidence_digest", Text),
    sa.Index("ix_consents_recipient_id", "service_id", "recipient_id", "topic", "seq"),
    sa.Index("uq_consents_position", "service_id", "position", unique=True),
)

consent_chains: Final = sa.Table(
    "consent_chains",
    metadata,
    sa.Column("service_id", Text, primary_key=True),
    # Where the chain ends: who writes a line has this row to itself until its transaction ends.
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("hash", Text, nullable=False),
)

suppressions: Final = sa.Table(
    "suppressions",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("channel", Text, nullable=False),
    # What people read; gone once the person was erased.
    sa.Column("address", Text),
    sa.Column("reason", Text, nullable=False),
    sa.Column("scope", Text, nullable=False),
    sa.Column("evidence", Json),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    # What is matched: a keyed hash, which outlives the readable form.
    sa.Column("address_hash", Text),
    sa.UniqueConstraint("channel", "address", "reason", "scope"),
    sa.Index("uq_suppressions_address_hash", "channel", "address_hash", "reason", "scope", unique=True),
    sa.Index("ix_suppressions_created_at", "created_at", "id"),
)
_ENDS = suppressions.c.expires_at.is_not(None)
sa.Index("ix_suppressions_expires_at", suppressions.c.expires_at, sqlite_where=_ENDS, postgresql_where=_ENDS)
_UNNAMED = suppressions.c.address_hash.is_(None)
sa.Index("ix_suppressions_unnamed", suppressions.c.id, sqlite_where=_UNNAMED, postgresql_where=_UNNAMED)

cap_counters: Final = sa.Table(
    "cap_counters",
    metadata,
    # Whom the slots were spent on: a pseudonym of the recipient, or of the address where there is no id.
    sa.Column("subject", Text, primary_key=True),
    # By cap until when its slots count, and of each slot its instant and its delivery, newest first, never more than
    # the cap's limit.
    sa.Column("counters", Json, nullable=False),
    # From then on none of the slots counts: the end of a day, so that the index changes once a day.
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_cap_counters_expires_at", "expires_at"),
    sqlite_with_rowid=False,
)

rules_in_force: Final = sa.Table(
    "rules_in_force",
    metadata,
    # Of the rules that what is held was last decided with.
    sa.Column("fingerprint", Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
)

audit: Final = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    # `key:<id>`, `cli:<user>`, `recipient` or `system`.
    sa.Column("actor", Text, nullable=False),
    sa.Column("service_id", Text),
    sa.Column("action", Text, nullable=False),
    sa.Column("subject", Text, nullable=False),
    sa.Column("reason", Text),
    sa.Column("data", Json, nullable=False),
    sa.Index("ix_audit_at", "at", "id"),
    sa.Index("ix_audit_subject", "subject", "at", "id"),
)

erasures: Final = sa.Table(
    "erasures",
    metadata,
    # What is still to be erased of a person; gone with the last of it.
    sa.Column("id", Text, primary_key=True),
    sa.Column("service_id", Text, nullable=False),
    sa.Column("recipient_id", Text, nullable=False),
    sa.Column("addresses", Json, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    # The last message that was looked through for the addresses.
    sa.Column("scanned", Text, nullable=False),
)

inbound: Final = sa.Table(
    "inbound",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("provider", Text, nullable=False),
    # Of a text that is told twice the second is dropped.
    sa.Column("provider_event_id", Text, nullable=False),
    sa.Column("channel", Text, nullable=False),
    sa.Column("sender", Text, nullable=False),
    sa.Column("recipient", Text, nullable=False),
    sa.Column("text", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    # What followed from it; null while nothing did.
    sa.Column("handled", Json),
    sa.UniqueConstraint("provider", "provider_event_id"),
    sa.Index("ix_inbound_at", "at", "id"),
    sa.Index("ix_inbound_sender", "channel", "sender", "at"),
)

receipts: Final = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("provider", Text, nullable=False),
    # Of what is told twice the second is dropped.
    sa.Column("event_id", Text, nullable=False),
    # The call that it speaks of; null while it is parked, since no such call is known.
    sa.Column("delivery_id", Text),
    sa.Column("attempt", sa.Integer),
    sa.Column("provider_message_id", Text),
    sa.Column("receipt", Json, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.UniqueConstraint("provider", "event_id"),
    sa.Index("ix_receipts_at", "at", "id"),
)
_MATCHED = receipts.c.delivery_id.is_not(None)
sa.Index("ix_receipts_delivery_id", receipts.c.delivery_id, sqlite_where=_MATCHED, postgresql_where=_MATCHED)
_PARKED = receipts.c.delivery_id.is_(None)
sa.Index("ix_receipts_parked", receipts.c.at, sqlite_where=_PARKED, postgresql_where=_PARKED)

mailbox: Final = sa.Table(
    "mailbox",
    metadata,
    sa.Column("delivery_id", Text, primary_key=True),
    sa.Column("channel", Text, nullable=False),
    sa.Column("sender", Text, nullable=False),
    sa.Column("to", Text, nullable=False),
    sa.Column("content", Json, nullable=False),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("received_at", Instant, nullable=False),
    sa.Index("ix_mailbox_received_at", "received_at", "delivery_id"),
    sa.Index("ix_mailbox_channel", "channel", "received_at", "delivery_id"),
)

workers: Final = sa.Table(
    "workers",
    metadata,
    sa.Column("id", Text, primary_key=True),
    # Grows while it lives; others watch it by their own monotonic clocks.
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("joined_at", Instant, nullable=False),
    # Of the advisory lock that its session holds for as long as its process lives; null where it has none.
    sa.Column("lock_key", sa.BigInteger),
)

secrets: Final = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
"""What every process must know alike and no setting says."""

compatibility: Final = sa.Table(
    "compatibility",
    metadata,
    # The oldest revision whose code may work with the store as it is now.
    sa.Column("oldest", Text, nullable=False),
)
