"""Opens and clicks that providers tell of by themselves: kept where the message's category asks for such, else dropped.

They stand in the timeline and are not counted: where our own links are in the message too, each would be there twice.
"""

from collections.abc import Collection, Sequence

from gateway.domain.preferences import Category
from gateway.domain.receipts import Reaction, Receipt
from gateway.ports import EngagementStore


class ToldByProviders:
    """Knows which of their receipts may be kept."""

    def __init__(
        self, store: EngagementStore, *, opens: Collection[Category] = (), clicks: Collection[Category] = ()
    ) -> None:
        self._store = store
        self._categories = {Reaction.OPENED: frozenset(opens), Reaction.CLICKED: frozenset(clicks)}

    async def kept_of(self, receipts: Sequence[Receipt]) -> Sequence[Receipt]:
        """Those that may be kept, in their order. Raises Unavailable."""
        asked = [one.delivery_id for one in receipts if one.delivery_id is not None and self._wanted(one)]
        categories = await self._store.categories(asked) if asked else {}

        def may_be_kept(receipt: Receipt) -> bool:
            wanted = self._wanted(receipt)
            return wanted is None or (receipt.delivery_id is not None and categories.get(receipt.delivery_id) in wanted)

        return [receipt for receipt in receipts if may_be_kept(receipt)]

    def _wanted(self, receipt: Receipt) -> frozenset[Category] | None:
        """The categories whose messages it may be kept of; None for all."""
        return None if receipt.reaction is None else self._categories.get(receipt.reaction)
