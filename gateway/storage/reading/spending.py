"""The counters of limits on spending, for people to look at."""

from collections.abc import Mapping
from typing import Final

from gateway.domain.spending import Buckets
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.queue.spending import find_between

COUNTED: Final = 10_000


class SpendingCounters:
    """`gateway.ports.SpendingStore`."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader

    async def counters(self, prefix: str) -> Mapping[str, Buckets]:
        """Those whose names begin so, ten thousand of them at most. Raises Unavailable."""

        async def look(driver: Driver) -> Mapping[str, Buckets]:
            return await find_between(driver, prefix, f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}", COUNTED)

        return await self._reader.run(look)
