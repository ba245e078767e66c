"""The consent history: lines are added and never changed."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.preferences import Consent, current_consent
from gateway.domain.recipients import Channel
from gateway.errors import Conflict
from gateway.ports import Page
from gateway.storage.columns import stored
from gateway.storage.cursors import make_cursor, read_cursor
from gateway.storage.driver import ConstraintBroken
from gateway.storage.engine import Database
from gateway.storage.person_rows import consent_of, consent_row
from gateway.storage.statements import Insert
from gateway.storage.tables import consents

_CHAIN: Final = ("wording_version", "actor", "requested_at", "confirmed_at", "subject", "previous_hash", "hash")
_insert: Final = Insert(consents, skip=frozenset({"seq", *_CHAIN}))


class Consents:
    """Implements ports.ConsentStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer

    async def add_consents(self, lines: Sequence[Consent]) -> None:
        """Append them all, or none. Raises Conflict for an id that is there already."""
        if not lines:
            return
        rows = [consent_row(line) for line in lines]
        try:
            await self._writer.run(lambda driver: driver.insert(_insert, rows))
        except ConstraintBroken as error:
            raise Conflict("A line of the consent history is there already.") from error

    async def current_consents(self, service_id: ServiceId, recipient_id: RecipientId) -> Sequence[Consent]:
        """For each (channel, topic) the line that holds: the latest `at`; at one instant the strictest."""
        query = sa.select(*stored(consents)).where(*_of(service_id, recipient_id))
        lines: dict[tuple[Channel, str], list[Consent]] = {}
        async with self._reader.connect() as connection:
            for row in await connection.execute(query):
                line = consent_of(row)
                lines.setdefault((line.channel, line.topic), []).append(line)
        return [standing for about in sorted(lines) if (standing := current_consent(lines[about]))]

    async def consent_history(
        self, service_id: ServiceId, recipient_id: RecipientId, limit: int, cursor: str | None
    ) -> Page[Consent]:
        """Every line, newest recorded first."""
        query = sa.select(*stored(consents)).where(*_of(service_id, recipient_id)).order_by(consents.c.seq.desc())
        if cursor is not None:
            (seq,) = read_cursor(cursor, int)
            query = query.where(consents.c.seq < seq)
        async with self._reader.connect() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        shown = rows[:limit]
        return Page(
            items=tuple(consent_of(row) for row in shown),
            next_cursor=make_cursor(shown[-1].seq) if len(rows) > limit else None,
        )


def _of(service_id: ServiceId, recipient_id: RecipientId) -> tuple[sa.ColumnElement[bool], ...]:
    return consents.c.service_id == service_id, consents.c.recipient_id == recipient_id
