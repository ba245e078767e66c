"""The seam to what was spent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from gateway.domain.spending import Buckets


class RefundStore(Protocol):
    """Knows of calls that were given back to limits on spending."""

    async def look_again_at_held(self, now: datetime) -> int:
        """Have deliveries that are held for want of room decided again, as many as were given back in the last two
        rounds, those that wait longest first; how many. Raises Unavailable."""


class SpendingStore(Protocol):
    """Reads the counters of limits on spending."""

    async def counters(self, prefix: str) -> Mapping[str, Buckets]:
        """Those whose names begin so, ten thousand of them at most. Raises Unavailable."""
