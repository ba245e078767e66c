"""Limits as one worker keeps them by itself: the whole of them where it is alone, else its even part."""

from itertools import count

from gateway.domain.rates import Rate, Turn, take_tokens
from gateway.ports import Clock, Limit


class OwnLimits:
    """`gateway.ports.Limits` without a word to other workers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._workers = 1
        self._under_way: dict[str, set[str]] = {}
        self._full_at: dict[str, float] = {}
        """By bucket; one that is full again is forgotten."""
        self._numbers = count()

    async def enter(self, provider: str, limit: Limit) -> str | None:
        """Take one of the calls that may be under way; what gives it back, or None when all are taken."""
        under_way = self._under_way.setdefault(provider, set())
        if limit.concurrency is not None and len(under_way) >= max(limit.concurrency // self._workers, 1):
            return None
        taken = str(next(self._numbers))
        under_way.add(taken)
        return taken

    async def leave(self, provider: str, taken: str) -> None:
        """Give it back."""
        self._under_way.get(provider, set()).discard(taken)

    async def take(self, bucket: str, rate: Rate, cost: float, patience_seconds: float) -> Turn:
        """Take tokens from a bucket, unless that takes longer than one has patience; the caller waits its turn."""
        now = self._clock.monotonic()
        if bucket not in self._full_at:
            self._full_at = {name: full_at for name, full_at in self._full_at.items() if full_at > now}
        turn = take_tokens(self._full_at.get(bucket, now), now, rate.shared(self._workers), cost, patience_seconds)
        self._full_at[bucket] = turn.full_at
        return turn

    def share(self, workers: int) -> None:
        """So many workers are alive, this one among them."""
        self._workers = max(workers, 1)
