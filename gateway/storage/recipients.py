"""People as the services know them; an id means something within one service only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.recipients import Recipient
from gateway.errors import InvalidRequest, NotFound
from gateway.storage import tables
from gateway.storage.batcher import Batcher
from gateway.storage.driver import Driver
from gateway.storage.engine import Database
from gateway.storage.facts import Person, find_people
from gateway.storage.person_rows import recipient_row
from gateway.storage.statements import Insert

_upsert: Final = Insert(
    tables.recipients,
    skip=frozenset({"preferences"}),
    suffix=" ON CONFLICT (service_id, id) DO UPDATE SET email=excluded.email, phone=excluded.phone,"
    " push=excluded.push, locale=excluded.locale, timezone=excluded.timezone, country=excluded.country,"
    " region=excluded.region, attributes=excluded.attributes, updated_at=excluded.updated_at",
)


class Recipients:
    """Implements ports.RecipientStore."""

    def __init__(self, database: Database, people: "PeopleBatcher") -> None:
        self._people = people
        self._writer = database.writer

    async def put_recipient(self, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
        """Keep the whole record in place of what was there; True when it is new."""
        return await self._writer.run(lambda driver: _put(driver, service_id, recipient, now))

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


async def remember(driver: Driver, service_id: ServiceId, inline: Recipient, now: datetime) -> None:
    """Lay a message's inline values over what is kept of the person."""
    await driver.lock([f"recipient:{service_id}:{inline.id}"])
    kept = await _find(driver, service_id, inline)
    await driver.insert(_upsert, [recipient_row(service_id, inline if kept is None else kept.overlaid(inline), now)])


async def _put(driver: Driver, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
    is_new = await _find(driver, service_id, recipient) is None
    await driver.insert(_upsert, [recipient_row(service_id, recipient, now)])
    return is_new


async def _find(driver: Driver, service_id: ServiceId, named: Recipient) -> Recipient | None:
    if named.id is None:
        return None
    person = (service_id, named.id)
    return (await find_people(driver, (person,))).get(person)
