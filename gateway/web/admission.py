"""Whether this process takes another request: not while it is stopping, and not more at once than it can hold."""

import asyncio
import contextlib
from typing import Final

from gateway.web.problems import RequestRefused

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ALWAYS_ANSWERED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Answered even then: being busy is no reason to be restarted, and one wants to see it."""
_DRAINING_RETRY_SECONDS: Final = 5.0
_BUSY_RETRY_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.02


def busy() -> RequestRefused:
    """More are under way than this process can hold."""
    return RequestRefused("busy", "Too many requests are under way here.", retry_after_seconds=_BUSY_RETRY_SECONDS)


class Admission:
    """Counts requests under way; one value for each app."""

    def __init__(self, most_at_once: int) -> None:
        self._most_at_once = most_at_once
        self.under_way = 0
        """Requests whose handler has not answered yet."""
        self.is_draining = False
        """The process was told to stop: what is under way finishes, new posts are refused."""

    @property
    def is_full(self) -> bool:
        """Whether another request would be one too many."""
        return self.under_way >= self._most_at_once

    def drain(self) -> None:
        """From now on take no new work; reading stays possible until the listener closes."""
        self.is_draining = True

    async def idle(self, seconds: float) -> None:
        """Return once no request is under way, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # Looked at, for an event would cost every request something.
                while self.under_way:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECONDS)

    def admit(self, method: str, route: str | None) -> None:
        """Raises RequestRefused `draining` or `busy`, both with a Retry-After."""
        if self.is_draining and method not in _SAFE_METHODS:
            raise RequestRefused(
                "draining", "This process is stopping; try again.", retry_after_seconds=_DRAINING_RETRY_SECONDS
            )
        if self.under_way > self._most_at_once and route not in _ALWAYS_ANSWERED:
            raise busy()
