"""What comes from outside: texts of people, what providers tell of deliveries, and what is done with them."""

from typing import Final

import sqlalchemy as sa

from gateway.storage.tables.kinds import Instant, Json, Text, message_id_column, metadata

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

engagements: Final = sa.Table(
    "engagements",
    metadata,
    sa.Column("id", Text, primary_key=True),
    # Without a foreign key: on PostgreSQL the months of messages go whole, and retention looks after what they leave.
    message_id_column(),
    sa.Column("delivery_id", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("made_by", Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("data", Json, nullable=False),
    # Of a conversion that is told twice the second is dropped; null for all else.
    sa.Column("told_as", Text, unique=True),
    sa.Index("ix_engagements_message_id", "message_id"),
    sa.Index("ix_engagements_at", "at", "id"),
)
