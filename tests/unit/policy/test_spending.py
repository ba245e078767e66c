"""Limits on spending: no period ever holds more than its limit, and what waits goes as soon as it may."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.decisions import Decision, Expire, Facts, Hold, Send, Suppress
from gateway.domain.instants import to_micros
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rules import Calendar, Over
from gateway.domain.spending import (
    NOTHING,
    Buckets,
    Budget,
    ComplaintLimit,
    SpendingFacts,
    SpendingLimit,
    Spent,
    price_shown,
)
from gateway.domain.values import replace
from gateway.policy.gate import decide
from gateway.policy.spending import (
    charges_of,
    complaint_of,
    complaint_rate,
    complaints_counter,
    spent_in,
    spent_until,
)
from tests.factories import NOW, make_facts

HOUR = timedelta(hours=1)
ZONE = "America/Toronto"


def limit(**changes: Any) -> SpendingLimit:
    """Three texts an hour."""
    return replace(SpendingLimit(name="texts", messages=3, per=HOUR), **changes)


def facts(rule: SpendingLimit | None = None, spent: Buckets | None = None, **changes: Any) -> Facts:
    """A text that a limit speaks of."""
    budgets = () if rule is None else (Budget(limit=rule, counter="texts|svc", of="shop", spent=spent or {}),)
    spending = replace(SpendingFacts(budgets=budgets, currency="EUR"), **changes)
    return make_facts(spending=spending, channel=Channel.SMS, default_timezone=ZONE)


def counted(buckets: Mapping[int, Spent], of: Facts, now: datetime) -> dict[int, Spent]:
    """The counter once the delivery's call was counted."""
    (charge,) = charges_of(of, now)
    return {**buckets, charge.bucket: buckets.get(charge.bucket, NOTHING).plus(charge.spent)}


def stopped(decision: Decision) -> tuple[str, str]:
    """What stopped it, and why."""
    assert isinstance(decision, Hold | Suppress | Expire)
    return decision.rule, decision.reason


@given(
    gaps=st.lists(st.integers(0, 2_400), min_size=1, max_size=40),
    costs=st.lists(st.integers(0, 6), min_size=40, max_size=40),
)
def test_no_window_ever_holds_more_than_the_limit(gaps: list[int], costs: list[int]) -> None:
    rule, now = limit(messages=3, cost=10), NOW
    buckets: dict[int, Spent] = {}
    went: list[tuple[datetime, int]] = []

    for gap, cost in zip(gaps, costs, strict=False):
        now += timedelta(seconds=gap)
        of = facts(rule, buckets, cost=cost)
        if isinstance(decide(of, now), Send):
            buckets = counted(buckets, of, now)
            went.append((now, cost))

    for end, _ in went:
        within = [cost for at, cost in went if end - HOUR < at <= end]
        assert len(within) <= 3
        assert sum(within) <= 10


@given(before=st.lists(st.integers(0, 5_000), max_size=12), now=st.integers(0, 5_000))
def test_what_is_held_may_go_at_the_instant_that_it_is_held_to_and_just_before_not(before: list[int], now: int) -> None:
    rule = limit()
    buckets: dict[int, Spent] = {}
    for second in sorted(before):
        buckets = counted(buckets, facts(rule, buckets), NOW + timedelta(seconds=second))
    of, at = facts(rule, buckets), NOW + timedelta(seconds=now)

    decision = decide(of, at)

    if isinstance(decision, Hold):
        assert isinstance(decide(of, decision.not_before), Send)
        assert isinstance(decide(of, decision.not_before - timedelta(microseconds=1)), Hold)
        assert decision.not_before - at <= HOUR + HOUR / 12 + timedelta(seconds=max(before, default=0))


@pytest.mark.parametrize("per", [timedelta(minutes=40), timedelta(days=1), timedelta(days=30), *Calendar])
def test_what_was_counted_while_the_time_of_the_limit_was_another_still_ends(per: timedelta | Calendar) -> None:
    """Its parts begin where none of the new ones would."""
    was = facts(limit())
    spent = counted(counted({}, was, NOW - HOUR / 2), was, NOW - HOUR / 10)
    changed = replace(facts(limit(per=per, messages=1), spent), expires_at=NOW + timedelta(days=90))

    decision = decide(changed, NOW)

    assert isinstance(decision, Hold)
    assert isinstance(decide(changed, decision.not_before), Send)


def test_a_day_is_that_of_the_default_zone() -> None:
    # Toronto is five hours behind UTC in November.
    evening = datetime.fromisoformat("2026-11-22T23:30-05:00")
    rule = limit(messages=1, per=Calendar.DAY)
    buckets = counted({}, facts(rule), evening)

    held = decide(facts(rule, buckets), evening + timedelta(minutes=10))

    assert isinstance(held, Hold)
    assert held.not_before == datetime.fromisoformat("2026-11-23T00:00-05:00")
    assert spent_in(Calendar.DAY, ZONE, buckets, evening).messages == 1
    assert spent_in(Calendar.DAY, ZONE, buckets, held.not_before) == NOTHING


@pytest.mark.parametrize(
    ("per", "ends"),
    [
        (Calendar.DAY, "2026-11-02T00:00-05:00"),
        (Calendar.WEEK, "2026-11-02T00:00-05:00"),
        (Calendar.MONTH, "2026-12-01T00:00-05:00"),
    ],
)
def test_a_period_over_a_change_of_the_clocks_ends_with_its_last_day(per: Calendar, ends: str) -> None:
    sunday = datetime.fromisoformat("2026-11-01T00:30-04:00")

    (charge,) = charges_of(facts(limit(per=per)), sunday)

    assert charge.kept_until == datetime.fromisoformat(ends)
    assert charge.bucket <= to_micros(sunday)


def test_what_costs_more_than_the_whole_limit_never_waits() -> None:
    assert stopped(decide(facts(limit(messages=None, cost=10), cost=11), NOW)) == ("texts", "spending_limit")
    assert isinstance(decide(facts(limit(messages=None, cost=10), cost=10), NOW), Send)


@pytest.mark.parametrize(("over", "falls"), [(Over.DROP, False), (Over.NEXT_CHANNEL, True)])
def test_over_the_limit_it_is_suppressed_where_the_limit_says_so(over: Over, falls: bool) -> None:
    decision = decide(facts(limit(messages=0, over=over)), NOW)

    assert isinstance(decision, Suppress)
    assert (decision.reason, decision.rule, decision.falls_through) == ("spending_limit", "texts", falls)


def test_a_code_that_cannot_go_before_it_expires_ends_at_once() -> None:
    rule = limit(messages=1)
    buckets = counted({}, facts(rule), NOW)
    code = replace(facts(rule, buckets), category=Category.CRITICAL, expires_at=NOW + timedelta(minutes=10))

    decision = decide(code, NOW)

    assert isinstance(decision, Expire)
    assert decision.rule == "texts"


@pytest.mark.parametrize(("country", "goes"), [("FR", True), ("GB", False), (None, False)])
def test_a_number_must_be_of_an_allowed_country(country: str | None, goes: bool) -> None:
    decision = decide(facts(countries=frozenset({"FR", "DE"}), country=country), NOW)

    assert isinstance(decision, Send) is goes
    assert goes or stopped(decision) == ("spending_countries", "country_not_allowed")


def test_complaints_stop_marketing_from_the_domain_once_enough_was_sent() -> None:
    complaints = ComplaintLimit(stop_at=0.0025, at_least=1_000, per=timedelta(days=7))

    def decided(sent: int, complained: int, domain: str | None = "example.org") -> Decision:
        counter = {to_micros(NOW): Spent(messages=sent, cost=complained)}
        of = facts(complaints=complaints, domain=domain, complained={complaints_counter("example.org"): counter})
        return decide(of, NOW)

    assert stopped(decided(1_000, 3)) == ("complaint_rate", "complaint_rate")
    assert isinstance(decided(1_000, 2), Send)
    assert isinstance(decided(999, 500), Send)
    assert isinstance(decided(1_000, 3, "example.net"), Send)
    assert isinstance(decided(1_000, 3, None), Send)


def test_prices_are_shown_as_people_write_them() -> None:
    assert [price_shown(cost) for cost in (0, 1, 65_000, 500_000, 12_000_000)] == [
        "0.00",
        "0.000001",
        "0.065",
        "0.50",
        "12.00",
    ]


def told_by(rule: str, decision: Decision) -> tuple[str, Mapping[str, object]]:
    """What a rule said in the trace, and what it saw."""
    (step,) = [step for step in decision.trace if step.rule == rule]
    return step.verdict, step.saw


@pytest.mark.parametrize(("country", "verdict"), [("FR", "pass"), ("RU", "suppress")])
def test_the_trace_tells_the_country_and_those_that_are_allowed(country: str, verdict: str) -> None:
    decision = decide(facts(countries=frozenset({"FR", "DE"}), country=country), NOW)

    assert told_by("spending_countries", decision) == (verdict, {"country": country, "allowed": ["DE", "FR"]})


@pytest.mark.parametrize(("complaints", "verdict"), [(2, "pass"), (25, "suppress")])
def test_the_trace_tells_what_was_sent_and_how_many_complained(complaints: int, verdict: str) -> None:
    limit = ComplaintLimit(stop_at=0.0025, at_least=1_000, per=timedelta(days=7))
    complained = {complaints_counter("example.org"): {to_micros(NOW): Spent(messages=10_000, cost=complaints)}}

    decision = decide(facts(complaints=limit, domain="example.org", complained=complained), NOW)

    saw = {"domain": "example.org", "sent": 10_000, "complaints": complaints, "rate": complaints / 10_000}
    saw |= {"stop_at": 0.0025, "at_least": 1_000, "per": "1w"}
    assert told_by("complaint_rate", decision) == (verdict, saw)


def test_the_trace_tells_limits_and_what_is_used_of_them() -> None:
    rule = limit(cost=1_000_000)
    spent = {to_micros(NOW): Spent(messages=2, cost=130_000)}

    decision = decide(facts(rule, spent, cost=65_000), NOW)

    verdict, saw = told_by("texts", decision)
    cost = {"limit": "1.00", "used": "0.13", "this": "0.065", "currency": "EUR"}
    shown = {"by": rule.by.value, "of": "shop", "per": "1h", "over": "defer"}
    assert (verdict, saw) == ("pass", {**shown, "messages": {"limit": 3, "used": 2}, "cost": cost})
    assert "cost" not in told_by("texts", decide(facts(limit()), NOW))[1]
    assert "messages" not in told_by("texts", decide(facts(replace(rule, messages=None)), NOW))[1]
    assert told_by("texts", decide(facts(limit(per=Calendar.DAY)), NOW))[1]["per"] == "day"


def test_a_call_is_counted_to_its_limits_and_to_its_domain() -> None:
    complaints = ComplaintLimit(stop_at=0.0025, at_least=1_000, per=timedelta(days=7))

    ours, theirs = charges_of(facts(limit(cost=9), complaints=complaints, domain="example.org", cost=4), NOW)

    assert (ours.counter, ours.spent, ours.messages, ours.cost) == ("texts|svc", Spent(messages=1, cost=4), 3, 9)
    assert ours.bucket <= to_micros(NOW) < ours.bucket + 5 * 60_000_000
    assert ours.counted_from == to_micros(NOW - HOUR - timedelta(minutes=5)) + 1
    assert NOW + HOUR < ours.kept_until <= NOW + HOUR + timedelta(minutes=5)
    assert (theirs.counter, theirs.spent) == (complaints_counter("example.org"), Spent(messages=1))
    assert (theirs.messages, theirs.cost) == (None, None)
    assert theirs.kept_until - NOW > timedelta(days=7)
    assert [one.counter for one in charges_of(facts(limit(), complaints=complaints), NOW)] == ["texts|svc"]
    assert [one.counter for one in charges_of(facts(limit(), domain="example.org"), NOW)] == ["texts|svc"]


def test_a_complaint_counts_to_the_domain_beside_what_was_sent() -> None:
    told = complaint_of("example.org", timedelta(days=7), NOW)

    assert (told.counter, told.spent) == (complaints_counter("example.org"), Spent(cost=1))


def test_a_past_instant_knows_nothing_of_what_was_spent_later() -> None:
    earlier, later = to_micros(NOW - HOUR), to_micros(NOW + HOUR)
    counters = {"texts|svc": {earlier: Spent(messages=1), to_micros(NOW): Spent(messages=2), later: Spent(messages=4)}}

    assert spent_until(counters, NOW) == {"texts|svc": {earlier: Spent(messages=1), to_micros(NOW): Spent(messages=2)}}


def test_nothing_sent_is_no_rate() -> None:
    assert complaint_rate(Spent(cost=3)) == 0.0
    assert complaint_rate(Spent(messages=3, cost=1)) == 0.33333
