"""What providers tell of readers by themselves is kept where the category asks for it, and nowhere else."""

from collections.abc import Mapping, Sequence

from gateway.delivery.engagement.told import ToldByProviders
from gateway.domain.ids import DeliveryId
from gateway.domain.preferences import Category
from gateway.domain.receipts import Reaction, Receipt
from tests.page_stores import MemoryEngagements


class Knowing(MemoryEngagements):
    """A store that knows each delivery's category, and counts how often it is asked."""

    asked = 0

    async def categories(self, delivery_ids: Sequence[DeliveryId]) -> Mapping[DeliveryId, Category]:
        self.asked += 1
        known = {category.value: category for category in Category}
        return {one: known[one] for one in delivery_ids if one in known}


def receipt(reaction: Reaction | None, delivery: str | None = "marketing") -> Receipt:
    delivery_id = None if delivery is None else DeliveryId(delivery)
    return Receipt(event_id=f"{reaction} {delivery}", delivery_id=delivery_id, status="told", reaction=reaction)


async def test_opens_and_clicks_are_kept_of_the_categories_that_ask_for_each() -> None:
    store = Knowing()
    readers = ToldByProviders(store, opens=[Category.MARKETING], clicks=[Category.TRANSACTIONAL])
    told = [
        receipt(reaction, delivery)
        for reaction in (Reaction.OPENED, Reaction.CLICKED)
        for delivery in ("marketing", "transactional", "critical", "unknown", None)
    ]

    kept = await readers.kept_of(told)

    assert [(one.reaction, one.delivery_id) for one in kept] == [
        (Reaction.OPENED, "marketing"),
        (Reaction.CLICKED, "transactional"),
    ]
    assert store.asked == 1


async def test_all_else_is_kept_without_a_question() -> None:
    store = Knowing()
    told = [receipt(reaction) for reaction in (None, Reaction.COMPLAINED, Reaction.UNSUBSCRIBED)]

    assert await ToldByProviders(store).kept_of([*told, receipt(Reaction.OPENED)]) == told
    assert await ToldByProviders(store, opens=[Category.MARKETING]).kept_of(told) == told

    assert store.asked == 0
