"""Whoever follows a link gets where it leads, whatever becomes of the telling."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from gateway.delivery.engagement.desk import EngagementDesk, Visit
from gateway.delivery.engagement.links import EngagementLinks
from gateway.domain.engagement import Engagement, EngagementKind, Look
from gateway.domain.ids import DeliveryId
from gateway.domain.preferences import Category
from gateway.errors import Overloaded, Unavailable
from gateway.metrics import Metrics
from tests.factories import NOW
from tests.fakes import SetClock
from tests.page_stores import MemoryEngagements

DELIVERY = DeliveryId("dlv_1")
LINKS = EngagementLinks(b"a secret of the gateway", "https://mail.example")
CLICK = LINKS.click_url(DELIVERY, "https://shop.example/a").rpartition("/")[2]
OPEN = LINKS.open_url(DELIVERY).rpartition("/")[2]
VISIT = Visit(method="GET", user_agent="Mozilla/5.0 (X11) Firefox/140.0")


class Answering(MemoryEngagements):
    """A store that answers each look as a test wants it to."""

    def __init__(self, answer: Callable[[], Awaitable[Engagement | None]]) -> None:
        super().__init__()
        self.looks: list[Look] = []
        self._answer = answer

    async def look(self, look: Look) -> Engagement | None:
        self.looks.append(look)
        return await self._answer()


async def nothing() -> None:
    """What was done is not kept."""


async def away() -> None:
    raise Unavailable("the disk is full")


async def full() -> None:
    raise Overloaded("too much waits", 1)


async def forever() -> None:
    await asyncio.Event().wait()


def desk(store: Answering, opens: Collection[Category] = (), clicks: Collection[Category] = ()) -> EngagementDesk:
    return EngagementDesk(
        store=store,
        links=LINKS,
        opens=opens,
        clicks=clicks,
        click_parameter="",
        clock=SetClock(),
        metrics=Metrics(),
        patience_seconds=0.01,
    )


@pytest.mark.parametrize("answer", [nothing, away, full, forever])
async def test_a_link_leads_on_whether_or_not_the_store_can_keep_it(answer: Callable[[], Awaitable[None]]) -> None:
    store = Answering(answer)
    every = desk(store, opens=[Category.MARKETING], clicks=[Category.TRANSACTIONAL])

    assert await every.clicked(CLICK, VISIT) == "https://shop.example/a"
    assert await every.opened(OPEN, VISIT)

    click, opened = store.looks
    assert (click.kind, click.target, click.at) == (EngagementKind.CLICKED, "https://shop.example/a", NOW)
    assert (click.among, opened.among) == (frozenset({Category.TRANSACTIONAL}), frozenset({Category.MARKETING}))


async def test_where_no_category_is_named_the_store_is_not_asked_at_all() -> None:
    store = Answering(away)

    assert await desk(store).clicked(CLICK, VISIT) == "https://shop.example/a"
    assert await desk(store).opened(OPEN, VISIT)

    assert store.looks == []


async def test_of_a_token_that_is_not_ours_nothing_is_told() -> None:
    store = Answering(nothing)
    every = desk(store, opens=[*Category], clicks=[*Category])

    assert await every.clicked(OPEN, VISIT) is None
    assert not await every.opened(CLICK, VISIT)

    assert store.looks == []
