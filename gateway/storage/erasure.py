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
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, comparable
from gateway.errors import NotFound
from gateway.ports.erasing import Advance, Erasure
from gateway.storage import tables
from gateway.storage.audit import write_audit
from gateway.storage.blanking import blank_messages
from gateway.storage.columns import names
from gateway.storage.documents import dump, load, recipient_of
from gateway.storage.driver import Driver, Engine
from gateway.storage.engine import Database
from gateway.storage.facts import find_people
from gateway.storage.ledger import blank_person
from gateway.storage.statements import Insert, Row
from gateway.storage.tables import from_micros, to_micros

_MESSAGES: Final = 200
"""So many messages at most are blanked in one transaction: other writers wait for it."""
_SCANNED: Final = 5_000
"""So many are looked through in one."""
_WIPE_SECONDS: Final = 0.05
"""Whoever waits longer for readers holds up writers meanwhile; there will be another sweep."""

_insert: Final = Insert(tables.erasures)
_OPEN: Final = f"SELECT {names(tables.erasures)} FROM erasures ORDER BY requested_at, id"  # noqa: S608 - our own names
_ONE: Final = f"SELECT {names(tables.erasures)} FROM erasures WHERE id = ?"  # noqa: S608 - our own names
_FORGET_PERSON: Final = "DELETE FROM recipients WHERE service_id = ? AND id = ?"
_INLINE: Final = (
    "SELECT DISTINCT CAST(recipient AS TEXT) AS recipient FROM messages WHERE recipient_id = ? AND service_id = ?"
)
_TRIED: Final = (
    "SELECT DISTINCT d.channel, d.address FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " WHERE m.recipient_id = ? AND m.service_id = ? AND d.address IS NOT NULL"
)
_UNREADABLE: Final = (
    "UPDATE suppressions SET address_hash = ?, address = NULL, evidence = NULL"
    " WHERE channel = ? AND (address_hash = ? OR address_hash IS NULL AND address = ?)"
)
_NAMED: Final = (
    "SELECT id FROM messages WHERE recipient_id = ? AND service_id = ? AND created_at <= ? ORDER BY id LIMIT ?"
)
_BOUND: Final = "SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
_MOVE: Final = "UPDATE erasures SET scanned = ? WHERE id = ?"
_BLANK_INBOUND: Final = "UPDATE inbound SET sender = '', text = '', handled = NULL WHERE channel = ? AND sender = ?"
_REASONS: Final = (
    "SELECT id, reason FROM audit WHERE service_id = ? AND {}(lower(reason), lower(CAST(? AS TEXT))) > 0 ORDER BY id"
)
_END: Final = "DELETE FROM erasures WHERE id = ?"
_AT: Final = {Engine.SQLITE: "instr", Engine.POSTGRESQL: "strpos"}


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
            await driver.lock([f"recipient:{service_id}:{recipient_id}"])
            addresses = await _addresses(driver, service_id, recipient_id)
            erasure = Erasure(
                id=erasure_id,
                service_id=service_id,
                recipient_id=recipient_id,
                addresses=() if addresses is None else tuple(sorted(addresses)),
                requested_at=now,
                scanned="",
            )
            await driver.execute(_FORGET_PERSON, (service_id, recipient_id))
            lines = await blank_person(driver, service_id, recipient_id)
            if addresses is None and not lines:
                raise NotFound(f"There is no recipient {recipient_id}.")
            for channel, address in erasure.addresses:
                name = self._pseudonyms.of_address(channel, comparable(Channel(channel), address))
                await driver.execute(_UNREADABLE, (name, channel, name, address))
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
                return await _advance(driver, _erasure_of(row), now)
            return Advance.DONE

        return await self._database.writer.run(advance)

    async def wipe(self) -> bool:
        """Empty the write-ahead log of a file, where the pages of before still stand; a server keeps its own house."""
        path = self._database.path
        return path is None or await asyncio.to_thread(_empty_log, path)


async def _advance(driver: Driver, erasure: Erasure, now: datetime) -> Advance:
    limits = (erasure.recipient_id, erasure.service_id, to_micros(erasure.requested_at))
    named = [row[0] for row in await driver.fetch(_NAMED, (*limits, _MESSAGES))]
    if named and await blank_messages(driver, named, now):
        return Advance.MORE
    is_waiting = bool(named)
    if erasure.addresses:
        bound = await driver.fetch(_BOUND, (erasure.scanned, _SCANNED - 1))
        if found := await _nameless(driver, erasure, bound):
            return Advance.MORE if await blank_messages(driver, found[:_MESSAGES], now) else Advance.WAITING
        if bound:
            await driver.execute(_MOVE, (bound[0][0], erasure.id))
            return Advance.MORE
    if is_waiting:
        return Advance.WAITING
    await driver.execute_many(_BLANK_INBOUND, erasure.addresses)
    await _blank_reasons(driver, erasure)
    await driver.execute(_END, (erasure.id,))
    return Advance.DONE


async def _nameless(driver: Driver, erasure: Erasure, bound: Sequence[Row]) -> list[str]:
    """Of the portion that is next, up to its bound, the messages without an id that go to one of the addresses."""
    holds = " OR ".join(
        f"{_AT[driver.engine]}(lower(CAST(recipient AS TEXT)), lower(CAST(? AS TEXT))) > 0" for _ in erasure.addresses
    )
    until = "AND id <= ?" if bound else ""
    query = (
        f"SELECT id FROM messages WHERE id > ? {until} AND service_id = ? AND recipient_id IS NULL"  # noqa: S608 - our own
        f" AND created_at <= ? AND ({holds}) ORDER BY id"
    )
    limits = (erasure.scanned, *bound[0]) if bound else (erasure.scanned,)
    needles = [_in_json(address) for _, address in erasure.addresses]
    at = to_micros(erasure.requested_at)
    return [row[0] for row in await driver.fetch(query, (*limits, erasure.service_id, at, *needles))]


async def _addresses(driver: Driver, service_id: ServiceId, recipient_id: RecipientId) -> set[tuple[str, str]] | None:
    """Every address by which the person was ever written to or known; None for somebody who was neither."""
    person = (service_id, recipient_id)
    kept = list((await find_people(driver, (person,))).values())
    inline = [recipient_of(load(text)) for (text,) in await driver.fetch(_INLINE, (recipient_id, service_id))]
    known = {
        (channel.value, address)
        for one in (*kept, *inline)
        for channel in Channel
        for address in one.addresses(channel)
    }
    known |= {(channel, address) for channel, address in await driver.fetch(_TRIED, (recipient_id, service_id))}
    # SQLite knows only ASCII's upper and lower case.
    known |= {(channel, comparable(Channel(channel), address)) for channel, address in known}
    return known if kept or inline else None


async def _forget_keys(driver: Driver, erasure: Erasure) -> None:
    """Keys in whose text the person can be read, and answers that a version before this one kept beside them."""
    at = _AT[driver.engine]
    theirs = "message_id IN (SELECT id FROM messages WHERE recipient_id = ? AND service_id = ?)"
    person = (erasure.recipient_id, erasure.service_id)
    await driver.execute(
        f'DELETE FROM idempotency_keys WHERE service_id = ? AND {at}(lower("key"), lower(CAST(? AS TEXT))) > 0'  # noqa: S608
        f" AND {theirs}",
        (erasure.service_id, erasure.recipient_id, *person),
    )
    for _, address in erasure.addresses:
        await driver.execute(
            f'DELETE FROM idempotency_keys WHERE service_id = ? AND ({at}(lower("key"), lower(CAST(? AS TEXT))) > 0'  # noqa: S608
            f" OR {at}(lower(CAST(answer AS TEXT)), lower(CAST(? AS TEXT))) > 0)",
            (erasure.service_id, address, _in_json(address)),
        )


async def _blank_reasons(driver: Driver, erasure: Erasure) -> None:
    """Somebody may have written down whom it was about when they said why they did something."""
    for word in (erasure.recipient_id, *(address for _, address in erasure.addresses)):
        whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        told = await driver.fetch(_REASONS.format(_AT[driver.engine]), (erasure.service_id, word))
        telling = [(whole.sub("(erased)", reason), entry_id) for entry_id, reason in told if whole.search(reason)]
        await driver.execute_many("UPDATE audit SET reason = ? WHERE id = ?", telling)


def _in_json(text: str) -> str:
    """The text as it stands inside a JSON string."""
    return dump(text)[1:-1]


def _row_of(erasure: Erasure) -> Row:
    return (
        erasure.id,
        erasure.service_id,
        erasure.recipient_id,
        dump(erasure.addresses),
        to_micros(erasure.requested_at),
        erasure.scanned,
    )


def _erasure_of(row: Row) -> Erasure:
    erasure_id, service_id, recipient_id, addresses, requested_at, scanned = row
    return Erasure(
        id=ErasureId(erasure_id),
        service_id=ServiceId(service_id),
        recipient_id=RecipientId(recipient_id),
        addresses=tuple((channel, address) for channel, address in load(addresses)),
        requested_at=from_micros(requested_at),
        scanned=scanned,
    )


def _empty_log(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=_WIPE_SECONDS, isolation_level=None)) as connection:
        (is_busy, *_pages) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy
