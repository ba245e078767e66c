"""What the gateway itself needs to run: who may call it, who works, and what was done by hand."""

from typing import Final

import sqlalchemy as sa

from gateway.storage.tables.kinds import Instant, Json, Text, metadata

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
    # `key:<id>`, `recipient`, `console` or `system`.
    sa.Column("actor", Text, nullable=False),
    sa.Column("service_id", Text),
    sa.Column("action", Text, nullable=False),
    sa.Column("subject", Text, nullable=False),
    sa.Column("reason", Text),
    sa.Column("data", Json, nullable=False),
    sa.Index("ix_audit_at", "at", "id"),
    sa.Index("ix_audit_subject", "subject", "at", "id"),
)

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
