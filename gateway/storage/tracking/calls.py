"""What is kept of calls, read for those who ask a provider about them."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId
from gateway.ports import LastCall
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.documents import load_content
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.engine import Database
from gateway.storage.rows import attempt_of

_WIDTH: Final = len(tables.attempts.columns)
_LAST: Final = (
    f"SELECT {names(tables.attempts, 'a.')}, d.address, d.sender, c.content"  # noqa: S608 - our own names
    " FROM attempts a JOIN deliveries d ON d.id = a.delivery_id LEFT JOIN contents c ON c.delivery_id = a.delivery_id"
    " WHERE a.delivery_id = ? ORDER BY a.number DESC LIMIT 1"
)
_HOLDERS: Final = (
    "SELECT provider_message_id, id FROM deliveries WHERE provider = ? AND provider_message_id IN ({keys})"
)


class Calls:
    """Implements ports.SettlingStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.lookups

    async def last_call(self, delivery_id: DeliveryId) -> LastCall | None:
        """The latest call for a delivery; None where there was none. Raises Unavailable."""
        rows = await self._reader.run(lambda driver: driver.fetch(_LAST, (delivery_id,)))
        if not rows:
            return None
        address, sender, content = rows[0][_WIDTH:]
        return LastCall(
            attempt=attempt_of(rows[0][:_WIDTH]),
            address=address,
            sender=sender,
            content=None if content is None else load_content(content),
        )

    async def holders(self, provider: str, provider_message_ids: Sequence[str]) -> Mapping[str, DeliveryId]:
        """By the provider's ids for its messages, the deliveries that are known to have them. Raises Unavailable."""

        async def read(driver: Driver) -> Mapping[str, DeliveryId]:
            found = await driver.select_in(_HOLDERS, each_key(provider_message_ids), (provider,))
            return {message_id: DeliveryId(delivery_id) for message_id, delivery_id in found}

        return await self._reader.run(read)
