"""What several versions and machines need of one store: who may work with it, its secrets, and the age of keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

phase = "pre"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    compatibility = op.create_table("compatibility", sa.Column("oldest", _TEXT, nullable=False))
    op.bulk_insert(compatibility, [{"oldest": "0001"}])
    op.create_table(
        "secrets",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])


def downgrade() -> None:
    op.drop_index("ix_idempotency_keys_expires_at", "idempotency_keys")
    op.drop_table("secrets")
    op.drop_table("compatibility")
