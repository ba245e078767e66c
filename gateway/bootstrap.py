"""The composition root: the only module that names concrete stores, wakers and providers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from gateway.logs import configure_logs
from gateway.ports import ServiceStore
from gateway.settings import Settings
from gateway.storage.store import open_store


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[ServiceStore]:
    """Services and keys in the configured store, for a command; a gateway that runs beside it sees the changes.

    Logs go where the settings say, which is never standard output: a command's data stands there alone.
    """
    configure_logs(settings.log)
    async with open_store(settings.store.url, SystemClock()) as store:
        yield store.services
