"""Erasing a person on request, and going on with what a stop left undone."""

import asyncio
from typing import Final

import structlog

from gateway.domain.audit import AuditAction, By, make_entry
from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.pseudonyms import Pseudonyms
from gateway.ports import Clock
from gateway.ports.erasing import Advance, Erasure, ErasureStore

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PATIENCE_SECONDS: Final = 5.0
"""So long a request waits for calls that are under way; what is left then is done by the sweep."""
_LOOK_SECONDS: Final = 0.1


class Eraser:
    """Erases people; every process that sweeps goes on with what is under way, and several at once harm nothing."""

    def __init__(self, *, store: ErasureStore, pseudonyms: Pseudonyms, clock: Clock) -> None:
        self._store = store
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._is_wiped = False
        """Whether the store's files hold nothing of those erased so far; a stop may have come before."""

    async def erase(self, service_id: ServiceId, recipient_id: RecipientId, by: By) -> bool:
        """Erase a person; True when nothing readable is left, False while the rest is under way.

        From the return on nothing that waits for the person goes out. Raises NotFound for somebody of whom nothing
        is kept, and Unavailable.
        """
        now = self._clock.now()
        subject = self._pseudonyms.of_person(service_id, recipient_id)
        entry = make_entry(AuditAction.ERASE, subject, by, now)
        erasure = await self._store.begin_erasure(service_id, recipient_id, entry, now)
        _log.info("erasure.began", erasure=erasure.id, subject=subject)
        deadline = self._clock.monotonic() + _PATIENCE_SECONDS
        while not await self._go_on(erasure, deadline):
            if self._clock.monotonic() >= deadline:
                return False
            # Whoever gives a message to a provider may be another process.
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    async def sweep(self) -> None:
        """Go on with every erasure that is under way. Raises Unavailable."""
        for erasure in await self._store.open_erasures():
            await self._go_on(erasure, self._clock.monotonic() + _PATIENCE_SECONDS)
        if not self._is_wiped:
            self._is_wiped = await self._store.wipe()

    async def _go_on(self, erasure: Erasure, deadline: float) -> bool:
        """Do what can be done by then; True at the end."""
        advance = Advance.MORE
        while advance is Advance.MORE and self._clock.monotonic() < deadline:
            advance = await self._store.advance_erasure(erasure.id, self._clock.now())
        if advance is not Advance.DONE:
            return False
        _log.info("erasure.done", erasure=erasure.id)
        self._is_wiped = await self._store.wipe()
        return True
