"""Opens, clicks and conversions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The version before ignores all of it.
phase = "pre"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "engagements",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("message_id", _TEXT, nullable=False),
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("made_by", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("told_as", _TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_engagements"),
        sa.UniqueConstraint("told_as", name="uq_engagements_told_as"),
    )
    op.create_index("ix_engagements_message_id", "engagements", ["message_id"])
    op.create_index("ix_engagements_at", "engagements", ["at", "id"])


def downgrade() -> None:
    op.drop_table("engagements")
