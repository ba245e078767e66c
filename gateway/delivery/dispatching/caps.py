"""What caps, and facts that change while a delivery waits, need to know of each step; all pure."""

from typing import Final

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome
from gateway.domain.values import replace
from gateway.ports import Step, StoredFacts

_MAY_HAVE_GONE: Final = frozenset({Outcome.SENT, Outcome.DELIVERED, Outcome.UNKNOWN})
"""Answers that keep the slot."""
_WAITED: Final = frozenset({DeliveryStatus.HELD, DeliveryStatus.QUEUED})
"""Deliveries in these keep a slot against later ones of lower priority."""


def told(step: Step, stored: StoredFacts | None, *, reserved: bool, charged: bool = False) -> Step:
    """The step with whom it is for, what a hold was decided on, and whether it frees slots for others.

    `reserved` says that slots may have been taken for it, `charged` that it may have been counted to limits on
    spending.
    """
    if charged and not _may_have_gone(step):
        step = replace(step, refunds=True)
    if stored is None:
        return step
    frees = not _may_have_gone(step) and (reserved or _stops_keeping(step, stored))
    waits = step.status in _WAITED
    if not frees and not waits:
        return step
    seen = stored if step.status is DeliveryStatus.HELD else None
    return replace(step, subjects=stored.subjects, seen=seen, frees_slots=frees)


def _may_have_gone(step: Step) -> bool:
    if not step.attempts:
        return step.status is DeliveryStatus.UNKNOWN
    return any(one.result is None or one.result.outcome in _MAY_HAVE_GONE for one in step.attempts)


def _stops_keeping(step: Step, stored: StoredFacts) -> bool:
    """Whether it waited, will not go, and others wait for the same person."""
    return bool(stored.waiting) and step.claim.delivery.status in _WAITED and step.status not in _WAITED
