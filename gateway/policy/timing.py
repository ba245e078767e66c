"""When it may go: the caller's instant, caps and quiet hours solved together for the earliest that pleases all."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

import msgspec

from gateway.domain.decisions import Facts, TraceStep
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.rules import Overridden
from gateway.domain.slots import SlotNeed
from gateway.domain.values import Value, replace
from gateway.policy.clauses import Cap, Clause, Hours, Schedule, cap_of
from gateway.policy.quiet_hours import fits_place
from gateway.policy.rulings import Ruling, expires, holds, passes, suppresses
from gateway.policy.spending import Spending, clauses_of
from gateway.policy.wall_clocks import DAY
from gateway.policy.zones import locate

HORIZON: Final = 14 * DAY
"""A message that no opening awaits within so long is refused, not held for ever."""


class Timing(Value, frozen=True, kw_only=True):
    """What came of it: a line for each clause consulted and, unless it may go now, the ruling that stops it."""

    steps: tuple[TraceStep, ...]
    stopped: Ruling | None
    slots: tuple[SlotNeed, ...] = ()
    """What it needs of each cap that speaks of it, where it may go now."""


_AT_ANY_TIME: Final = passes(Schedule.name, {"send_at": None}).step
_AT_ONCE: Final = Timing(steps=(_AT_ANY_TIME,), stopped=None)
"""Most messages: nothing speaks of them."""


# Thousands of people live in the same few places, and each of these remembers when it was last open.
_hours: Final = lru_cache(maxsize=4_096)(Hours)


def check_timing(facts: Facts, now: datetime) -> Timing:
    """Find the earliest instant that pleases the caller, the caps that defer and the quiet hours at once.

    A cap that drops is asked at that instant, for by then its slots may be free.
    """
    rules = facts.rules
    if not rules and facts.send_at is None and facts.spending is None:
        return _AT_ONCE
    start, end = to_micros(now), to_micros(facts.expires_at)
    clauses: list[Clause] = [] if facts.send_at is None else [Schedule(facts.send_at)]
    dropping: list[Cap | Spending] = []
    caps: list[Cap] = []
    if facts.spending is not None:
        budgets = clauses_of(facts.spending, facts.default_timezone)
        clauses += [budget for budget in budgets if budget.defers]
        dropping += [budget for budget in budgets if not budget.defers]
    if rules:
        place, about = locate(facts.recipient, facts.default_timezone), (facts.channel, facts.category, facts.topic)
        for rule in rules.frequency_caps:
            if rule.speaks_of(*about):
                cap = cap_of(rule, facts, place, start)
                caps.append(cap)
                (clauses if cap.placed.defers else dropping).append(cap)
        for hours in rules.quiet_hours:
            if hours.speaks_of(*about) and fits_place(hours, place):
                clauses.append(_hours(hours, place))
    search = _search(clauses, start, end)
    steps = [_AT_ANY_TIME] if facts.send_at is None else []
    stopped = None
    for one, clause in enumerate(clauses):
        if one in search.refused:
            ruling = _ruling(clause, search.refused[one], search, is_last=one == search.last)
            stopped = ruling if one == search.last else stopped
            steps.append(ruling.step)
        else:
            steps.append(TraceStep(rule=clause.name, verdict="pass", saw=clause.saw(search.at)))
    if search.verdict == "hold" and dropping:
        refusals = [_at_the_end(cap, search) for cap in dropping]
        steps += [ruling.step for ruling in refusals]
        stopped = next((ruling for ruling in refusals if ruling.step.verdict == "suppress"), stopped)
    if rules.overridden:
        steps += [_overridden(one) for one in rules.overridden]
    slots = [cap.need(start) for cap in caps] if stopped is None else ()
    return Timing(steps=tuple(steps), stopped=stopped, slots=tuple(slots))


def _overridden(rule: Overridden) -> TraceStep:
    return passes(rule.rule, {"origin": rule.origin, "overridden": rule.reason}).step


class _Search(msgspec.Struct, kw_only=True):
    """Where the search for an instant ended."""

    at: int
    verdict: Literal["hold", "suppress", "expire"] = "hold"
    """`hold` until `at`, which may be now; `suppress` where no opening comes, `expire` where none comes in time."""
    last: int | None = None
    """Which clause moved it last, or stopped it; None where none did."""
    refused: dict[int, int] = {}
    """Which clauses refused, and where each first did."""


def _search(clauses: Sequence[Clause], start: int, end: int) -> _Search:
    """Ask round until nobody moves the instant any more, or none is left before the expiry."""
    search, limit, count = _Search(at=start), min(start + HORIZON, end), len(clauses)
    agreed, asked = 0, 0
    while agreed < count:
        one = asked % count
        earliest = clauses[one].earliest(search.at, limit)
        asked += 1
        if earliest == search.at:
            agreed += 1
            continue
        search.refused.setdefault(one, search.at)
        search.last = one
        if earliest is None or earliest >= end:
            search.verdict = "suppress" if earliest is None and limit < end else "expire"
            return search
        search.at, agreed = earliest, 1
        if clauses[one].ends:
            limit = min(earliest + HORIZON, end)
    return search


def _ruling(clause: Clause, refused_at: int, search: _Search, *, is_last: bool) -> Ruling:
    """What a clause said that has refused: of the instant at which it first did."""
    saw = clause.saw(refused_at)
    if not is_last or search.verdict == "hold":
        return holds(clause.name, clause.reason, from_micros(search.at), saw)
    if search.verdict == "expire":
        return expires(clause.name, clause.reason, saw)
    return suppresses(clause.name, "no_opening", saw)


def _at_the_end(cap: Cap | Spending, search: _Search) -> Ruling:
    """What a cap that does not wait says of the instant at which the delivery would go."""
    saw = cap.saw(search.at)
    if cap.earliest(search.at, search.at) == search.at:
        return passes(cap.name, saw)
    return replace(suppresses(cap.name, cap.reason, saw), falls_through=cap.falls_through)
