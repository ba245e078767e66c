"""How long what is done with is kept: a part of every sweep, in portions that nobody waits for."""

from typing import Final

import structlog

from gateway.ports import Clock, Retention, RetentionStore

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PORTION_SECONDS: Final = 1.0
"""So long one sweep forgets at most; what is left then goes with the next one."""
_REST_SECONDS: Final = 600.0
"""How long there is no new look after one that found nothing more."""


class Forgetter:
    """Forgets what is past its time, on behalf of every worker that sweeps; the store lets one work at a time."""

    def __init__(self, *, store: RetentionStore, retention: Retention, clock: Clock) -> None:
        self._store = store
        self._retention = retention
        self._clock = clock
        self._next_look = clock.monotonic()

    async def sweep(self) -> None:
        """Forget for a second, if it is time to look again. Raises Unavailable."""
        started = self._clock.monotonic()
        if started < self._next_look:
            return
        await self._store.make_room(self._clock.now())
        while gone := await self._store.forget(self._retention, self._clock.now()):
            _log.info("store.forgot", **gone)
            if self._clock.monotonic() - started >= _PORTION_SECONDS:
                return
        self._next_look = started + _REST_SECONDS
