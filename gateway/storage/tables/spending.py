"""What was spent, and by which calls."""

from typing import Final

import sqlalchemy as sa

from gateway.storage.tables.kinds import Instant, Json, Text, metadata

spending_counters: Final = sa.Table(
    "spending_counters",
    metadata,
    # The limit's name and what it counts together.
    sa.Column("counter", Text, primary_key=True),
    # What was spent in each part of the limit's time.
    sa.Column("buckets", Json, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_spending_counters_expires_at", "expires_at"),
    sqlite_with_rowid=False,
)

charges: Final = sa.Table(
    "charges",
    metadata,
    sa.Column("delivery_id", Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    # What the call counted to which counter, to be given back where nothing was sent.
    sa.Column("charges", Json, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("delivery_id", "attempt"),
    sa.Index("ix_charges_expires_at", "expires_at"),
    sqlite_with_rowid=False,
)
