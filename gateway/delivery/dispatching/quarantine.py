"""A delivery whose claims keep ending with their worker: tried alone, and set aside when it does it again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.ports import Claim, DispatchStore

_MOST_FAILED_CLAIMS: Final = 3
"""Of these the first may be a neighbour's doing; the others ended while it was tried alone."""


def is_poison(claim: Claim) -> bool:
    """Whether so many claims of it failed that it is not tried again."""
    return claim.failed_claims >= _MOST_FAILED_CLAIMS


class Quarantine:
    """Tries suspects one after another.

    A worker that dies takes hundreds of claims with it, of which one at most is to blame. So each of them is tried
    alone the next time, up to where it would be handed over, and only who ends its worker in that short while is
    held responsible for it.
    """

    def __init__(self, store: DispatchStore) -> None:
        self._store = store
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def alone(self, claim: Claim) -> AsyncIterator[None]:
        """A block that counts as one more failed claim if this process does not leave it. Raises Unavailable."""
        async with self._turn:
            await self._store.note_failed_claims(claim, claim.failed_claims + 1)
            try:
                yield
            finally:
                await self._store.note_failed_claims(claim, claim.failed_claims)
