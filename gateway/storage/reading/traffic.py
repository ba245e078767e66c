"""What was accepted in a period, page by page in the order of acceptance, without its content."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.domain.instants import from_micros, to_micros
from gateway.ports import Claim
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Row
from gateway.storage.rows import delivery_of, message_of

_COUNT: Final = "SELECT COUNT(*) FROM messages WHERE created_at >= ? AND created_at < ?"
_PAGE: Final = (
    f"SELECT {names(tables.messages)} FROM messages"  # noqa: S608 - our own names
    " WHERE created_at < ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?"
)
_DELIVERIES: Final = f"SELECT {names(tables.deliveries)} FROM deliveries WHERE message_id IN ({{keys}})"  # noqa: S608 - our own
_CREATED_AT: Final = tables.messages.columns.keys().index("created_at")
_SINCE_ALL: Final = ""
"""Below every id: a page that begins at an instant has all of its messages."""


class Traffic:
    """`gateway.ports.TrafficStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader

    async def count(self, since: datetime, until: datetime) -> int:
        """How many messages were accepted from one instant until just before another."""
        rows = await self._reader.run(lambda driver: driver.fetch(_COUNT, (to_micros(since), to_micros(until))))
        return int(rows[0][0])

    async def page(
        self, since: datetime, until: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> tuple[Sequence[Claim], int, tuple[datetime, str] | None]:
        """The deliveries of the next messages, how many messages those were, and where to go on; None at the end."""
        at, last = after or (since, _SINCE_ALL)

        async def read(driver: Driver) -> tuple[Sequence[Row], Sequence[Row]]:
            messages = await driver.fetch(_PAGE, (to_micros(until), to_micros(at), last, limit))
            return messages, await driver.select_in(_DELIVERIES, [(row[0],) for row in messages])

        rows, deliveries = await self._reader.run(read)
        messages = {row[0]: message_of(row, ()) for row in rows}
        claims = [Claim(message=messages[row[1]], delivery=delivery_of(row), fence=0) for row in deliveries]
        if len(rows) < limit:
            return claims, len(rows), None
        return claims, len(rows), (from_micros(rows[-1][_CREATED_AT]), rows[-1][0])
