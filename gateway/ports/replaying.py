"""Looking back at what was accepted, to play it again under other rules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.ports.dispatching import Claim


class TrafficStore(Protocol):
    """What was accepted in a period."""

    async def count(self, since: datetime, until: datetime) -> int:
        """How many messages were accepted from one instant until just before another."""

    async def page(
        self, since: datetime, until: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> tuple[Sequence[Claim], int, tuple[datetime, str] | None]:
        """The deliveries of the next messages, how many messages those were, and where to go on; None at the end."""
