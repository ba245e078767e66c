"""What policy needs to remember: caps, the ledger of consents, keyed hashes of addresses, texts that came in, and who
did what."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

phase = "pre"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_JSON = sa.JSON()
_WAITS = sa.text("subject IS NOT NULL AND due_at IS NOT NULL")

_OF_THE_LEDGER: dict[str, sa.types.TypeEngine[Any]] = {
    "wording_version": _TEXT,
    "actor": _TEXT,
    "requested_at": sa.BigInteger(),
    "confirmed_at": sa.BigInteger(),
    "subject": _TEXT,
    "previous_hash": _TEXT,
    "hash": _TEXT,
    "position": sa.BigInteger(),
    "wording_digest": _TEXT,
    "evidence_salt": _TEXT,
    "evidence_digest": _TEXT,
}


def upgrade() -> None:
    _create_cap_counters()
    _create_audit()
    _create_inbound()
    _create_erasures()
    op.add_column("workers", sa.Column("lock_key", sa.BigInteger()))
    _extend_deliveries()
    _extend_recipients()
    _extend_consents()
    _extend_suppressions()


def downgrade() -> None:
    with op.batch_alter_table("suppressions") as suppressions:
        suppressions.drop_index("ix_suppressions_unnamed")
        suppressions.drop_index("ix_suppressions_expires_at")
        suppressions.drop_index("uq_suppressions_address_hash")
        suppressions.drop_column("address_hash")
    with op.batch_alter_table("consents") as consents:
        consents.drop_index("uq_consents_position")
        for column in _OF_THE_LEDGER:
            consents.drop_column(column)
    for index in ("ix_recipients_phone", "ix_recipients_email", "ix_recipients_created_at"):
        op.drop_index(index, "recipients")
    op.drop_column("recipients", "preferences")
    op.drop_index("ix_deliveries_subject", "deliveries")
    op.drop_column("deliveries", "subject")
    op.drop_column("deliveries", "claims")
    op.drop_column("workers", "lock_key")
    for table in ("erasures", "consent_chains", "inbound", "audit", "rules_in_force", "cap_counters"):
        op.drop_table(table)


def _create_cap_counters() -> None:
    op.create_table(
        "cap_counters",
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("counters", _JSON, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_cap_counters")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cap_counters_expires_at", "cap_counters", ["expires_at"])
    op.create_table(
        "rules_in_force",
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("service_id", _TEXT),
        sa.Column("action", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("reason", _TEXT),
        sa.Column("data", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at", "id"])
    op.create_index("ix_audit_subject", "audit", ["subject", "at", "id"])


def _create_inbound() -> None:
    op.create_table(
        "inbound",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("provider_event_id", _TEXT, nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("sender", _TEXT, nullable=False),
        sa.Column("recipient", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("handled", _JSON),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("provider", "provider_event_id", name=op.f("uq_inbound_provider_provider_event_id")),
    )
    op.create_index("ix_inbound_at", "inbound", ["at", "id"])
    op.create_index("ix_inbound_sender", "inbound", ["channel", "sender", "at"])


def _create_erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("service_id", _TEXT, nullable=False),
        sa.Column("recipient_id", _TEXT, nullable=False),
        sa.Column("addresses", _JSON, nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("scanned", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )


def _extend_deliveries() -> None:
    op.add_column("deliveries", sa.Column("claims", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("deliveries", sa.Column("subject", _TEXT))
    op.create_index("ix_deliveries_subject", "deliveries", ["subject"], sqlite_where=_WAITS, postgresql_where=_WAITS)


def _extend_recipients() -> None:
    op.add_column("recipients", sa.Column("preferences", _JSON))
    op.create_index("ix_recipients_created_at", "recipients", ["service_id", "created_at", "id"])
    for address in ("email", "phone"):
        known = sa.text(f"{address} IS NOT NULL")
        op.create_index(f"ix_recipients_{address}", "recipients", [address], sqlite_where=known, postgresql_where=known)


def _extend_consents() -> None:
    for name, kind in _OF_THE_LEDGER.items():
        op.add_column("consents", sa.Column(name, kind))
    op.create_index("uq_consents_position", "consents", ["service_id", "position"], unique=True)
    op.create_table(
        "consent_chains",
        sa.Column("service_id", _TEXT, nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("service_id", name=op.f("pk_consent_chains")),
    )


def _extend_suppressions() -> None:
    # What the version before adds has no hash yet, and its uniqueness by address stands beside.
    with op.batch_alter_table("suppressions") as suppressions:
        suppressions.alter_column("address", existing_type=_TEXT, nullable=True)
        suppressions.add_column(sa.Column("address_hash", _TEXT))
    op.create_index(
        "uq_suppressions_address_hash", "suppressions", ["channel", "address_hash", "reason", "scope"], unique=True
    )
    ends = sa.text("expires_at IS NOT NULL")
    op.create_index(
        "ix_suppressions_expires_at", "suppressions", ["expires_at"], sqlite_where=ends, postgresql_where=ends
    )
    unnamed = sa.text("address_hash IS NULL")
    op.create_index("ix_suppressions_unnamed", "suppressions", ["id"], sqlite_where=unnamed, postgresql_where=unnamed)
