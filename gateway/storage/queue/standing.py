"""Where a message stands as a whole, kept beside it for the log's filters, and the files that go with it."""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.domain.lifecycle import DeliveryStatus, Strategy, message_status
from gateway.domain.messages import Attachment
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.engines.driver import Driver, Engine, each_key
from gateway.storage.rows import attachment_of

_STATUSES: Final = (
    "SELECT m.id, m.strategy, m.status, d.status FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " WHERE m.id IN ({keys})"
)
_LOCK: Final = "SELECT id FROM messages WHERE id IN ({keys}) ORDER BY id FOR NO KEY UPDATE"
_DROP_SECRETS: Final = (
    "UPDATE messages SET secrets = NULL, secrets_dropped = TRUE WHERE id = ? AND secrets IS NOT NULL AND NOT EXISTS"
    # Another channel may still have to be rendered: under `all`, or when one that was taken is not confirmed in time.
    " (SELECT 1 FROM deliveries WHERE message_id = messages.id AND due_at IS NOT NULL AND (deliveries.status <> 'sent'"
    " OR (messages.fallback_after IS NOT NULL AND due_at < messages.expires_at)))"
)
_ATTACHMENTS: Final = (
    f"SELECT {names(tables.attachments)} FROM attachments WHERE message_id IN ({{keys}})"  # noqa: S608 - our own
    " ORDER BY message_id, position"
)


async def refresh_status(driver: Driver, message_ids: Iterable[str]) -> None:
    """Work out anew the status of each message from those of its deliveries."""
    standing = await find_status(driver, message_ids)
    changed = [(now, message_id) for message_id, (kept, now) in standing.items() if now != kept]
    await driver.execute_many("UPDATE messages SET status = ? WHERE id = ?", changed)


async def find_status(driver: Driver, message_ids: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """By message the status that is kept and what it is by now; nobody else changes it until the transaction ends."""
    keys = each_key(message_ids)
    if driver.engine is Engine.POSTGRESQL:
        # So that of two who end two deliveries of one message at once the second sees what the first did.
        await driver.select_in(_LOCK, keys)
    found: dict[str, tuple[str, str, list[DeliveryStatus]]] = {}
    for message_id, strategy, kept, status in await driver.select_in(_STATUSES, keys):
        found.setdefault(message_id, (strategy, kept, []))[2].append(DeliveryStatus(status))
    return {
        message_id: (kept, message_status(Strategy(strategy), statuses))
        for message_id, (strategy, kept, statuses) in found.items()
    }


async def forget_secrets(driver: Driver, message_ids: Iterable[str]) -> None:
    """Drop the secret variables' values of messages of which nothing is left to do."""
    await driver.execute_many(_DROP_SECRETS, each_key(message_ids))


async def select_attachments(driver: Driver, message_ids: Iterable[str]) -> Mapping[str, list[Attachment]]:
    """The attachments of each message, in their order."""
    files: dict[str, list[Attachment]] = {}
    for row in await driver.select_in(_ATTACHMENTS, [(message_id,) for message_id in message_ids]):
        files.setdefault(row[0], []).append(attachment_of(row))
    return files
