"""Writing to the consent ledger, and reading it as its chains stand.

Who adds a line has its service's row of `consent_chains` locked until the transaction ends, so that lines follow one
another however many processes write; concurrent callers share a transaction, and with it the lock and the commit.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from typing import Final

import sqlalchemy as sa

from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.instants import to_micros
from gateway.domain.ledger import ERASED, ORIGIN, Head, Line, Naming, chain, head_after
from gateway.domain.ledger_check import Kept
from gateway.domain.preferences import Consent, consents_at
from gateway.storage.columns import names, stored
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.people.person_rows import consent_of, consent_row
from gateway.storage.queue.holds import look_again
from gateway.storage.tables import consent_chains, consents

_SALT_BYTES: Final = 16
_PORTION: Final = 1_000
_insert: Final = Insert(consents, skip=frozenset({"seq"}))
_LOCK_HEAD: Final = (
    "INSERT INTO consent_chains (service_id, length, hash) VALUES (?, 0, ?)"
    " ON CONFLICT (service_id) DO UPDATE SET length = consent_chains.length RETURNING length, hash"
)
"""Makes the row where there is none, and locks it either way."""
_MOVE_HEAD: Final = "UPDATE consent_chains SET length = ?, hash = ? WHERE service_id = ?"
_HISTORY: Final = (
    f"SELECT {names(consents)} FROM consents"  # noqa: S608 - our own names
    " WHERE service_id = ? AND recipient_id = ? ORDER BY seq"
)
_BLANK: Final = (
    "UPDATE consents SET recipient_id = ?, wording = NULL, evidence = NULL, evidence_salt = NULL"
    " WHERE service_id = ? AND recipient_id = ?"
)


async def append(driver: Driver, naming: Naming, lines: Sequence[Consent]) -> None:
    """Add lines to their services' chains, in their order, in whatever transaction it is; what is held for their
    people is looked at again.

    A transaction that takes other locks takes them before: these are the ones that most others wait for.
    """
    told: dict[str, int] = {}
    for said in lines:
        told[naming(said.service_id, said.recipient_id)] = to_micros(said.recorded_at)
    await look_again(driver, told, max(told.values(), default=0))
    for service_id, own in groupby(sorted(lines, key=_service_of), key=_service_of):
        head = await lock_chain(driver, service_id)
        rows: list[Row] = []
        for consent in own:
            subject = naming(consent.service_id, consent.recipient_id)
            line = chain(consent, subject, secrets.token_hex(_SALT_BYTES), head)
            rows.append(_row_of(line))
            head = head_after(line)
        await driver.insert(_insert, rows)
        await driver.execute(_MOVE_HEAD, (head.length, head.hash, service_id))


async def append_news(driver: Driver, naming: Naming, lines: Sequence[Consent]) -> Sequence[Consent]:
    """`append` those lines that say something else than what holds; which they were."""
    news: list[Consent] = []
    for (service_id, recipient_id), said in groupby(sorted(lines, key=_person_of), key=_person_of):
        await lock_chain(driver, service_id)
        held = {
            (one.channel, one.topic): one.state
            for one in consents_at(await history_of(driver, service_id, recipient_id))
        }
        for line in said:
            about = (line.channel, line.topic)
            if held.get(about) is not line.state:
                held[about] = line.state
                news.append(line)
    await append(driver, naming, news)
    return news


async def lock_chain(driver: Driver, service_id: ServiceId) -> Head:
    """Where the service's chain ends; nobody else adds a line to it until the transaction ends."""
    ((length, last),) = await driver.fetch(_LOCK_HEAD, (service_id, ORIGIN))
    return Head(service_id=service_id, length=length, hash=last)


async def history_of(driver: Driver, service_id: ServiceId, recipient_id: RecipientId) -> list[Consent]:
    """All that a person ever said, oldest recorded first."""
    return [consent_of(row) for row in await driver.fetch(_HISTORY, (service_id, recipient_id))]


async def blank_person(driver: Driver, service_id: ServiceId, recipient_id: RecipientId) -> int:
    """Take out of the ledger what names the person or can be read of them; how many lines were theirs.

    The lines stay, under the person's pseudonym, with channel, topic, state, source and instants, and the chain is as
    whole as before. There is no way back.
    """
    return await driver.execute(_BLANK, (ERASED, service_id, recipient_id))


class Ledger:
    """`gateway.ports.LedgerStore`: the chains as they are kept, for those who check them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self) -> Sequence[Head]:
        """Where each service's chain ends, one for each service that has lines or ever had."""
        kept = sa.select(*consent_chains.c)
        found = sa.select(consents.c.service_id).distinct()
        async with self._database.reader.connect() as connection:
            heads = {row.service_id: _head_of(tuple(row)) for row in await connection.execute(kept)}
            for (service_id,) in await connection.execute(found):
                heads.setdefault(service_id, Head(service_id=ServiceId(service_id)))
        return [heads[service_id] for service_id in sorted(heads)]

    async def head(self, service_id: ServiceId) -> Head:
        """Where one service's chain ends."""
        query = sa.select(*consent_chains.c).where(consent_chains.c.service_id == service_id)
        async with self._database.reader.connect() as connection:
            row = (await connection.execute(query)).first()
        return Head(service_id=service_id) if row is None else _head_of(tuple(row))

    async def lines(self, service_id: ServiceId) -> AsyncIterator[Kept]:
        """The service's lines in the order of their places, also those that are added meanwhile."""
        query = sa.select(*stored(consents)).where(consents.c.service_id == service_id)
        query = query.order_by(consents.c.position, consents.c.seq)
        place: tuple[int, int] = (-1, -1)
        while True:
            after = sa.tuple_(consents.c.position, consents.c.seq) > sa.tuple_(*map(sa.literal, place))
            async with self._database.reader.connect() as connection:
                rows = (await connection.execute(query.where(after).limit(_PORTION))).all()
            for row in rows:
                yield _kept_of(tuple(row))
            if len(rows) < _PORTION:
                return
            place = rows[-1].position, rows[-1].seq


def _head_of(row: Row) -> Head:
    service_id, length, last = row
    return Head(service_id=service_id, length=length, hash=last)


def _service_of(consent: Consent) -> ServiceId:
    return consent.service_id


def _person_of(consent: Consent) -> tuple[ServiceId, RecipientId]:
    return consent.service_id, consent.recipient_id


def _row_of(line: Line) -> Row:
    return (
        *consent_row(line.consent),
        line.subject,
        line.previous_hash,
        line.hash,
        line.position,
        line.wording_digest,
        line.evidence_salt,
        line.evidence_digest,
    )


def _kept_of(row: Row) -> Kept:
    subject, previous_hash, own_hash, position, wording_digest, salt, evidence_digest = row[-7:]
    line = Line(
        consent=consent_of(row),
        position=position,
        subject=subject,
        wording_digest=wording_digest,
        evidence_salt=salt,
        evidence_digest=evidence_digest,
        previous_hash=previous_hash,
        hash=own_hash,
    )
    return Kept(line=line, seq=row[0])
