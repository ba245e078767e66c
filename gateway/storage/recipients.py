"""People as the services know them; an id means something within one service only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.recipients import Recipient
from gateway.errors import InvalidRequest, NotFound
from gateway.storage.batcher import Batcher
from gateway.storage.documents import device_document
from gateway.storage.engine import Database
from gateway.storage.facts import Person, find_people
from gateway.storage.tables import recipients


class Recipients:
    """Implements ports.RecipientStore."""

    def __init__(self, database: Database, people: "PeopleBatcher") -> None:
        self._people = people
        self._writer = database.writer

    async def put_recipient(self, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
        """Keep the whole record in place of what was there; True when it is new."""
        mine = _of(service_id, recipient.id)
        row = _row(recipient) | {"updated_at": now}
        async with self._writer.transaction() as connection:
            # The one writer holds the turn, so nobody comes between the two statements.
            changed = await connection.execute(recipients.update().where(*mine).values(row))
            if changed.rowcount:
                return False
            new = row | {"service_id": service_id, "id": recipient.id, "created_at": now}
            await connection.execute(recipients.insert().values(new))
        return True

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


def _of(service_id: ServiceId, recipient_id: RecipientId | None) -> tuple[sa.ColumnElement[bool], ...]:
    return recipients.c.service_id == service_id, recipients.c.id == recipient_id


def _row(recipient: Recipient) -> dict[str, Any]:
    return {
        "email": recipient.email,
        "phone": recipient.phone,
        "push": [device_document(device) for device in recipient.push],
        "locale": recipient.locale,
        "timezone": recipient.timezone,
        "country": recipient.country,
        "region": recipient.region,
        "attributes": dict(recipient.attributes),
    }
