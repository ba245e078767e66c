"""People as the services know them; an id means something within one service only."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.recipients import EmailAddress, PhoneNumber, Recipient
from gateway.errors import NotFound
from gateway.storage.documents import device_document, device_of
from gateway.storage.engine import Database
from gateway.storage.tables import recipients


class Recipients:
    """Implements ports.RecipientStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
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
        async with self._reader.connect() as connection:
            query = sa.select(recipients).where(*_of(service_id, recipient_id))
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"There is no recipient {recipient_id}.")
        return _recipient(row)


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


def _recipient(row: "sa.Row[Any]") -> Recipient:
    return Recipient(
        id=RecipientId(row.id),
        email=None if row.email is None else EmailAddress(row.email),
        phone=None if row.phone is None else PhoneNumber(row.phone),
        push=tuple(device_of(device) for device in row.push),
        locale=row.locale,
        timezone=row.timezone,
        country=row.country,
        region=row.region,
        attributes=row.attributes,
    )
