"""The doorbell of one process: whoever learns that something may be due rings, the worker looks."""

import asyncio
import contextlib


class Doorbell:
    """`gateway.ports.Wake` within one process."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Say that something may be due."""
        self._rung.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Return at the next ring, at once if one came since the last wait, or after the time-out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._rung.wait()
        self._rung.clear()
