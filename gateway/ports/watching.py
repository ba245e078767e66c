"""What operators want to know of everything that waits, told by the store."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from gateway.domain.messages import Lane
from gateway.domain.recipients import Channel
from gateway.domain.values import Value, field


class Waiting(Value, frozen=True, kw_only=True):
    """What waits at one instant; counts stop at `COUNTED`, where it no longer matters how many more there are."""

    oldest_due: Mapping[tuple[Channel, Lane], datetime]
    """When what has waited longest fell due; left out where nothing near the head of its lane is due."""
    held: Mapping[str, int]
    """Deliveries that policy holds, by its reason."""
    unknown_since: tuple[datetime, ...]
    """When each delivery became `unknown` whose answer nothing has settled since."""
    endpoints: Mapping[str, int] = field(default_factory=dict)
    """Endpoints of services: `working`, `failing` now, `disabled` since they failed for days or are gone, and `off`."""
    notices: int = 0
    """What is put out to them and not taken yet."""


class WatchStore(Protocol):
    """Looks at what waits without reading all of it."""

    async def waiting(self, now: datetime) -> Waiting:
        """What waits now: a few look-ups in indexes, however long the queue. Raises Unavailable."""
        ...
