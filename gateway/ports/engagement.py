"""The seam to the store of opens, clicks and conversions."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gateway.domain.engagement import Conversion, Engagement, EngagementKind, Look, Maker
from gateway.domain.ids import DeliveryId, MessageId
from gateway.domain.preferences import Category


class EngagementStore(Protocol):
    """What was done with messages: each told in the timeline too, and gone with its message."""

    async def look(self, look: Look) -> Engagement | None:
        """Keep a look at a message, judged by what it says of itself and by what else was done with the message.

        None where nothing is kept: of a message that is gone, erased or of another category, and of what one maker
        does over and over. Raises Unavailable, and Overloaded when too much waits.
        """

    async def convert(self, conversion: Conversion, within: timedelta) -> tuple[Engagement, bool]:
        """Tie a conversion to the message that led to it; False for one that was told before, which stands.

        A person is found by the link that they followed last within that time. Raises NotFound where no such message
        is the service's, Conflict `not_sent` where it never went to a provider, and Unavailable.
        """

    async def of_message(self, message_id: MessageId) -> Sequence[Engagement]:
        """All that was done with a message, oldest first."""

    async def categories(self, delivery_ids: Sequence[DeliveryId]) -> Mapping[DeliveryId, Category]:
        """Of which category the message of each delivery is; those that are not kept are left out."""

    async def counts(self, since: datetime) -> Mapping[tuple[EngagementKind, Maker], int]:
        """How many there were of each kind since then."""
