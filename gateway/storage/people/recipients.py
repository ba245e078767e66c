"""People as the services know them; an id means something within one service only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.ledger import Naming
from gateway.domain.recipients import Channel, Recipient
from gateway.errors import InvalidRequest, NotFound
from gateway.ports import Page
from gateway.storage import tables
from gateway.storage.columns import stored
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.engines.batcher import Batcher
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert
from gateway.storage.people.person_rows import recipient_row, stored_recipient_of
from gateway.storage.queue.facts import Person, find_people
from gateway.storage.queue.holds import look_again, look_again_at_person

_upsert: Final = Insert(
    tables.recipients,
    skip=frozenset({"preferences"}),
    suffix=" ON CONFLICT (service_id, id) DO UPDATE SET email=excluded.email, phone=excluded.phone,"
    " push=excluded.push, locale=excluded.locale, timezone=excluded.timezone, country=excluded.country,"
    " region=excluded.region, attributes=excluded.attributes, updated_at=excluded.updated_at",
)
_KNOWN: Final = (
    "WITH k AS ({keys}) SELECT t.id FROM k CROSS JOIN recipients t WHERE t.service_id = k.column1 AND t.id = k.column2"
)


class Recipients:
    """Implements ports.RecipientStore."""

    def __init__(self, database: Database, people: "PeopleBatcher", naming: Naming) -> None:
        self._people = people
        self._naming = naming
        self._reader = database.reader
        self._writer = database.writer

    async def put_recipient(self, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
        """Keep the whole record in place of what was there; True when it is new."""
        (is_new,) = await self.put_recipients(service_id, (recipient,), now)
        return is_new

    async def put_recipients(
        self, service_id: ServiceId, recipients: Sequence[Recipient], now: datetime
    ) -> Sequence[bool]:
        """`put_recipient` for each, all in one transaction; of two with one id the later is kept."""

        async def put(driver: Driver) -> Sequence[bool]:
            are_new = await _put_all(driver, service_id, recipients, now)
            await look_again(driver, {self._naming(service_id, one.id) for one in recipients if one.id}, to_micros(now))
            return are_new

        return await self._writer.run(put)

    async def list_recipients(
        self, service_id: ServiceId, address: tuple[Channel, str] | None, limit: int, cursor: str | None
    ) -> Page[Recipient]:
        """The service's people, newest first; those with one e-mail address or one number, if it is given."""
        columns = tables.recipients.c
        query = sa.select(*stored(tables.recipients)).where(columns.service_id == service_id)
        if address is not None:
            channel, text = address
            query = query.where((columns.email if channel is Channel.EMAIL else columns.phone) == text)
        if cursor is not None:
            query = query.where(older_than(cursor, columns.created_at, columns.id))
        query = query.order_by(columns.created_at.desc(), columns.id.desc()).limit(limit + 1)
        async with self._reader.connect() as connection:
            rows = (await connection.execute(query)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(
            items=tuple([stored_recipient_of(row) for row in rows[:limit]]),
            next_cursor=None if last is None else cursor_at(from_micros(last.created_at), last.id),
        )

    async def get_recipient(self, service_id: ServiceId, recipient_id: RecipientId) -> Recipient:
        """Read it. Raises NotFound."""
        recipient = await self._people.submit((service_id, recipient_id))
        if recipient is None:
            raise NotFound(f"There is no recipient {recipient_id}.")
        return recipient


PeopleBatcher = Batcher[Person, Recipient | None]


def make_people_batcher(database: Database) -> PeopleBatcher:
    """Accepts that name recipients by id at the same time share one look-up."""

    async def flush(asked: Sequence[Person]) -> Sequence[Recipient | None]:
        known = await database.lookups.run(lambda driver: find_people(driver, frozenset(asked)))
        return [known.get(person) for person in asked]

    return Batcher(flush, poison=(InvalidRequest,))


def person_lock(service_id: ServiceId, recipient_id: RecipientId) -> str:
    """The name of the lock between those who keep something of one person and those who erase it."""
    return f"recipient:{service_id}:{recipient_id}"


async def remember(driver: Driver, service_id: ServiceId, inline: Recipient, now: datetime) -> None:
    """Lay a message's inline values over what is kept of the person."""
    if inline.id is not None:
        await driver.lock([person_lock(service_id, inline.id)])
    kept = await _find(driver, service_id, inline)
    await driver.insert(_upsert, [recipient_row(service_id, inline if kept is None else kept.overlaid(inline), now)])
    if inline.id is not None:
        await look_again_at_person(driver, (service_id, inline.id), to_micros(now))


async def _put_all(
    driver: Driver, service_id: ServiceId, recipients: Sequence[Recipient], now: datetime
) -> Sequence[bool]:
    # One row for each id, in a fixed order: two imports of the same people must not wait for each other crosswise.
    rows = {row[1]: row for row in (recipient_row(service_id, recipient, now) for recipient in recipients)}
    known = await driver.select_in(_KNOWN, [(service_id, key) for key in rows])
    seen: set[RecipientId | None] = {row[0] for row in known}
    is_new = []
    for recipient in recipients:
        is_new.append(recipient.id not in seen)
        seen.add(recipient.id)
    await driver.insert(_upsert, [rows[key] for key in sorted(rows)])
    return is_new


async def _find(driver: Driver, service_id: ServiceId, named: Recipient) -> Recipient | None:
    if named.id is None:
        return None
    person = (service_id, named.id)
    return (await find_people(driver, (person,))).get(person)
