"""People: how to reach them, what they said, and what counts for them."""

from typing import Final

import sqlalchemy as sa

from gateway.storage.tables.kinds import Instant, Json, RowNumber, Text, metadata

recipients: Final = sa.Table(
    "recipients",
    metadata,
    sa.Column("service_id", Text, nullable=False),
    sa.Column("id", Text, nullable=False),
    sa.Column("email", Text),
    sa.Column("phone", Text),
    sa.Column("push", Json, nullable=False),
    sa.Column("locale", Text),
    sa.Column("timezone", Text),
    sa.Column("country", Text),
    sa.Column("region", Text),
    sa.Column("attributes", Json, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    # Quiet hours and caps of the person's own choice, in the shape of a rule set.
    sa.Column("preferences", Json),
    sa.PrimaryKeyConstraint("service_id", "id"),
    sa.Index("ix_recipients_created_at", "service_id", "created_at", "id"),
)
for _address in (recipients.c.email, recipients.c.phone):
    sa.Index(
        f"ix_recipients_{_address.name}",
        _address,
        sqlite_where=_address.is_not(None),
        postgresql_where=_address.is_not(None),
    )

consents: Final = sa.Table(
    "consents",
    metadata,
    # The order of recording.
    sa.Column("seq", RowNumber, primary_key=True),
    sa.Column("id", Text, nullable=False, unique=True),
    sa.Column("service_id", Text, nullable=False),
    sa.Column("recipient_id", Text, nullable=False),
    sa.Column("channel", Text, nullable=False),
    sa.Column("topic", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("wording", Text),
    sa.Column("locale", Text),
    sa.Column("evidence", Json),
    sa.Column("at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("wording_version", Text),
    sa.Column("actor", Text),
    # The two instants of a double opt-in.
    sa.Column("requested_at", Instant),
    sa.Column("confirmed_at", Instant),
    # Whose line it is once erasure has taken the name: a pseudonym of service and recipient.
    sa.Column("subject", Text, nullable=False),
    # The chain of the service, which shows a line that was changed, removed, put in or moved (domain.ledger).
    sa.Column("previous_hash", Text, nullable=False),
    sa.Column("hash", Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("wording_digest", Text),
    sa.Column("evidence_salt", Text),
    sa.Column("evidence_digest", Text),
    sa.Index("ix_consents_recipient_id", "service_id", "recipient_id", "topic", "seq"),
    sa.Index("uq_consents_position", "service_id", "position", unique=True),
)

consent_chains: Final = sa.Table(
    "consent_chains",
    metadata,
    sa.Column("service_id", Text, primary_key=True),
    # Where the chain ends: who writes a line has this row to itself until its transaction ends.
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("hash", Text, nullable=False),
)

suppressions: Final = sa.Table(
    "suppressions",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("channel", Text, nullable=False),
    # What people read; gone once the person was erased.
    sa.Column("address", Text),
    sa.Column("reason", Text, nullable=False),
    sa.Column("scope", Text, nullable=False),
    sa.Column("evidence", Json),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    # What is matched: a keyed hash, which outlives the readable form.
    sa.Column("address_hash", Text),
    sa.UniqueConstraint("channel", "address", "reason", "scope"),
    sa.Index("uq_suppressions_address_hash", "channel", "address_hash", "reason", "scope", unique=True),
    sa.Index("ix_suppressions_created_at", "created_at", "id"),
)
_ENDS = suppressions.c.expires_at.is_not(None)
sa.Index("ix_suppressions_expires_at", suppressions.c.expires_at, sqlite_where=_ENDS, postgresql_where=_ENDS)
_UNNAMED = suppressions.c.address_hash.is_(None)
sa.Index("ix_suppressions_unnamed", suppressions.c.id, sqlite_where=_UNNAMED, postgresql_where=_UNNAMED)

cap_counters: Final = sa.Table(
    "cap_counters",
    metadata,
    # Whom the slots were spent on: a pseudonym of the recipient, or of the address where there is no id.
    sa.Column("subject", Text, primary_key=True),
    # `[[[instants, deliveries, those that stay], {counter: kept until, …}], …]`: slots that counters share, newest
    # first and no more than a cap's limit (storage.queue.slots).
    sa.Column("counters", Json, nullable=False),
    # From then on none of the slots counts: the end of a day, so that the index changes once a day.
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_cap_counters_expires_at", "expires_at"),
    sqlite_with_rowid=False,
)

erasures: Final = sa.Table(
    "erasures",
    metadata,
    # What is still to be erased of a person; gone with the last of it.
    sa.Column("id", Text, primary_key=True),
    sa.Column("service_id", Text, nullable=False),
    sa.Column("recipient_id", Text, nullable=False),
    sa.Column("addresses", Json, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    # The last message that was looked through for the addresses.
    sa.Column("scanned", Text, nullable=False),
)
