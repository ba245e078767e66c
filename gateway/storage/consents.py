"""The consent history: lines are added and never changed."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gateway.domain.ids import ConsentId, RecipientId, ServiceId
from gateway.domain.preferences import Consent, ConsentState
from gateway.domain.recipients import Channel
from gateway.errors import Conflict
from gateway.ports import Page
from gateway.storage.cursors import make_cursor, read_cursor
from gateway.storage.engine import Database
from gateway.storage.tables import consents


class Consents:
    """Implements ports.ConsentStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer

    async def add_consents(self, lines: Sequence[Consent]) -> None:
        """Append them all, or none. Raises Conflict for an id that is there already."""
        if not lines:
            return
        try:
            async with self._writer.transaction() as connection:
                await connection.execute(consents.insert(), [_row(line) for line in lines])
        except sa.exc.IntegrityError as error:
            raise Conflict("A line of the consent history is there already.") from error

    async def current_consents(self, service_id: ServiceId, recipient_id: RecipientId) -> Sequence[Consent]:
        """For each (channel, topic) the line that holds: the latest `at`; at one instant a denial wins."""
        is_denial = sa.case((consents.c.state == ConsentState.DENIED.value, 1), else_=0)
        standing = (
            sa.func.row_number()
            .over(
                partition_by=(consents.c.channel, consents.c.topic),
                order_by=(consents.c.at.desc(), is_denial.desc(), consents.c.seq.desc()),
            )
            .label("standing")
        )
        ranked = sa.select(consents, standing).where(*_of(service_id, recipient_id)).subquery()
        query = sa.select(ranked).where(ranked.c.standing == 1).order_by(ranked.c.channel, ranked.c.topic)
        async with self._reader.connect() as connection:
            return [_consent(row) for row in await connection.execute(query)]

    async def consent_history(
        self, service_id: ServiceId, recipient_id: RecipientId, limit: int, cursor: str | None
    ) -> Page[Consent]:
        """Every line, newest recorded first."""
        query = sa.select(consents).where(*_of(service_id, recipient_id)).order_by(consents.c.seq.desc())
        if cursor is not None:
            (seq,) = read_cursor(cursor, int)
            query = query.where(consents.c.seq < seq)
        async with self._reader.connect() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        shown = rows[:limit]
        return Page(
            items=tuple(_consent(row) for row in shown),
            next_cursor=make_cursor(shown[-1].seq) if len(rows) > limit else None,
        )


def _of(service_id: ServiceId, recipient_id: RecipientId) -> tuple[sa.ColumnElement[bool], ...]:
    return consents.c.service_id == service_id, consents.c.recipient_id == recipient_id


def _row(line: Consent) -> dict[str, Any]:
    return {
        "id": line.id,
        "service_id": line.service_id,
        "recipient_id": line.recipient_id,
        "channel": line.channel.value,
        "topic": line.topic,
        "state": line.state.value,
        "source": line.source,
        "wording": line.wording,
        "locale": line.locale,
        "evidence": None if line.evidence is None else dict(line.evidence),
        "at": line.at,
        "recorded_at": line.recorded_at,
    }


def _consent(row: "sa.Row[Any]") -> Consent:
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
        evidence=row.evidence,
        at=row.at,
        recorded_at=row.recorded_at,
    )
