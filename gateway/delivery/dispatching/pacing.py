"""Whose turn it is at a provider that takes so many calls in so long, and no more than so many at once."""

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

from gateway.domain.messages import Content, Envelope, Lane, SmsContent
from gateway.ports import Clock, Limit, Limits, Provider

_PATIENCE_SECONDS: Final = 0.4
"""Who has its turn within that time waits for it with its place; nothing that was decided grows stale in it."""
_LONGEST_SECONDS: Final = 60.0
"""Who is further back asks again."""
_POLL_SECONDS: Final = 0.05
_NO_LIMIT: Final = Limit()


class Pacing:
    """Keeps to the limits of all providers; one without a limit costs nothing."""

    def __init__(self, limits: Limits, of: Mapping[str, Limit], clock: Clock, chance: Callable[[], float]) -> None:
        self._limits = limits
        self._of = of
        self._clock = clock
        self._chance = chance
        self._promised: dict[str, float] = {}
        """By bucket: when the last of those that were sent away comes back."""

    def share(self, workers: int) -> None:
        """So many workers are alive, this one among them."""
        self._limits.share(workers)

    async def enter(self, provider: str, patience_seconds: float) -> str | None:
        """Take one of the calls that all workers may have under way; what gives it back, or None where none came free
        in time. Empty where nobody counts."""
        limit = self._of.get(provider, _NO_LIMIT)
        if limit.concurrency is None:
            return ""
        ends = self._clock.monotonic() + patience_seconds
        # Who leaves may be in another process, and tells nobody.
        while (taken := await self._limits.enter(provider, limit)) is None and self._clock.monotonic() < ends:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS * (0.5 + self._chance()))
        return taken

    async def leave(self, provider: str, taken: str) -> None:
        """Give it back."""
        if taken:
            await self._limits.leave(provider, taken)

    async def wait_turn(self, provider: Provider, envelope: Envelope, lane: Lane) -> float | None:
        """Wait until this call may begin; for how many seconds to make way instead, where that is too far off.

        Those that make way come back one after the other, at the pace at which there are turns.
        """
        rate = self._of.get(provider.name, _NO_LIMIT).rate
        if rate is None:
            return None
        bucket, cost = _bucket(provider, envelope), _cost(envelope.content)
        turn = await self._limits.take(bucket, rate, cost, _PATIENCE_SECONDS)
        if turn.is_taken:
            if turn.wait_seconds > 0:
                await asyncio.sleep(turn.wait_seconds)
            return None
        if lane <= Lane.HIGH:
            return turn.wait_seconds
        now, longest = self._clock.monotonic(), _LONGEST_SECONDS * (1 + self._chance()) / 2
        promised = max(self._promised.get(bucket, 0.0), now + turn.wait_seconds)
        self._promised[bucket] = min(promised + cost / rate.per_second, now + _LONGEST_SECONDS)
        return min(promised - now, longest)


def _bucket(provider: Provider, envelope: Envelope) -> str:
    """What is counted together: an account's calls, or those in the name of one sender."""
    if not provider.capabilities.counts_by_sender:
        return provider.name
    return f"{provider.name}:{blake2b(envelope.sender.encode(), digest_size=8).hexdigest()}"


def _cost(content: Content) -> int:
    """Carriers count segments, everybody else messages."""
    return content.segments if isinstance(content, SmsContent) else 1
