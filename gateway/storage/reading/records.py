"""Messages as one reads them: with their deliveries, attempts and contents, a page of them in four queries."""

from collections.abc import Sequence
from typing import Final

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attempt, Content
from gateway.ports import DeliveryRecord, MessageRecord
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.documents import load_content, load_versions
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.statements import Row
from gateway.storage.queue.standing import select_attachments
from gateway.storage.rows import attempt_of, delivery_of, message_of

_MESSAGES: Final = f"SELECT {names(tables.messages)} FROM messages WHERE id IN ({{keys}})"  # noqa: S608 - our own
_DELIVERIES: Final = f"SELECT {names(tables.deliveries)} FROM deliveries WHERE message_id IN ({{keys}})"  # noqa: S608 - our own
_ATTEMPTS: Final = f"SELECT {names(tables.attempts)} FROM attempts WHERE delivery_id IN ({{keys}})"  # noqa: S608 - our own
_CONTENTS: Final = "SELECT delivery_id, content FROM contents WHERE delivery_id IN ({keys})"

_column = tables.messages.columns.keys().index
_STATUS: Final = _column("status")
_VERSIONS: Final = _column("versions")
_ATTACHMENTS: Final = _column("attachments")
_CREATED_AT: Final = tables.deliveries.columns.keys().index("created_at")
_ADDRESS: Final = tables.deliveries.columns.keys().index("address")


async def load_records(driver: Driver, message_ids: Sequence[str], *, with_files: bool = False) -> list[MessageRecord]:
    """The records of these messages, in their order; those that do not exist are left out.

    Attachments come along only `with_files`: a page of messages may have hundreds of megabytes of them.
    """
    found = {row[0]: row for row in await driver.select_in(_MESSAGES, [(message_id,) for message_id in message_ids])}
    messages = [found[message_id] for message_id in message_ids if message_id in found]
    deliveries = sorted(
        await driver.select_in(_DELIVERIES, [(row[0],) for row in messages]),
        key=lambda row: (row[_CREATED_AT], row[0]),
    )
    keys = [(row[0],) for row in deliveries]
    attempts: dict[str, list[Attempt]] = {}
    for row in sorted(await driver.select_in(_ATTEMPTS, keys), key=lambda row: (row[0], row[1])):
        attempts.setdefault(row[0], []).append(attempt_of(row))
    contents = {row[0]: load_content(row[1]) for row in await driver.select_in(_CONTENTS, keys)}
    of_message: dict[str, list[DeliveryRecord]] = {}
    for row in deliveries:
        of_message.setdefault(row[1], []).append(_delivery_record(row, attempts.get(row[0], []), contents.get(row[0])))
    files = await select_attachments(driver, [row[0] for row in messages if row[_ATTACHMENTS]]) if with_files else {}
    return [
        MessageRecord(
            message=message_of(row, files.get(row[0], ())),
            status=DeliveryStatus(row[_STATUS]),
            deliveries=tuple(of_message.get(row[0], ())),
            versions=None if row[_VERSIONS] is None else load_versions(row[_VERSIONS]),
        )
        for row in messages
    ]


def _delivery_record(row: Row, attempts: Sequence[Attempt], content: Content | None) -> DeliveryRecord:
    return DeliveryRecord(delivery=delivery_of(row), attempts=tuple(attempts), content=content, address=row[_ADDRESS])
