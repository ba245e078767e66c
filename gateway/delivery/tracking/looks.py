"""When a provider is asked what became of a call, and what the want of an answer leads to; all pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.delivery.dispatching import steps
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Message
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.tracking import confirmation_due
from gateway.domain.values import replace
from gateway.ports import Claim, Step

_FIRST_SEARCH: Final = timedelta(seconds=10)
"""After a lost answer; each further one comes three times as late, the last when the category decides."""
_SEARCHES_BEFORE: Final = 8
"""The first one comes at the latest when this part of the time has passed."""
ASKED_FOR: Final = timedelta(days=3)
"""How long a provider is asked of a message that it took; none goes on trying for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRules:
    """Who can be asked, how often, and what a lost answer leads to that nothing settles."""

    searched: frozenset[str]
    """Providers whose messages can be looked through for one whose answer was lost."""
    asked: frozenset[str]
    """Providers that give receipts and can be asked for those that were lost."""
    ask_after: timedelta
    """How long a message that was taken waits for its receipt before its provider is asked; then twice as long."""
    unknown_after: timedelta
    """How long receipts and look-ups may settle a lost answer before the category decides."""
    resent: frozenset[Category]
    """Categories that would rather arrive twice than not at all."""
    attempts: int
    """Provider calls for one delivery, over all its providers."""

    def next_look(
        self,
        message: Message,
        channel: Channel,
        status: DeliveryStatus,
        *,
        provider: str | None,
        since: datetime,
        now: datetime,
    ) -> datetime | None:
        """When a delivery that came to its status at `since` is to be looked after next; None for never."""
        dues = [*self._dues(message, channel, status, provider, since)]
        return min((due for due in dues if due > now), default=None)

    def _dues(
        self, message: Message, channel: Channel, status: DeliveryStatus, provider: str | None, since: datetime
    ) -> Iterator[datetime]:
        confirmed = confirmation_due(message, channel, since)
        match status:
            case DeliveryStatus.SENT:
                if confirmed is not None:
                    yield confirmed
                if provider in self.asked:
                    yield from _growing(since, self.ask_after, 2, since + ASKED_FOR)
            case DeliveryStatus.UNKNOWN:
                ends = since + self.unknown_after
                is_resent = message.category in self.resent
                if is_resent and confirmed is not None:
                    yield confirmed
                if provider in self.searched:
                    yield from _growing(since, min(_FIRST_SEARCH, self.unknown_after / _SEARCHES_BEFORE), 3, ends)
                if is_resent or provider in self.searched:
                    yield ends
            case _:
                return

    def is_asked(self, claim: Claim, now: datetime) -> bool:
        """Whether its provider took the message long enough ago to be asked what became of it."""
        delivery = claim.delivery
        known = delivery.provider in self.asked and delivery.provider_message_id is not None
        return known and now >= delivery.updated_at + self.ask_after

    def after_search(self, claim: Claim, *, is_absent: bool, now: datetime) -> Step:
        """What follows for a lost answer that is not settled; `is_absent` where the provider is known not to have it.

        A second call is made where that was shown, and else only where the category would rather arrive twice.
        """
        ended = now >= claim.delivery.updated_at + self.unknown_after
        if ended and is_absent:
            return steps.not_taken(claim, self.attempts, now)
        if claim.message.category in self.resent and now < claim.message.expires_at:
            confirmed = confirmation_due(claim.message, claim.delivery.channel, claim.delivery.updated_at)
            if confirmed is not None and now >= confirmed:
                return self.looked_at(steps.fall_back(claim, now), now)
            if ended:
                return steps.resend(claim, now)
        return self.looked_at(steps.stay(claim), now)

    def looked_at(self, step: Step, now: datetime) -> Step:
        """The step of a delivery that stays where it is, until it is looked after again."""
        message, delivery = step.claim.message, step.claim.delivery
        due = self.next_look(
            message,
            delivery.channel,
            delivery.status,
            provider=delivery.provider,
            since=delivery.updated_at,
            now=now,
        )
        return replace(step, due_at=due)


def _growing(since: datetime, first: timedelta, factor: int, until: datetime) -> Iterator[datetime]:
    wait = first
    while since + wait < until:
        yield since + wait
        wait *= factor
