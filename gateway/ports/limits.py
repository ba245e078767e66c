"""The seam to what workers share: how many calls a provider may get at once, and in so long."""

from typing import Protocol

from gateway.domain.rates import Rate, Turn
from gateway.domain.values import Value


class Limit(Value, frozen=True, kw_only=True):
    """What the settings allow a provider, over all workers."""

    rate: Rate | None = None
    """How many calls may begin in so long."""
    concurrency: int | None = None
    """How many calls may be under way at once."""
    lease_seconds: float = 120.0
    """After so long a call of a worker that died counts no more."""


class Limits(Protocol):
    """Counts calls to providers. Never raises: where the workers cannot agree, each keeps to its part."""

    async def enter(self, provider: str, limit: Limit) -> str | None:
        """Take one of the calls that may be under way; what gives it back, or None when all are taken."""

    async def leave(self, provider: str, taken: str) -> None:
        """Give it back."""

    async def take(self, bucket: str, rate: Rate, cost: float, patience_seconds: float) -> Turn:
        """Take tokens from a bucket, unless that takes longer than one has patience; the caller waits its turn."""

    def share(self, workers: int) -> None:
        """So many workers are alive, this one among them."""
