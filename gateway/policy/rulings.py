"""What one rule says of one delivery."""

from collections.abc import Mapping
from datetime import datetime

from gateway.domain.decisions import TraceStep
from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value


class Ruling(Value, frozen=True, kw_only=True):
    """A rule's line in the trace and, where it does not pass, the reason that people and programs are told."""

    step: TraceStep
    reason: str = ""
    not_before: datetime | None = None
    """With the verdict `hold`: the earliest instant at which this rule passes."""
    falls_through: bool = True
    """With the verdict `suppress`: whether the next channel is tried."""


def passes(rule: str, saw: Mapping[str, JsonValue]) -> Ruling:
    """The rule has nothing against it."""
    return Ruling(step=TraceStep(rule=rule, verdict="pass", saw=saw))


def holds(rule: str, reason: str, not_before: datetime, saw: Mapping[str, JsonValue]) -> Ruling:
    """The rule passes only from an instant on."""
    return Ruling(step=TraceStep(rule=rule, verdict="hold", saw=saw), reason=reason, not_before=not_before)


def suppresses(rule: str, reason: str, saw: Mapping[str, JsonValue]) -> Ruling:
    """The rule forbids it on this channel for good."""
    return Ruling(step=TraceStep(rule=rule, verdict="suppress", saw=saw), reason=reason)


def expires(rule: str, reason: str, saw: Mapping[str, JsonValue]) -> Ruling:
    """Its time is over."""
    return Ruling(step=TraceStep(rule=rule, verdict="expire", saw=saw), reason=reason)
