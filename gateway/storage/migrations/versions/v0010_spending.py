"""What was spent under the limits of the settings, and by which calls."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The version before ignores all of it.
phase = "pre"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "spending_counters",
        sa.Column("counter", _TEXT, nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("counter", name="pk_spending_counters"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_spending_counters_expires_at", "spending_counters", ["expires_at"])
    op.create_table(
        "charges",
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("charges", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "attempt", name="pk_charges"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_charges_expires_at", "charges", ["expires_at"])


def downgrade() -> None:
    op.drop_table("charges")
    op.drop_table("spending_counters")
