"""Slots are kept once for all caps that count them: a process that knows only the form before cannot read that."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# All there is to do is to keep versions before out: each row takes its new form when its person is written to again.
phase = "post"


def upgrade() -> None:
    op.execute("UPDATE compatibility SET oldest = '0011'")


def downgrade() -> None:
    # What the version before cannot read it counts anew.
    op.execute("DELETE FROM cap_counters")
    op.execute("UPDATE compatibility SET oldest = '0004'")
