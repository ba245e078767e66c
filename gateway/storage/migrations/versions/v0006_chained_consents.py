"""Every line of the consent history stands in its service's chain: those of versions that knew no chain are put there.

How a line is hashed never changes without becoming another format, so the code that does it is shared.
"""

import json
import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.domain.ids import ConsentId, RecipientId, ServiceId
from gateway.domain.instants import from_micros
from gateway.domain.ledger import ORIGIN, Head, Line, chain, head_after
from gateway.domain.preferences import Consent, ConsentState
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel
from gateway.storage.upkeep.secret import secret_of

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A version without chains would add lines outside them.
phase = "post"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_CHAINED: dict[str, sa.types.TypeEngine[Any]] = {
    "subject": _TEXT,
    "previous_hash": _TEXT,
    "hash": _TEXT,
    "position": sa.BigInteger(),
}
_WAITING = sa.text(
    "SELECT seq, id, service_id, recipient_id, channel, topic, state, source, wording, locale,"
    " CAST(evidence AS TEXT) AS evidence, at, recorded_at FROM consents"
    " WHERE hash IS NULL ORDER BY service_id, seq LIMIT 1000"
)
_LAST_CHAINED = sa.text("SELECT max(seq) FROM consents WHERE service_id = :service_id AND hash IS NOT NULL")
_HEAD = sa.text("SELECT length, hash FROM consent_chains WHERE service_id = :service_id")
_KEEP_HEAD = sa.text(
    "INSERT INTO consent_chains (service_id, length, hash) VALUES (:service_id, :length, :hash)"
    " ON CONFLICT (service_id) DO UPDATE SET length = excluded.length, hash = excluded.hash"
)
_KEEP = sa.text(
    "UPDATE consents SET subject = :subject, previous_hash = :previous_hash, hash = :hash, position = :position,"
    " wording_digest = :wording_digest, evidence_salt = :evidence_salt, evidence_digest = :evidence_digest"
    " WHERE id = :id"
)
_BEHIND = {
    "sqlite": "UPDATE consents SET seq = (SELECT max(seq) + 1 FROM consents) WHERE id = :id",
    "postgresql": "UPDATE consents SET seq = nextval('consents_seq_seq') WHERE id = :id",
}
"""Rows are numbered in the order of their chain, also where a version with chains wrote beside one without."""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("LOCK TABLE consents, consent_chains IN SHARE ROW EXCLUSIVE MODE")
    _chain_all(connection)
    with op.batch_alter_table("consents") as consents:
        for name, kind in _CHAINED.items():
            consents.alter_column(name, existing_type=kind, nullable=False)
    op.execute("UPDATE compatibility SET oldest = '0004'")


def downgrade() -> None:
    with op.batch_alter_table("consents") as consents:
        for name, kind in _CHAINED.items():
            consents.alter_column(name, existing_type=kind, nullable=True)
    op.execute("UPDATE compatibility SET oldest = '0001'")


def _chain_all(connection: sa.Connection) -> None:
    while waiting := connection.execute(_WAITING).all():
        naming = Pseudonyms(secret_of(connection)).of_person
        for service_id in dict.fromkeys(row.service_id for row in waiting):
            rows = [row for row in waiting if row.service_id == service_id]
            _renumber(connection, service_id, rows)
            head = _head_of(connection, service_id)
            lines: list[Line] = []
            for row in rows:
                subject = naming(service_id, row.recipient_id)
                lines.append(chain(_consent_of(row), subject, secrets.token_hex(16), head))
                head = head_after(lines[-1])
            connection.execute(_KEEP, [_values_of(line) for line in lines])
            connection.execute(_KEEP_HEAD, {"service_id": service_id, "length": head.length, "hash": head.hash})


def _renumber(connection: sa.Connection, service_id: str, rows: Sequence[sa.Row[Any]]) -> None:
    last = connection.execute(_LAST_CHAINED, {"service_id": service_id}).scalar() or 0
    for row in rows:
        if row.seq < last:
            connection.execute(sa.text(_BEHIND[connection.dialect.name]), {"id": row.id})


def _head_of(connection: sa.Connection, service_id: str) -> Head:
    row = connection.execute(_HEAD, {"service_id": service_id}).first()
    length, last = (0, ORIGIN) if row is None else row
    return Head(service_id=ServiceId(service_id), length=length, hash=last)


def _consent_of(row: sa.Row[Any]) -> Consent:
    return Consent(
        id=ConsentId(row.id),
        service_id=ServiceId(row.service_id),
        recipient_id=RecipientId(row.recipient_id),
        channel=Channel(row.channel),
        topic=row.topic,
        state=ConsentState(row.state),
        source=row.source,
        wording=row.wording,
        locale=row.locale,
        evidence=None if row.evidence is None else json.loads(row.evidence),
        at=from_micros(row.at),
        recorded_at=from_micros(row.recorded_at),
    )


def _values_of(line: Line) -> dict[str, Any]:
    return {
        "id": line.consent.id,
        "subject": line.subject,
        "previous_hash": line.previous_hash,
        "hash": line.hash,
        "position": line.position,
        "wording_digest": line.wording_digest,
        "evidence_salt": line.evidence_salt,
        "evidence_digest": line.evidence_digest,
    }
