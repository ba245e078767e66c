"""Erasing a person, portion by portion; a row of `erasures` remembers what is still to be done.

The first transaction takes away what names the person and writes that row. Each further one blanks some of their
messages: first those that name them, then, all messages having been looked through, those without an id that go to
one of their addresses. The last one removes the row. Whoever is killed leaves the row, and it is gone on with.
"""

import asyncio
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import ERASURE, ErasureId, RecipientId, ServiceId, make_id
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.preferences import BY_TEXT
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, comparable
from gateway.errors import NotFound
from gateway.ports.belongings import Belonging
from gateway.ports.erasing import Advance, Erasure
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.documents import dump, load
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.people.belongings import AT, bound_after, find_belonging, find_messages, in_json
from gateway.storage.people.blanking import blank_messages
from gateway.storage.people.ledger import blank_person
from gateway.storage.people.recipients import person_lock
from gateway.storage.queue.facts import find_suppressions
from gateway.storage.upkeep.audit import write_audit

_MESSAGES: Final = 200
"""So many messages at most are blanked in one transaction: other writers wait for it."""
_WIPE_SECONDS: Final = 0.05
"""Whoever waits longer for readers holds up writers meanwhile; there will be another sweep."""

_insert: Final = Insert(tables.erasures)
_OPEN: Final = f"SELECT {names(tables.erasures)} FROM erasures ORDER BY requested_at, id"  # noqa: S608 - our own names
_ONE: Final = f"SELECT {names(tables.erasures)} FROM erasures WHERE id = ?"  # noqa: S608 - our own names
_FORGET_PERSON: Final = "DELETE FROM recipients WHERE service_id = ? AND id = ?"
_HIDE: Final = "UPDATE suppressions SET address_hash = ?, address = NULL, evidence = ? WHERE id = ?"
_NAMED: Final = (
    "SELECT id FROM messages WHERE recipient_id = ? AND service_id = ? AND created_at <= ? ORDER BY id LIMIT ?"
)
_MOVE: Final = "UPDATE erasures SET scanned = ? WHERE id = ?"
_BLANK_INBOUND: Final = "UPDATE inbound SET sender = '', text = '', handled = NULL WHERE channel = ? AND sender = ?"
_REASONS: Final = (
    "SELECT id, reason FROM audit WHERE service_id = ? AND {}(lower(reason), lower(CAST(? AS TEXT))) > 0 ORDER BY id"
)
_END: Final = "DELETE FROM erasures WHERE id = ?"


class Erasures:
    """Implements ports.ErasureStore."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._database = database
        self._pseudonyms = pseudonyms

    async def begin_erasure(
        self, service_id: ServiceId, recipient_id: RecipientId, entry: AuditEntry, now: datetime
    ) -> Erasure:
        """Take away what names the person, and remember the rest. Raises NotFound."""
        erasure_id = ErasureId(make_id(ERASURE, now))

        async def begin(driver: Driver) -> Erasure:
            await driver.lock([person_lock(service_id, recipient_id)])
            whose = await find_belonging(driver, service_id, recipient_id)
            if whose is None:
                raise NotFound(f"There is no recipient {recipient_id}.")
            erasure = Erasure(id=erasure_id, whose=whose, requested_at=now, scanned="")
            await driver.execute(_FORGET_PERSON, (service_id, recipient_id))
            await blank_person(driver, service_id, recipient_id)
            await _hide_suppressions(driver, whose, self._pseudonyms)
            await _forget_keys(driver, erasure)
            await driver.insert(_insert, [_row_of(erasure)])
            await write_audit(driver, [entry])
            return erasure

        return await self._database.writer.run(begin)

    async def open_erasures(self) -> Sequence[Erasure]:
        """Those under way, the oldest first."""
        return [_erasure_of(row) for row in await self._database.reader.run(lambda driver: driver.fetch(_OPEN))]

    async def advance_erasure(self, erasure_id: ErasureId, now: datetime) -> Advance:
        """Do another portion."""

        async def advance(driver: Driver) -> Advance:
            await driver.lock([f"erasure:{erasure_id}"])
            for row in await driver.fetch(_ONE, (erasure_id,)):
                return await _advance(driver, _erasure_of(row), self._pseudonyms, now)
            return Advance.DONE

        return await self._database.writer.run(advance)

    async def wipe(self) -> bool:
        """Empty the write-ahead log of a file, where the pages of before still stand; a server keeps its own house."""
        path = self._database.path
        return path is None or await asyncio.to_thread(_empty_log, path)


async def _advance(driver: Driver, erasure: Erasure, pseudonyms: Pseudonyms, now: datetime) -> Advance:
    limits = (erasure.whose.recipient_id, erasure.whose.service_id, to_micros(erasure.requested_at))
    named = [row[0] for row in await driver.fetch(_NAMED, (*limits, _MESSAGES))]
    if named and await blank_messages(driver, named, now):
        return Advance.MORE
    is_waiting = bool(named)
    if erasure.whose.addresses:
        until = await bound_after(driver, erasure.scanned)
        before = erasure.requested_at
        if found := await find_messages(driver, erasure.whose, erasure.scanned, until, accepted_until=before):
            return Advance.MORE if await blank_messages(driver, found[:_MESSAGES], now) else Advance.WAITING
        if until is not None:
            await driver.execute(_MOVE, (until, erasure.id))
            return Advance.MORE
    if is_waiting:
        return Advance.WAITING
    # Calls that were under way may have condemned an address since, and texts have come in.
    await _hide_suppressions(driver, erasure.whose, pseudonyms)
    await driver.execute_many(_BLANK_INBOUND, erasure.whose.addresses)
    await _blank_reasons(driver, erasure)
    await driver.execute(_END, (erasure.id,))
    return Advance.DONE


async def _hide_suppressions(driver: Driver, whose: Belonging, pseudonyms: Pseudonyms) -> None:
    """Leave of the suppressions of their addresses what they forbid, and whether a text of theirs may lift them."""
    spelled = {(channel, comparable(Channel(channel), address)) for channel, address in whose.addresses}
    found = await find_suppressions(driver, spelled, pseudonyms)
    for (channel, address), suppressions in found.items():
        name = pseudonyms.of_address(channel, address)
        for one in suppressions:
            by_text = (one.evidence or {}).get("by") == BY_TEXT
            evidence = dump({"by": BY_TEXT}) if by_text else None
            await driver.execute(_HIDE, (name, evidence, one.id))


async def _forget_keys(driver: Driver, erasure: Erasure) -> None:
    """Keys in whose text the person can be read, and answers that a version before this one kept beside them."""
    at = AT[driver.engine]
    theirs = "message_id IN (SELECT id FROM messages WHERE recipient_id = ? AND service_id = ?)"
    person = (erasure.whose.recipient_id, erasure.whose.service_id)
    await driver.execute(
        f'DELETE FROM idempotency_keys WHERE service_id = ? AND {at}(lower("key"), lower(CAST(? AS TEXT))) > 0'  # noqa: S608
        f" AND {theirs}",
        (erasure.whose.service_id, erasure.whose.recipient_id, *person),
    )
    for _, address in erasure.whose.addresses:
        await driver.execute(
            f'DELETE FROM idempotency_keys WHERE service_id = ? AND ({at}(lower("key"), lower(CAST(? AS TEXT))) > 0'  # noqa: S608
            f" OR {at}(lower(CAST(answer AS TEXT)), lower(CAST(? AS TEXT))) > 0)",
            (erasure.whose.service_id, address, in_json(address)),
        )


async def _blank_reasons(driver: Driver, erasure: Erasure) -> None:
    """Somebody may have written down whom it was about when they said why they did something."""
    for word in (erasure.whose.recipient_id, *(address for _, address in erasure.whose.addresses)):
        whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        told = await driver.fetch(_REASONS.format(AT[driver.engine]), (erasure.whose.service_id, word))
        telling = [(whole.sub("(erased)", reason), entry_id) for entry_id, reason in told if whole.search(reason)]
        await driver.execute_many("UPDATE audit SET reason = ? WHERE id = ?", telling)


def _row_of(erasure: Erasure) -> Row:
    return (
        erasure.id,
        erasure.whose.service_id,
        erasure.whose.recipient_id,
        dump(erasure.whose.addresses),
        to_micros(erasure.requested_at),
        erasure.scanned,
    )


def _erasure_of(row: Row) -> Erasure:
    erasure_id, service_id, recipient_id, addresses, requested_at, scanned = row
    return Erasure(
        id=ErasureId(erasure_id),
        whose=Belonging(
            service_id=ServiceId(service_id),
            recipient_id=RecipientId(recipient_id),
            addresses=tuple((channel, address) for channel, address in load(addresses)),
        ),
        requested_at=from_micros(requested_at),
        scanned=scanned,
    )


def _empty_log(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=_WIPE_SECONDS, isolation_level=None)) as connection:
        (is_busy, *_pages) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy
