"""The seam to what was spent."""

from collections.abc import Mapping
from typing import Protocol

from gateway.domain.spending import Buckets


class SpendingStore(Protocol):
    """Reads the counters of limits on spending."""

    async def counters(self, prefix: str) -> Mapping[str, Buckets]:
        """Those whose names begin so, ten thousand of them at most. Raises Unavailable."""
