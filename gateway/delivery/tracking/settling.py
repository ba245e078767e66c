"""Looking after what providers were given: lost answers are searched for, receipts that do not come are asked for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final

import structlog

from gateway.delivery.dispatching import steps
from gateway.delivery.tracking.looks import LookRules
from gateway.delivery.tracking.receipts import Tracker
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.receipts import Receipt
from gateway.domain.tracking import RECALLED, confirmation_due
from gateway.domain.values import replace
from gateway.metrics import Metrics
from gateway.ports import (
    Candidate,
    Claim,
    Clock,
    LastCall,
    LostCall,
    Provider,
    Searchable,
    SettlingStore,
    StatusSource,
    Step,
)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_AT_ONCE: Final = 4
"""Questions to one provider that are under way at once: sending is what it is for."""
_PATIENCE_SECONDS: Final = 30.0
_AFTER_BUSY: Final = timedelta(seconds=4)


class Found(StrEnum):
    """What a question to a provider came to."""

    TOLD = "told"
    """It says what became of the message."""
    ABSENT = "absent"
    """It does not have it, and will not."""
    SILENT = "silent"
    """It cannot say, or not now."""


class Settler:
    """Turns the claim of a delivery that a provider was given already into the step that follows."""

    def __init__(
        self,
        *,
        store: SettlingStore,
        tracker: Tracker,
        providers: Mapping[str, Provider],
        rules: LookRules,
        clock: Clock,
        chance: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._providers = providers
        self._rules = rules
        self._clock = clock
        self._chance = chance
        self._count = metrics.look_ups
        self._places = {name: asyncio.Semaphore(_AT_ONCE) for name in rules.searched | rules.asked}

    async def look_after(self, claim: Claim) -> Step:
        """Ask its provider, where that helps and can be done, and say what follows.

        What the provider tells is durable before this returns: the step is written on top of it. Raises Unavailable,
        and Overloaded when too much waits to be stored.
        """
        if self._is_to_be_asked(claim) and self._places[claim.delivery.provider or ""].locked():
            due = self._clock.now() + _AFTER_BUSY * (0.5 + self._chance() / 2)
            return replace(steps.stay(claim), due_at=due)
        match claim.delivery.status:
            case DeliveryStatus.UNKNOWN:
                found = await self._search(claim)
                now = self._clock.now()
                if found is Found.TOLD:
                    return self._rules.looked_at(steps.stay(claim), now)
                return self._rules.after_search(claim, is_absent=found is Found.ABSENT, now=now)
            case DeliveryStatus.SENT:
                await self._ask(claim)
                now = self._clock.now()
                confirmed = confirmation_due(claim.message, claim.delivery.channel, claim.delivery.updated_at)
                is_late = confirmed is not None and confirmed <= now
                return self._rules.looked_at(steps.fall_back(claim, now) if is_late else steps.stay(claim), now)
            case _:
                if claim.delivery.reason == RECALLED:
                    return steps.stay(claim)
                return steps.fall_back(claim, self._clock.now())

    def _is_to_be_asked(self, claim: Claim) -> bool:
        if claim.delivery.status is DeliveryStatus.UNKNOWN:
            return claim.delivery.provider in self._rules.searched
        return claim.delivery.status is DeliveryStatus.SENT and self._rules.is_asked(claim, self._clock.now())

    async def _ask(self, claim: Claim) -> None:
        """Have the provider say what became of a message that it took, where it should have said so by now."""
        provider, known_as = self._provider_of(claim), claim.delivery.provider_message_id
        if not isinstance(provider, StatusSource) or known_as is None or not self._is_to_be_asked(claim):
            return
        receipt: Receipt | None = None
        try:
            async with self._places[provider.name], asyncio.timeout(_PATIENCE_SECONDS):
                receipt = await provider.fetch_status(known_as)
        except TimeoutError:
            _log.warning("look_up.late", provider=provider.name, delivery=claim.delivery.id)
        self._note(provider, Found.SILENT if receipt is None else Found.TOLD)
        if receipt is not None:
            told = replace(receipt, delivery_id=claim.delivery.id)
            await self._tracker.take_in(provider.name, [told])

    async def _search(self, claim: Claim) -> Found:
        """Look through the provider's messages for the one that a lost call may have made."""
        provider = self._provider_of(claim)
        if not isinstance(provider, Searchable) or not self._is_to_be_asked(claim):
            return Found.SILENT
        call = await self._store.last_call(claim.delivery.id)
        if call is None or (lost := _lost(claim, call)) is None:
            return Found.SILENT
        candidates: Sequence[Candidate] | None = None
        try:
            async with self._places[provider.name], asyncio.timeout(_PATIENCE_SECONDS):
                candidates = await provider.find(lost)
        except TimeoutError:
            _log.warning("look_up.late", provider=provider.name, delivery=claim.delivery.id)
        found = Found.SILENT
        if candidates is not None:
            found = await self._choose(provider.name, lost, candidates)
        self._note(provider, found)
        return found

    async def _choose(self, provider: str, lost: LostCall, candidates: Sequence[Candidate]) -> Found:
        """Take in the one that can only be ours: not another delivery's, and none beside it that might be."""
        known = [one.receipt.provider_message_id or "" for one in candidates]
        holders = await self._store.holders(provider, known)
        free = [
            one
            for one, known_as in zip(candidates, known, strict=True)
            if holders.get(known_as, lost.delivery_id) == lost.delivery_id
        ]
        fitting = [one for one in free if one.reads_the_same]
        if len(fitting) != 1:
            return Found.SILENT if free else Found.ABSENT
        receipt = replace(fitting[0].receipt, delivery_id=lost.delivery_id, attempt_id=lost.attempt_id)
        await self._tracker.take_in(provider, [receipt])
        return Found.TOLD

    def _provider_of(self, claim: Claim) -> Provider | None:
        """Asked even while it is left alone: what it took of the calls that failed is what one wants to know."""
        return self._providers.get(claim.delivery.provider or "")

    def _note(self, provider: Provider, found: Found) -> None:
        self._count.labels(provider.name, found.value).inc()


def _lost(claim: Claim, call: LastCall) -> LostCall | None:
    if call.address is None or call.sender is None or call.content is None:
        return None
    return LostCall(
        delivery_id=claim.delivery.id,
        attempt_id=call.attempt.id,
        to=call.address,
        sender=call.sender,
        content=call.content,
        began=call.attempt.started_at,
        ended=call.attempt.finished_at or claim.delivery.updated_at,
    )
