"""Idempotency keys name their message and keep no copy of its answer."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

phase = "pre"


def upgrade() -> None:
    with op.batch_alter_table("idempotency_keys", table_kwargs={"sqlite_with_rowid": False}) as keys:
        keys.alter_column("answer", existing_type=sa.JSON(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM idempotency_keys WHERE answer IS NULL")
    with op.batch_alter_table("idempotency_keys") as keys:
        keys.alter_column("answer", existing_type=sa.JSON(), nullable=False)
