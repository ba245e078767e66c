"""What counting under frequency caps is made of: slots that a delivery needs, and who waits for one."""

from datetime import datetime

from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Lane
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.values import Value


class SlotNeed(Value, frozen=True, kw_only=True):
    """A slot under one cap that a delivery must have before its provider is called."""

    counter: str
    """The cap's counter (`FrequencyCap.counter`)."""
    limit: int
    """The cap's limit, which is also how many slots its counter keeps."""
    counted_from: int
    """Slots that others took at this instant or later count; as `to_micros` counts."""
    most: int
    """With so many of them it is refused: the limit, less what is kept for deliveries that go first."""
    kept_for: int
    """So many microseconds after the call the slot counts for nothing, in whatever zone."""


class WaitingDelivery(Value, frozen=True, kw_only=True):
    """A held or queued delivery to the same person, which may keep a slot against a later one of lower priority."""

    id: DeliveryId
    channel: Channel
    category: Category
    topic: str | None
    lane: Lane
    created_at: datetime
    """When its message was accepted."""
    due_at: datetime
    """When it may go."""

    def goes_before(self, lane: Lane, created_at: datetime) -> bool:
        """Whether it keeps its slot against a delivery of that lane whose message was accepted then."""
        return self.lane < lane and self.created_at <= created_at
