"""The gate: facts and an instant in, a decision with its trace out."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway.domain.decisions import Decision, Expire, Facts, Hold, Send, Suppress, TraceStep
from gateway.domain.instants import rfc3339
from gateway.domain.recipients import JsonValue
from gateway.policy.consent import check_consent
from gateway.policy.rulings import Ruling, expires, passes, suppresses
from gateway.policy.spending import refusals_of
from gateway.policy.suppression import check_suppression
from gateway.policy.timing import check_timing


def check_expiry(facts: Facts, now: datetime) -> Ruling:
    """Expire what has reached its last instant."""
    saw = {"now": rfc3339(now), "expires_at": rfc3339(facts.expires_at)}
    return expires("expiry", "expired", saw) if now >= facts.expires_at else passes("expiry", saw)


def check_route(facts: Facts, _now: datetime) -> Ruling:
    """Refuse what no configured provider serves."""
    saw: dict[str, JsonValue] = {"country": facts.country, "providers": [*facts.route]}
    saw |= {"weights": {**facts.weights}} if facts.weights else {}
    return passes("route", saw) if facts.route else suppresses("route", "no_route", saw)


_FIRST: Final[tuple[Callable[[Facts, datetime], Ruling], ...]] = (check_expiry, check_suppression, check_consent)
"""What can never go is refused before anything is held."""


def decide(facts: Facts, now: datetime) -> Decision:
    """Say whether this delivery may go at `now`; the trace lists every rule consulted, in the fixed order."""
    trace: list[TraceStep] = []
    for rule in _FIRST:
        ruling = rule(facts, now)
        trace.append(ruling.step)
        if ruling.step.verdict != "pass":
            return _stopped(ruling, tuple(trace))
    if facts.spending is not None:
        for ruling in refusals_of(facts.spending, now):
            trace.append(ruling.step)
            if ruling.step.verdict != "pass":
                return _stopped(ruling, tuple(trace))
    timing = check_timing(facts, now)
    trace.extend(timing.steps)
    if timing.stopped is not None:
        return _stopped(timing.stopped, tuple(trace))
    ruling = check_route(facts, now)
    trace.append(ruling.step)
    if not facts.route:
        return _stopped(ruling, tuple(trace))
    return Send(route=facts.route, trace=tuple(trace), slots=timing.slots)


def _stopped(ruling: Ruling, trace: tuple[TraceStep, ...]) -> Decision:
    rule, reason = ruling.step.rule, ruling.reason
    match ruling.step.verdict, ruling.not_before:
        case "hold", datetime() as not_before:
            return Hold(not_before=not_before, reason=reason, rule=rule, trace=trace)
        case "suppress", _:
            return Suppress(reason=reason, rule=rule, trace=trace, falls_through=ruling.falls_through)
        case _:
            return Expire(reason=reason, rule=rule, trace=trace)
