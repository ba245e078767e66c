"""Where opens and clicks come in: whoever follows a link gets there, whether or not it can be told."""

import asyncio
from collections.abc import Collection
from functools import cache
from typing import Final

import structlog

from gateway.delivery.engagement.links import EngagementLinks
from gateway.domain.engagement import EngagementKind, Look
from gateway.domain.ids import DeliveryId
from gateway.domain.preferences import Category
from gateway.domain.values import Value
from gateway.errors import Conflict, InvalidRequest, Overloaded, Unavailable
from gateway.metrics import Metrics
from gateway.ports import Clock, EngagementStore

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PATIENCE_SECONDS: Final = 1.0
"""So long a person who follows a link waits for the store; what it could not keep by then is lost."""
_LOST: Final = (TimeoutError, Unavailable, Overloaded, Conflict, InvalidRequest)


class Visit(Value, frozen=True, kw_only=True):
    """What a request says of who made it."""

    method: str
    user_agent: str
    purpose: str = ""


class EngagementDesk:
    """Reads the tokens of pixels and links, and has told what comes of them where that is wanted."""

    def __init__(
        self,
        *,
        store: EngagementStore,
        links: EngagementLinks,
        opens: Collection[Category],
        clicks: Collection[Category],
        click_parameter: str,
        clock: Clock,
        metrics: Metrics,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._links = links
        self._told = {EngagementKind.OPENED: frozenset(opens), EngagementKind.CLICKED: frozenset(clicks)}
        self._click_parameter = click_parameter
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._count = cache(lambda kind, made_by: metrics.engagements.labels(kind, made_by).inc)

    async def opened(self, token: str, visit: Visit) -> bool:
        """The pixel of an e-mail was loaded; False for a token that is not ours."""
        delivery_id = self._links.read_open(token)
        if delivery_id is None:
            return False
        await self._tell(EngagementKind.OPENED, delivery_id, None, visit)
        return True

    async def clicked(self, token: str, visit: Visit) -> str | None:
        """Where a link leads on to, which was followed; None for a token that is not ours."""
        read = self._links.read_click(token)
        if read is None:
            return None
        delivery_id, target = read
        await self._tell(EngagementKind.CLICKED, delivery_id, target, visit)
        return with_parameter(target, self._click_parameter, delivery_id) if self._click_parameter else target

    async def _tell(self, kind: EngagementKind, delivery_id: DeliveryId, target: str | None, visit: Visit) -> None:
        among = self._told[kind]
        if not among:
            return
        look = Look(
            kind=kind,
            delivery_id=delivery_id,
            target=target,
            method=visit.method,
            user_agent=visit.user_agent,
            purpose=visit.purpose,
            at=self._clock.now(),
            among=among,
        )
        try:
            async with asyncio.timeout(self._patience_seconds):
                kept = await self._store.look(look)
        except _LOST as error:
            _log.warning("engagement.lost", kind=kind.value, delivery=delivery_id, error=type(error).__name__)
            return
        if kept is not None:
            self._count(kept.kind.value, kept.made_by.value)()


def with_parameter(target: str, name: str, value: str) -> str:
    """The target with one more query parameter; nothing else of it is changed."""
    before, mark, fragment = target.partition("#")
    joint = "" if before.endswith(("?", "&")) else "&" if "?" in before else "?"
    return f"{before}{joint}{name}={value}{mark}{fragment}"
