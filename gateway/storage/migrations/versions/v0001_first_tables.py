"""The first tables: services and keys, messages on their way, people and what they want, and the mailbox.

On PostgreSQL what grows with every message is partitioned by month over ids that sort by time; the partitions are
made by `gateway.storage.upkeep.partitions`, all but the one that takes what has none.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

phase = "pre"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_JSON = sa.JSON()
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _by_month(key: str) -> dict[str, Any]:
    return {"postgresql_partition_by": f"RANGE ({key})"}


def _add_rest(table: str) -> None:
    if _on_postgresql():
        op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")


def _belongs_to(name: str, column: str, owner: str) -> list[sa.ForeignKeyConstraint]:
    if _on_postgresql():
        return []
    return [sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=op.f(name), ondelete="CASCADE")]


def upgrade() -> None:
    _create_consents()
    _create_idempotency_keys()
    _create_mailbox()
    _create_messages()
    _create_recipients()
    _create_services()
    _create_suppressions()
    _create_workers()
    _create_api_keys()
    _create_attachments()
    _create_deliveries()
    _create_events()
    _create_message_tags()
    _create_attempts()
    _create_contents()


def downgrade() -> None:
    for table in (
        "contents",
        "attempts",
        "message_tags",
        "events",
        "deliveries",
        "attachments",
        "api_keys",
        "workers",
        "suppressions",
        "services",
        "recipients",
        "messages",
        "mailbox",
        "idempotency_keys",
        "consents",
    ):
        op.drop_table(table)


def _create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("seq", _SEQUENCE, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("service_id", _TEXT, nullable=False),
        sa.Column("recipient_id", _TEXT, nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("topic", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("wording", _TEXT),
        sa.Column("locale", _TEXT),
        sa.Column("evidence", _JSON),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_consents")),
        sa.UniqueConstraint("id", name=op.f("uq_consents_id")),
    )
    op.create_index("ix_consents_recipient_id", "consents", ["service_id", "recipient_id", "topic", "seq"])


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("service_id", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("message_id", _TEXT),
        sa.Column("answer", _JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", "key", name=op.f("pk_idempotency_keys")),
    )


def _create_mailbox() -> None:
    op.create_table(
        "mailbox",
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("sender", _TEXT, nullable=False),
        sa.Column("to", _TEXT, nullable=False),
        sa.Column("content", _JSON, nullable=False),
        sa.Column("raw", sa.LargeBinary()),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_mailbox")),
    )
    op.create_index("ix_mailbox_channel", "mailbox", ["channel", "received_at", "delivery_id"])
    op.create_index("ix_mailbox_received_at", "mailbox", ["received_at", "delivery_id"])


def _create_messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("service_id", _TEXT, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("template", _TEXT, nullable=False),
        sa.Column("category", _TEXT, nullable=False),
        sa.Column("topic", _TEXT),
        sa.Column("strategy", _TEXT, nullable=False),
        sa.Column("channels", _JSON, nullable=False),
        sa.Column("recipient_id", _TEXT),
        sa.Column("recipient", _JSON, nullable=False),
        sa.Column("data", _JSON, nullable=False),
        sa.Column("secrets", _JSON),
        sa.Column("secrets_dropped", sa.Boolean(), nullable=False),
        sa.Column("priority", _TEXT, nullable=False),
        sa.Column("tags", _JSON, nullable=False),
        sa.Column("metadata", _JSON, nullable=False),
        sa.Column("sender", _TEXT),
        sa.Column("attachments", sa.Integer(), nullable=False),
        sa.Column("fallback_after", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("send_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("locale", _TEXT),
        sa.Column("traceparent", _TEXT),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("versions", _JSON),
        sa.Column("search", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        **_by_month("id"),
    )
    _add_rest("messages")
    op.create_index("ix_messages_created_at", "messages", ["created_at", "id"])
    op.create_index(
        "ix_messages_recipient_id",
        "messages",
        ["recipient_id", "created_at"],
        sqlite_where=sa.text("recipient_id IS NOT NULL"),
        postgresql_where=sa.text("recipient_id IS NOT NULL"),
    )
    op.create_index("ix_messages_service_id", "messages", ["service_id", "created_at", "id"])
    op.create_index(
        "ix_messages_status",
        "messages",
        ["status", "created_at", "id"],
        sqlite_where=sa.text("(status NOT IN ('accepted', 'sending', 'sent', 'delivered'))"),
        postgresql_where=sa.text("(status NOT IN ('accepted', 'sending', 'sent', 'delivered'))"),
    )
    op.create_index("ix_messages_template", "messages", ["template", "created_at", "id"])


def _create_recipients() -> None:
    op.create_table(
        "recipients",
        sa.Column("service_id", _TEXT, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("email", _TEXT),
        sa.Column("phone", _TEXT),
        sa.Column("push", _JSON, nullable=False),
        sa.Column("locale", _TEXT),
        sa.Column("timezone", _TEXT),
        sa.Column("country", _TEXT),
        sa.Column("region", _TEXT),
        sa.Column("attributes", _JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service_id", "id", name=op.f("pk_recipients")),
    )


def _create_services() -> None:
    op.create_table(
        "services",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("senders", _JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("name", name=op.f("uq_services_name")),
    )


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("address", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("scope", _TEXT, nullable=False),
        sa.Column("evidence", _JSON),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint(
            "channel", "address", "reason", "scope", name=op.f("uq_suppressions_channel_address_reason_scope")
        ),
    )
    op.create_index("ix_suppressions_created_at", "suppressions", ["created_at", "id"])


def _create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("service_id", _TEXT, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("secret_hash", _TEXT, nullable=False),
        sa.Column("rate_per_second", sa.Float()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name=op.f("fk_api_keys_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_service_id"), "api_keys", ["service_id"])


def _create_attachments() -> None:
    op.create_table(
        "attachments",
        sa.Column("message_id", _TEXT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("filename", _TEXT, nullable=False),
        sa.Column("content_type", _TEXT, nullable=False),
        sa.Column("inline_id", _TEXT),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        *_belongs_to("fk_attachments_message_id", "message_id", "messages"),
        sa.PrimaryKeyConstraint("message_id", "position", name=op.f("pk_attachments")),
        **_by_month("message_id"),
    )
    _add_rest("attachments")


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("message_id", _TEXT, nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("reason", _TEXT),
        sa.Column("not_before", sa.BigInteger()),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("lease_owner", _TEXT),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("provider", _TEXT),
        sa.Column("provider_message_id", _TEXT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("address", _TEXT),
        sa.Column("sender", _TEXT),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        *_belongs_to("fk_deliveries_message_id", "message_id", "messages"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(
        "ix_deliveries_address",
        "deliveries",
        ["address"],
        sqlite_where=sa.text("address IS NOT NULL"),
        postgresql_where=sa.text("address IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_claim",
        "deliveries",
        ["lane", "due_at", "id"],
        sqlite_where=sa.text("lease_owner IS NULL AND due_at IS NOT NULL"),
        postgresql_where=sa.text("lease_owner IS NULL AND due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_lease_owner",
        "deliveries",
        ["lease_owner"],
        sqlite_where=sa.text("lease_owner IS NOT NULL"),
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index("ix_deliveries_message_id", "deliveries", ["message_id"])


def _create_events() -> None:
    if _on_postgresql():
        op.execute("CREATE SEQUENCE events_seq AS BIGINT")
    number = sa.text("nextval('events_seq')") if _on_postgresql() else None
    op.create_table(
        "events",
        sa.Column("seq", _SEQUENCE, server_default=number, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("message_id", _TEXT, nullable=False),
        sa.Column("delivery_id", _TEXT),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("data", _JSON, nullable=False),
        *_belongs_to("fk_events_message_id", "message_id", "messages"),
        # A key of a partitioned table holds what it is partitioned by.
        sa.PrimaryKeyConstraint(*(("message_id", "seq") if _on_postgresql() else ("seq",)), name=op.f("pk_events")),
        **_by_month("message_id"),
    )
    _add_rest("events")
    if _on_postgresql():
        op.execute("ALTER SEQUENCE events_seq OWNED BY events.seq")
    else:
        op.create_index("ix_events_message_id", "events", ["message_id", "seq"])


def _create_message_tags() -> None:
    op.create_table(
        "message_tags",
        sa.Column("message_id", _TEXT, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        *_belongs_to("fk_message_tags_message_id", "message_id", "messages"),
        sa.PrimaryKeyConstraint("message_id", "tag", name=op.f("pk_message_tags")),
        sqlite_with_rowid=False,
        **_by_month("message_id"),
    )
    _add_rest("message_tags")
    op.create_index("ix_message_tags_tag", "message_tags", ["tag", "message_id"])


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("outcome", _TEXT),
        sa.Column("result", _JSON),
        *_belongs_to("fk_attempts_delivery_id", "delivery_id", "deliveries"),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
        **_by_month("delivery_id"),
    )
    _add_rest("attempts")


def _create_contents() -> None:
    op.create_table(
        "contents",
        sa.Column("delivery_id", _TEXT, nullable=False),
        sa.Column("content", _JSON, nullable=False),
        *_belongs_to("fk_contents_delivery_id", "delivery_id", "deliveries"),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_contents")),
        **_by_month("delivery_id"),
    )
    _add_rest("contents")
