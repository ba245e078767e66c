"""Where services want to hear of their messages, and what they have not heard yet."""

from typing import Final

import sqlalchemy as sa

from gateway.storage.tables.kinds import Instant, Json, Text, metadata

webhook_endpoints: Final = sa.Table(
    "webhook_endpoints",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("service_id", Text, nullable=False),
    sa.Column("url", Text, nullable=False),
    sa.Column("description", Text),
    # Which events it wants.
    sa.Column("filters", Json, nullable=False),
    # What it is signed with, each until an instant; the last one made has none.
    sa.Column("secrets", Json, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    # Calls in a row that failed, when the first of them did, and until when it is left alone.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", Instant),
    sa.Column("not_before", Instant),
    # What the last call that failed came to.
    sa.Column("failure", Json),
    sa.Index("ix_webhook_endpoints_service_id", "service_id", "created_at", "id"),
)

notices: Final = sa.Table(
    "notices",
    metadata,
    # One event that one endpoint has not taken yet: names only, so that nothing of a person stands here.
    sa.Column("endpoint_id", Text, nullable=False),
    sa.Column("event_id", Text, nullable=False),
    sa.Column("message_id", Text, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    # While it is being called out, and until it is taken to be forgotten by whoever did that; else null.
    sa.Column("taken_until", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    # From when on the days count after which it is given up.
    sa.Column("created_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("endpoint_id", "event_id"),
    sa.Index("ix_notices_endpoint_id", "endpoint_id", "due_at"),
    sqlite_with_rowid=False,
)

webhook_replays: Final = sa.Table(
    "webhook_replays",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("endpoint_id", Text, nullable=False),
    # Events at or after the one and before the other.
    sa.Column("since", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),
    # The last message that was gone through.
    sa.Column("after_at", Instant, nullable=False),
    sa.Column("after_id", Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)
