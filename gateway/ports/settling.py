"""The seam by which answers that were lost are looked for: what we know of the call, and who had what."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Attempt, Content
from gateway.domain.values import Value


class LastCall(Value, frozen=True, kw_only=True):
    """The latest call for a delivery, as it was reserved; no address or content where these are erased."""

    attempt: Attempt
    address: str | None
    sender: str | None
    content: Content | None
    """Secret values masked."""


class SettlingStore(Protocol):
    """What is kept of calls, for those who ask a provider about them."""

    async def last_call(self, delivery_id: DeliveryId) -> LastCall | None:
        """The latest call for a delivery; None where there was none. Raises Unavailable."""

    async def holders(self, provider: str, provider_message_ids: Sequence[str]) -> Mapping[str, DeliveryId]:
        """By the provider's ids for its messages, the deliveries that are known to have them. Raises Unavailable."""
