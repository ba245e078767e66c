"""A claim on its way, and what policy says of it at an instant."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.delivery.dispatching.release import opens_for_many, release_at
from gateway.domain import ids
from gateway.domain.decisions import Decision, Facts, Hold, Send
from gateway.domain.ids import AttemptId
from gateway.domain.lifecycle import LOST_ANSWERS
from gateway.domain.messages import Attempt
from gateway.domain.values import replace
from gateway.policy.gate import decide
from gateway.ports import Claim, StoredFacts


@dataclass(slots=True)
class Job:
    """A claim on its way; `attempt` is set once a provider may have been called."""

    claim: Claim
    attempt: Attempt | None = None
    stored: StoredFacts | None = None
    """What was last read for it."""
    decided_at: datetime | None = None
    """The instant for which policy last let it go."""
    reserved: bool = False
    """Slots under caps may have been taken for it."""
    charged: bool = False
    """It may have been counted to limits on spending."""


def decide_for(claim: Claim, facts: Facts, now: datetime) -> Decision:
    """What policy says; after a lost answer any provider but the one that was asked would send it a second time."""
    decision = decide(facts, now)
    if isinstance(decision, Send) and claim.delivery.reason in LOST_ANSWERS:
        return replace(decision, route=tuple(one for one in decision.route if one == claim.delivery.provider))
    return decision


def release_for(claim: Claim, facts: Facts, decision: Decision, over: timedelta) -> datetime | None:
    """When what is held goes, where its opening lets many go within the span `over`; None where it goes by itself."""
    if not isinstance(decision, Hold) or not opens_for_many(decision, facts.rules):
        return None
    return release_at(
        decision.not_before,
        claim.delivery.id,
        claim.message.lane,
        over,
        lambda at: isinstance(decide_for(claim, facts, at), Send),
    )


def is_same_minute(decided_at: datetime | None, now: datetime) -> bool:
    """Whether no quiet hours can have begun since: they begin with a minute, in every zone of today."""
    return decided_at is not None and decided_at.replace(second=0, microsecond=0) == now.replace(
        second=0, microsecond=0
    )


def new_attempt(claim: Claim, provider: str, now: datetime, beside: int = 0) -> Attempt:
    """The next call for a delivery, not yet answered; `beside` counts those before it that are made with it."""
    return Attempt(
        id=AttemptId(ids.make_id(ids.ATTEMPT, now)),
        delivery_id=claim.delivery.id,
        number=claim.delivery.attempts + 1 + beside,
        provider=provider,
        started_at=now,
    )
