"""The gate: facts and an instant in, a decision with its trace out."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, assert_never

from gateway.domain.decisions import Decision, Expire, Facts, Hold, Send, Suppress, TraceStep
from gateway.domain.instants import rfc3339
from gateway.domain.recipients import JsonValue
from gateway.policy.consent import check_consent
from gateway.policy.rulings import Ruling, expires, holds, passes, suppresses
from gateway.policy.suppression import check_suppression


def check_expiry(facts: Facts, now: datetime) -> Ruling:
    """Expire what has reached its last instant."""
    saw = {"now": rfc3339(now), "expires_at": rfc3339(facts.expires_at)}
    return expires("expiry", "expired", saw) if now >= facts.expires_at else passes("expiry", saw)


def check_schedule(facts: Facts, now: datetime) -> Ruling:
    """Hold until the instant that the caller chose, also when the clock was set back since."""
    if facts.send_at is None:
        return passes("schedule", {"send_at": None})
    saw = {"now": rfc3339(now), "send_at": rfc3339(facts.send_at)}
    if now < facts.send_at:
        return holds("schedule", "scheduled", facts.send_at, saw)
    return passes("schedule", saw)


def check_route(facts: Facts, _now: datetime) -> Ruling:
    """Refuse what no configured provider serves."""
    saw: dict[str, JsonValue] = {"country": facts.recipient.country, "providers": [*facts.route]}
    return passes("route", saw) if facts.route else suppresses("route", "no_route", saw)


_RULES: Final[tuple[Callable[[Facts, datetime], Ruling], ...]] = (
    check_expiry,
    check_suppression,
    check_consent,
    check_schedule,
    check_route,
)
"""The fixed order. What can never go is refused before anything is held."""


def decide(facts: Facts, now: datetime) -> Decision:
    """Say whether this delivery may go at `now`; the trace lists every rule consulted, in order."""
    trace: list[TraceStep] = []
    for rule in _RULES:
        ruling = rule(facts, now)
        trace.append(ruling.step)
        match ruling.step.verdict:
            case "pass":
                continue
            case "hold":
                return _hold(ruling, facts, tuple(trace))
            case "suppress":
                return Suppress(reason=ruling.reason, rule=ruling.step.rule, trace=tuple(trace))
            case "expire":
                return Expire(reason=ruling.reason, rule=ruling.step.rule, trace=tuple(trace))
            case never:
                assert_never(never)
    return Send(route=facts.route, trace=tuple(trace))


def _hold(ruling: Ruling, facts: Facts, trace: tuple[TraceStep, ...]) -> Decision:
    """Hold, unless the expiry comes first: then it ends at once, under the name of the rule that blocked it."""
    rule = ruling.step.rule
    if ruling.not_before is None or ruling.not_before >= facts.expires_at:
        return Expire(reason=ruling.reason, rule=rule, trace=trace)
    return Hold(not_before=ruling.not_before, reason=ruling.reason, rule=rule, trace=trace)
