"""The consent history: lines are added and never changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import ConsentId, RecipientId, ServiceId
from gateway.domain.ledger import ERASED, Naming
from gateway.domain.preferences import Consent, ConsentState, consents_at, current_consent, may_ask
from gateway.domain.values import Value
from gateway.errors import Conflict, NotFound
from gateway.ports import NewMessage, Page
from gateway.storage.columns import stored
from gateway.storage.cursors import make_cursor, read_cursor
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.engine import Database
from gateway.storage.people.ledger import append, history_of, lock_chain
from gateway.storage.people.person_rows import consent_of
from gateway.storage.queue.accept import accept_within
from gateway.storage.tables import consents
from gateway.storage.upkeep.audit import write_audit

_KNOWN: Final = "WITH k AS ({keys}) SELECT t.id FROM k CROSS JOIN consents t WHERE t.id = k.column1"
_NO_MESSAGES: Final[Mapping[ConsentId, NewMessage]] = {}


class Consents:
    """Implements ports.ConsentStore."""

    def __init__(self, database: Database, commit: GroupCommit, naming: Naming) -> None:
        self._reader = database.reader
        self._commit = commit
        self._naming = naming

    async def add_consents(
        self,
        lines: Sequence[Consent],
        *,
        messages: Mapping[ConsentId, NewMessage] = _NO_MESSAGES,
        entry: AuditEntry | None = None,
        again: bool = False,
    ) -> Sequence[Consent]:
        """Append them all, or none, with the messages that ask for confirmation and the entry; those that were.

        A line with a message is left out, and its message with it, where the same was asked a moment ago. Concurrent
        calls share a transaction. Raises Conflict for an id that is there already; with `again` such a line is left
        out as well, and there is no entry if nothing is new.
        """
        if not lines:
            return ()
        addition = _Addition(naming=self._naming, lines=tuple(lines), messages=messages, entry=entry, again=again)
        try:
            return await self._commit.write(_add_all, addition)
        except Conflict as error:
            raise Conflict("A line of the consent history is there already.") from error

    async def confirm(self, pending: Consent, grant: Consent) -> Consent:
        """Append the grant that ends a double opt-in, if it still waits; the line that holds afterwards.

        A repeat finds the grant and adds nothing; where the person said no meanwhile, that holds. Raises NotFound
        where the person was erased meanwhile.
        """
        held = await self._commit.write(_confirm_all, (self._naming, pending, grant))
        if held is None:
            raise NotFound(f"There is no consent {pending.id}.")
        return held

    async def get_consent(self, consent_id: ConsentId) -> Consent:
        """One line by its id. Raises NotFound, also where its person was erased."""
        query = sa.select(*stored(consents)).where(consents.c.id == consent_id, consents.c.recipient_id != ERASED)
        async with self._reader.connect() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound(f"There is no consent {consent_id}.")
        return consent_of(tuple(row))

    async def current_consents(
        self,
        service_id: ServiceId,
        recipient_id: RecipientId,
        *,
        at: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Sequence[Consent]:
        """For each (channel, topic) the line that holds, or held `at` an instant: the latest, and the strictest of two.

        With `known_at` only lines that were recorded by then count: what the gateway could know.
        """
        query = sa.select(*stored(consents)).where(*_of(service_id, recipient_id))
        async with self._reader.connect() as connection:
            lines = [consent_of(tuple(row)) for row in await connection.execute(query)]
        return consents_at(lines, at, known_at=known_at)

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
            items=tuple(consent_of(tuple(row)) for row in shown),
            next_cursor=make_cursor(shown[-1].seq) if len(rows) > limit else None,
        )


class _Addition(Value, frozen=True, kw_only=True):
    naming: Naming
    lines: tuple[Consent, ...]
    messages: Mapping[ConsentId, NewMessage]
    entry: AuditEntry | None
    again: bool

    @property
    def is_plain(self) -> bool:
        """Whether it can be written without a look at what is there."""
        return not self.messages and not self.again


async def _add_all(driver: Driver, additions: Sequence[_Addition]) -> Sequence[Sequence[Consent]]:
    # What asks nobody goes together: the chains' ends are locked, and moved, once for all of them.
    plain = [line for addition in additions if addition.is_plain for line in addition.lines]
    await append(driver, additions[0].naming, plain)
    added = [addition.lines if addition.is_plain else await _add(driver, addition) for addition in additions]
    done = [addition.entry for addition, lines in zip(additions, added, strict=True) if lines]
    await write_audit(driver, [entry for entry in done if entry is not None])
    return added


async def _add(driver: Driver, addition: _Addition) -> Sequence[Consent]:
    if not addition.again:
        return await _ask(driver, addition)
    for service_id in sorted({line.service_id for line in addition.lines}):
        await lock_chain(driver, service_id)
    # Of the same line twice the first is taken.
    new = {line.id: line for line in reversed(addition.lines)}
    for (known,) in await driver.select_in(_KNOWN, each_key(new)):
        del new[known]
    lines = [line for line in addition.lines if new.get(line.id) is line]
    await append(driver, addition.naming, lines)
    return lines


async def _ask(driver: Driver, addition: _Addition) -> Sequence[Consent]:
    """Add lines of which some begin a double opt-in, each with the message that asks."""
    added: list[Consent] = []
    for line in addition.lines:
        message = addition.messages.get(line.id)
        if message is not None:
            if not may_ask(await _standing(driver, line), line):
                continue
            await accept_within(driver, [message])
        await append(driver, addition.naming, [line])
        added.append(line)
    return added


async def _confirm_all(driver: Driver, asked: Sequence[tuple[Naming, Consent, Consent]]) -> Sequence[Consent | None]:
    return [await _confirm(driver, naming, pending, grant) for naming, pending, grant in asked]


async def _confirm(driver: Driver, naming: Naming, pending: Consent, grant: Consent) -> Consent | None:
    standing = await _standing(driver, pending)
    # Without a line the person was erased: what named them must not come back.
    if standing is None or standing.state is not ConsentState.PENDING:
        return standing
    await append(driver, naming, [grant])
    return grant


async def _standing(driver: Driver, about: Consent) -> Consent | None:
    """What the person last said of the line's channel and topic; nobody adds to the chain until we are done."""
    await lock_chain(driver, about.service_id)
    history = await history_of(driver, about.service_id, about.recipient_id)
    return current_consent(line for line in history if (line.channel, line.topic) == (about.channel, about.topic))


def _of(service_id: ServiceId, recipient_id: RecipientId) -> tuple[sa.ColumnElement[bool], ...]:
    return consents.c.service_id == service_id, consents.c.recipient_id == recipient_id
