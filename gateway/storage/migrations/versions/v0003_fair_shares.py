"""Deliveries name their service, so that each service that waits in a lane gets its share of it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

phase = "pre"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_CLAIMABLE = sa.text("lease_owner IS NULL AND due_at IS NOT NULL")


def upgrade() -> None:
    # What the version before adds belongs to no service, and has the share of one.
    op.add_column("deliveries", sa.Column("service_id", _TEXT, nullable=False, server_default=""))
    op.execute(
        "UPDATE deliveries SET service_id = coalesce("
        "(SELECT m.service_id FROM messages m WHERE m.id = deliveries.message_id), '')"
        " WHERE due_at IS NOT NULL"
    )
    op.create_index(
        "ix_deliveries_share",
        "deliveries",
        ["lane", "service_id", "due_at", "id"],
        sqlite_where=_CLAIMABLE,
        postgresql_where=_CLAIMABLE,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_share", "deliveries")
    op.drop_column("deliveries", "service_id")
