"""What providers tell later of messages, and the status that our own steps led to where receipts say another."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The version before ignores all of it.
phase = "pre"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NAMED = sa.text("provider_message_id IS NOT NULL")
_MATCHED = sa.text("delivery_id IS NOT NULL")
_PARKED = sa.text("delivery_id IS NULL")


def upgrade() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("event_id", _TEXT, nullable=False),
        sa.Column("delivery_id", _TEXT),
        sa.Column("attempt", sa.Integer()),
        sa.Column("provider_message_id", _TEXT),
        sa.Column("receipt", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
        sa.UniqueConstraint("provider", "event_id", name="uq_receipts_provider_event_id"),
    )
    op.create_index("ix_receipts_at", "receipts", ["at", "id"])
    op.create_index(
        "ix_receipts_delivery_id", "receipts", ["delivery_id"], sqlite_where=_MATCHED, postgresql_where=_MATCHED
    )
    op.create_index("ix_receipts_parked", "receipts", ["at"], sqlite_where=_PARKED, postgresql_where=_PARKED)
    op.add_column("deliveries", sa.Column("own_status", _TEXT))
    op.create_index(
        "ix_deliveries_provider_message_id",
        "deliveries",
        ["provider_message_id"],
        sqlite_where=_NAMED,
        postgresql_where=_NAMED,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_provider_message_id", "deliveries")
    op.drop_column("deliveries", "own_status")
    op.drop_table("receipts")
