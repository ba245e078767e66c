"""Taking back from providers what they have not passed on yet."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from gateway.delivery.tracking.receipts import Tracker
from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Attempt, Outcome
from gateway.domain.receipts import Receipt
from gateway.ports import MessageRecord, Provider, Recallable

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PATIENCE_SECONDS: Final = 10.0


class Recaller:
    """Asks providers to take messages back; what they did counts as their word of it."""

    def __init__(self, *, providers: Mapping[str, Provider], tracker: Tracker) -> None:
        self._providers = providers
        self._tracker = tracker

    async def recall(self, record: MessageRecord) -> bool:
        """Whether any call for the message was taken back; the others stand. Raises Unavailable."""
        taken = [
            attempt
            for one in record.deliveries
            if one.delivery.status is DeliveryStatus.SENT
            for attempt in one.attempts
            if attempt.result is not None and attempt.result.outcome is Outcome.SENT
        ]
        return any([await self._take_back(attempt) for attempt in taken])

    async def _take_back(self, attempt: Attempt) -> bool:
        provider, known = self._providers.get(attempt.provider), _known_as(attempt)
        if not isinstance(provider, Recallable) or not known:
            return False
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                told = await asyncio.gather(*(provider.cancel(one) for one in known))
        except TimeoutError:
            told = [False]
        _log.info("message.recalled", delivery=attempt.delivery_id, provider=attempt.provider, taken_back=all(told))
        if not all(told):
            return False
        receipt = Receipt(
            event_id=f"{attempt.id}:recalled",
            delivery_id=attempt.delivery_id,
            attempt_id=attempt.id,
            status="recalled",
            evidence=Evidence.RECALLED,
        )
        await self._tracker.take_in(attempt.provider, [receipt])
        return True


def _known_as(attempt: Attempt) -> Sequence[str]:
    """The provider's ids for what it took in the call, one for each device; nothing where one of them has none."""
    result = attempt.result
    if result is None:
        return ()
    devices = [one.provider_message_id for one in result.devices if one.status == Outcome.SENT.value]
    known = devices or [result.provider_message_id]
    return [one for one in known if one] if all(known) else ()
