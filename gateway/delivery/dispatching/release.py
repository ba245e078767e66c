"""Smooth release: what an opening lets go at one instant goes over a few minutes, the urgent first.

Nothing is counted. Each delivery draws its place in the span by its id, always the same one, so that deciding it
again moves nothing and any number of processes share the slope.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from gateway.domain.decisions import Hold
from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Lane
from gateway.domain.rules import Calendar, RuleSet
from gateway.policy.clauses import Hours
from gateway.policy.spending import Spending

_OF_HIGH: Final = 0.1
"""The first part of the span, in which only what has a high priority goes; the rest of it is for everything else."""
_HALVINGS: Final = 8
_WHOLE: Final = 2**64


def opens_for_many(hold: Hold, rules: RuleSet) -> bool:
    """Whether what holds it lets many go at the same instant: open hours, a new budget,
    or the first of a calendar's days."""
    if hold.reason in (Hours.reason, Spending.reason):
        return True
    return any(cap.name == hold.rule and isinstance(cap.per, Calendar) for cap in rules.frequency_caps)


def release_at(
    opening: datetime, delivery_id: DeliveryId, lane: Lane, over: timedelta, may_go: Callable[[datetime], bool]
) -> datetime:
    """When a delivery that was held to an opening goes: at the opening or within the span `over` after it.

    `may_go` says whether an instant allows it: where the span reaches past the end of the open hours or of the
    message's life, the delivery draws a place in a shorter one.
    """
    offset = over * _place(delivery_id, lane)
    for _ in range(_HALVINGS):
        if offset <= timedelta(0):
            break
        if may_go(opening + offset):
            return opening + offset
        offset /= 2
    return opening


def _place(delivery_id: DeliveryId, lane: Lane) -> float:
    """In [0, 1): the part of the span that passes before it goes."""
    if lane is Lane.CRITICAL:
        return 0.0
    drawn = int.from_bytes(blake2b(delivery_id.encode(), digest_size=8).digest(), "big") / _WHOLE
    return _OF_HIGH * drawn if lane is Lane.HIGH else _OF_HIGH + (1 - _OF_HIGH) * drawn
