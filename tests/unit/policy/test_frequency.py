"""Caps: rolling windows and calendars, kept slots, and never one more than the limit."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.decisions import Expire, Facts, Hold, Send, Suppress
from gateway.domain.encoding import encode
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.preferences import Category
from gateway.domain.rule_tables import parse_rules
from gateway.domain.rules import Calendar, FrequencyCap, RuleSet
from gateway.policy.frequency import in_use, next_slot, period_start
from gateway.policy.gate import decide
from gateway.policy.wall_clocks import wall_clock
from tests.factories import NOW, make_facts, make_recipient
from tests.unit.policy.clock_oracle import has_room, utc, wall

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def cap(per: timedelta | Calendar, limit: int = 2) -> FrequencyCap:
    return FrequencyCap(name="cap", limit=limit, per=per, origin="settings")


def earliest(
    one: FrequencyCap, taken: Sequence[datetime], now: datetime = NOW, zones: Sequence[str] = ("UTC",)
) -> datetime:
    clocks = [wall_clock(zone) for zone in zones]
    return from_micros(next_slot(one, [to_micros(slot) for slot in taken], clocks, to_micros(now)))


@pytest.mark.parametrize(
    ("per", "taken", "expected"),
    [
        pytest.param(DAY, [], NOW, id="none taken"),
        pytest.param(DAY, [NOW], NOW, id="one left"),
        pytest.param(DAY, [NOW - HOUR, NOW - 2 * HOUR], NOW + 22 * HOUR, id="full until the oldest is a window old"),
        pytest.param(DAY, [NOW - HOUR, NOW - DAY], NOW, id="the window is half-open: one of exactly a day ago is out"),
        pytest.param(DAY, [NOW - 2 * DAY, NOW - 3 * DAY], NOW, id="both are over"),
        pytest.param(DAY, [NOW + HOUR, NOW - HOUR], NOW + 23 * HOUR, id="kept for one that goes first"),
        pytest.param(DAY, [NOW - 12 * HOUR, NOW + 12 * HOUR], NOW, id="between two that are a whole window apart"),
        pytest.param(DAY, [NOW + HOUR, NOW + 2 * HOUR], NOW + 25 * HOUR, id="all kept"),
        pytest.param(DAY, [NOW + DAY, NOW + DAY + HOUR], NOW, id="kept so late that it does not matter"),
        pytest.param(DAY, [NOW + 22 * HOUR, NOW + 23 * HOUR], NOW + 46 * HOUR, id="kept just within the window"),
        pytest.param(Calendar.DAY, [NOW, NOW - HOUR], utc(2026, 11, 23), id="day"),
        pytest.param(Calendar.DAY, [NOW, NOW - 12 * HOUR - HOUR], NOW, id="yesterday does not count"),
        pytest.param(Calendar.WEEK, [NOW, NOW - HOUR], utc(2026, 11, 23), id="a week ends with Sunday"),
        pytest.param(Calendar.WEEK, [NOW, NOW - 6 * DAY], utc(2026, 11, 23), id="and begins with Monday"),
        pytest.param(Calendar.WEEK, [NOW, NOW - 7 * DAY], NOW, id="last week does not count"),
        pytest.param(Calendar.MONTH, [NOW, NOW - 21 * DAY], utc(2026, 12, 1), id="month"),
        pytest.param(Calendar.MONTH, [NOW, NOW - 22 * DAY], NOW, id="last month does not count"),
        pytest.param(Calendar.DAY, [NOW, NOW, NOW + DAY, NOW + DAY], utc(2026, 11, 24), id="kept slots fill tomorrow"),
    ],
)
def test_a_slot_is_free_at(per: timedelta | Calendar, taken: list[datetime], expected: datetime) -> None:
    assert earliest(cap(per), taken) == expected


@pytest.mark.parametrize(
    ("shift", "count"), [(-DAY, 0), (-DAY + HOUR, 1), (DAY - HOUR, 1), (DAY, 0)], ids=["out", "in", "kept", "too late"]
)
def test_what_lies_within_a_window_counts_as_in_use(shift: timedelta, count: int) -> None:
    assert in_use(cap(DAY), [to_micros(NOW + shift)], [wall_clock("UTC")], to_micros(NOW)) == count


def test_a_month_ends_with_the_year() -> None:
    now = utc(2026, 12, 31, 23)

    assert earliest(cap(Calendar.MONTH), [now, now], now) == utc(2027, 1, 1)


def test_a_calendar_is_the_recipients_own() -> None:
    now = utc(2026, 11, 22, 12)

    assert earliest(cap(Calendar.DAY), [now, now], now, ["Pacific/Auckland"]) == utc(2026, 11, 23, 11)
    assert earliest(cap(Calendar.DAY), [now, now], now, ["America/Chicago"]) == utc(2026, 11, 23, 6)


def test_a_day_must_have_ended_on_every_clock() -> None:
    now = utc(2026, 11, 22, 12)
    both = ["America/Chicago", "Pacific/Auckland"]
    clocks = [wall_clock(zone) for zone in both]

    assert earliest(cap(Calendar.DAY), [now, now], now, both) == utc(2026, 11, 23, 11)
    assert in_use(cap(Calendar.DAY), [to_micros(now)], clocks, to_micros(now + 17 * HOUR)) == 1
    assert in_use(cap(Calendar.DAY), [to_micros(now)], clocks, to_micros(now + 23 * HOUR)) == 0


def test_a_day_begins_after_a_gap_at_midnight() -> None:
    # In Beirut the clocks go from midnight to one.
    change = utc(2026, 3, 28, 22)
    now = change - 2 * HOUR

    found = earliest(cap(Calendar.DAY), [now, now], now, ["Asia/Beirut"])

    assert found == change
    assert wall(found, "Asia/Beirut").hour == 1
    assert from_micros(period_start(Calendar.DAY, wall_clock("Asia/Beirut"), to_micros(change + HOUR))) == change


SLOTS = st.lists(st.integers(0, 12 * 24 * 60), max_size=12)
PERIODS = st.sampled_from([HOUR, DAY, timedelta(days=3), *Calendar])
ZONES = st.lists(
    st.sampled_from(["UTC", "America/Chicago", "Pacific/Auckland", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    min_size=1,
    max_size=3,
    unique=True,
)


@settings(max_examples=60)
@given(per=PERIODS, limit=st.integers(1, 4), minutes=SLOTS, zones=ZONES, start=st.integers(0, 16 * 365 * 24))
def test_the_instant_is_the_earliest_minute_that_has_room(
    per: timedelta | Calendar, limit: int, minutes: list[int], zones: list[str], start: int
) -> None:
    now = utc(2020, 1, 1) + start * HOUR
    taken = sorted((now - minute * timedelta(minutes=1) for minute in minutes), reverse=True)[:limit]
    one = cap(per, limit)

    found = earliest(one, taken, now, zones)

    assert has_room(one, taken, found, zones)
    looked_at = (now + number * timedelta(minutes=15) for number in range(4 * 24 * 40))
    assert found == next(at for at in looked_at if has_room(one, taken, at, zones)) or found.minute % 15


@given(
    per=st.sampled_from([HOUR, DAY]), limit=st.integers(1, 4), shifts=st.lists(st.integers(-2_000, 2_000), max_size=8)
)
def test_together_with_kept_slots_no_window_ever_holds_more_than_the_limit(
    per: timedelta, limit: int, shifts: list[int]
) -> None:
    taken = sorted(NOW + shift * timedelta(minutes=1) for shift in shifts)
    found = earliest(cap(per, limit), taken)

    around = sorted([*[slot for slot in taken if found - per < slot < found + per], found])
    assert all(last - first >= per for first, last in zip(around, around[limit:], strict=False))


@given(per=PERIODS, limit=st.integers(1, 3), count=st.integers(1, 12))
def test_whoever_waits_for_the_instant_never_exceeds_the_cap(per: timedelta | Calendar, limit: int, count: int) -> None:
    one, sent = cap(per, limit), list[datetime]()
    for _ in range(count):
        sent.append(earliest(one, sorted(sent, reverse=True)[:limit], sent[-1] if sent else NOW))

    for at in sent:
        before = [slot for slot in sent if slot <= at]
        assert has_room(one, before[:-1][-limit:], before[-1], ["UTC"])


def rules(*caps: dict[str, object], hours: list[dict[str, Any]] | None = None) -> RuleSet:
    return parse_rules({"frequency_caps": list(caps), "quiet_hours": hours or []}, "settings")


DAILY = {"name": "daily", "limit": 1, "per": "24h"}


def capped(set_of_rules: RuleSet, slots: Mapping[str, Sequence[datetime]] | None = None, **changes: object) -> Facts:
    taken = {"daily": (NOW - HOUR,)} if slots is None else slots
    changes = {"recipient": make_recipient(timezone="UTC"), **changes}
    counted = {counter: tuple([to_micros(at) for at in instants]) for counter, instants in taken.items()}
    return make_facts(rules=set_of_rules, slots=counted, **changes)


@pytest.mark.parametrize("per", ["24h", "day"])
def test_what_one_decision_saw_stays_as_it_was_when_others_are_made(per: str) -> None:
    hours = {"name": "night", "categories": ["transactional"], "forbid": [{"from": "22:00", "to": "08:00"}]}
    both = rules({**DAILY, "per": per}, hours=[hours])
    first = decide(capped(both, {}), NOW)
    seen = encode(first)

    later = decide(capped(both, {"daily": [NOW]}), NOW + HOUR)

    assert [step.rule for step in later.trace[-2:]] == ["daily", "night"]
    assert encode(later) != seen
    assert encode(first) == seen


def test_a_full_cap_defers_to_the_earliest_instant() -> None:
    decision = decide(capped(rules(DAILY)), NOW)

    assert isinstance(decision, Hold)
    assert (decision.not_before, decision.rule, decision.reason) == (NOW + 23 * HOUR, "daily", "frequency_cap")
    assert decision.trace[-1].saw == {
        "origin": "settings",
        "at": "2026-11-22T12:00:00Z",
        "limit": 1,
        "per": "1d",
        "used": 1,
        "kept": 0,
        "over": "defer",
    }


def test_a_calendar_cap_shows_whose_calendar_it_counts_by() -> None:
    decision = decide(capped(rules({**DAILY, "per": "day"})), NOW)

    saw = decision.trace[-1].saw
    assert (saw["per"], saw["zones"], saw["zone_evidence"]) == ("day", ["UTC"], "recipient")


@pytest.mark.parametrize(("over", "falls_through"), [("drop", False), ("next_channel", True)])
def test_a_full_cap_that_does_not_wait_suppresses(over: str, falls_through: bool) -> None:
    decision = decide(capped(rules({**DAILY, "over": over})), NOW)

    assert isinstance(decision, Suppress)
    assert (decision.rule, decision.reason, decision.falls_through) == ("daily", "frequency_cap", falls_through)
    assert decision.trace[-1].verdict == "suppress"


NIGHT = [{"name": "night", "categories": ["transactional"], "forbid": [{"from": "10:00", "to": "14:00"}]}]


@pytest.mark.parametrize(("used", "expected"), [(NOW - HOUR, Suppress), (NOW - 23 * HOUR, Hold)])
def test_a_cap_that_drops_is_asked_at_the_instant_at_which_it_would_go(used: datetime, expected: type) -> None:
    decision = decide(capped(rules({**DAILY, "over": "drop"}, hours=NIGHT), slots={"daily": (used,)}), NOW)

    assert isinstance(decision, expected)
    assert [(step.rule, step.verdict) for step in decision.trace[3:]] == [
        ("schedule", "pass"),
        ("night", "hold"),
        ("daily", "suppress" if expected is Suppress else "pass"),
    ]
    assert decision.trace[3].saw == {"send_at": None}
    assert decision.trace[-1].saw["at"] == "2026-11-22T14:00:00Z"


def test_caps_and_hours_are_solved_together() -> None:
    """The cap lets it go at noon, the hours of that day do not, and the cap of the week not before Monday."""
    week = {"name": "weekly", "limit": 1, "per": "week"}
    hours = [{"name": "hours", "categories": ["transactional"], "allow": [{"from": "10:00", "to": "11:00"}]}]
    slots = {"daily": (NOW - HOUR,), "weekly": (NOW - HOUR,)}

    both = decide(capped(rules(DAILY, week, hours=hours), slots=slots), NOW)
    without_hours = decide(capped(rules(DAILY, week), slots=slots), NOW)

    assert isinstance(both, Hold)
    assert (both.not_before, both.rule) == (utc(2026, 11, 24, 10), "hours")
    assert [(step.rule, step.verdict) for step in both.trace[3:]] == [
        ("schedule", "pass"),
        ("daily", "hold"),
        ("weekly", "pass"),
        ("hours", "hold"),
    ]
    assert isinstance(without_hours, Hold)
    assert (without_hours.not_before, without_hours.rule) == (NOW + 23 * HOUR, "daily")


def test_the_callers_instant_is_solved_together_with_the_rest() -> None:
    send_at = NOW + 30 * HOUR
    decision = decide(capped(rules(DAILY, hours=NIGHT), send_at=send_at, slots={"daily": (NOW + 10 * HOUR,)}), NOW)

    assert isinstance(decision, Hold)
    assert (decision.not_before, decision.rule) == (NOW + 34 * HOUR, "daily")
    assert [(step.rule, step.verdict) for step in decision.trace[3:]] == [
        ("schedule", "hold"),
        ("daily", "hold"),
        ("night", "pass"),
    ]


def test_where_the_cap_lets_it_go_only_after_the_expiry_it_expires_at_once() -> None:
    decision = decide(capped(rules({**DAILY, "per": "30d"})), NOW)

    assert isinstance(decision, Expire)
    assert (decision.rule, decision.reason) == ("daily", "frequency_cap")
    assert (decision.trace[-1].verdict, decision.trace[-1].saw["used"]) == ("expire", 1)


def test_whoever_moves_the_instant_sends_it_round_the_others_again() -> None:
    def windows(*times: tuple[str, str]) -> dict[str, object]:
        return {"categories": ["transactional"], "allow": [{"from": start, "to": end} for start, end in times]}

    first = {"name": "first", **windows(("10:00", "10:20"), ("15:00", "16:00"))}
    second = {"name": "second", **windows(("10:30", "12:00"), ("15:00", "17:00"))}

    decisions = [
        decide(capped(rules(hours=hours), slots={}), utc(2026, 11, 22, 9))
        for hours in ([first, second], [second, first])
    ]

    assert [getattr(decision, "not_before", None) for decision in decisions] == [utc(2026, 11, 22, 15)] * 2


def test_the_fortnight_without_an_opening_begins_where_the_cap_lets_it_go() -> None:
    closed = {"closed_dates": [f"2026-12-{day:02d}" for day in range(1, 21)]}
    hours = [{"name": "hours", "categories": ["transactional"], "allow": [{"from": "00:00", "to": "24:00"}], **closed}]
    cap_of_month = {**DAILY, "per": "16d"}

    held = decide(capped(rules(cap_of_month, hours=hours), expires_at=NOW + timedelta(days=60)), NOW)

    assert isinstance(held, Hold)
    assert held.not_before == utc(2026, 12, 21)


def test_slots_that_are_kept_for_what_goes_first_are_not_taken() -> None:
    facts = capped(rules({**DAILY, "limit": 2}), waiting={"daily": (NOW - HOUR,)})

    decision = decide(facts, NOW)

    assert isinstance(decision, Hold)
    assert decision.not_before == NOW + 23 * HOUR
    assert (decision.trace[-1].saw["used"], decision.trace[-1].saw["kept"]) == (1, 1)


@pytest.mark.parametrize("per", [DAY, Calendar.DAY])
def test_thousands_of_kept_slots_are_gone_through_once(per: timedelta | Calendar) -> None:
    every_eight_hours = [NOW + 8 * HOUR * number for number in range(6_000)]

    opening = earliest(cap(per), every_eight_hours)

    assert abs(opening - every_eight_hours[-1]) <= DAY


@pytest.mark.parametrize(("categories", "expected"), [([], Send), (["critical"], Hold)])
def test_critical_is_not_capped_unless_configured(categories: list[str], expected: type) -> None:
    facts = capped(rules({**DAILY, "categories": categories}), category=Category.CRITICAL)

    assert isinstance(decide(facts, NOW), expected)


def test_a_persons_own_cap_counts_for_itself() -> None:
    own = parse_rules({"frequency_caps": [DAILY]}, "recipient")

    decided = [decide(capped(own, slots={counter: (NOW - HOUR,)}), NOW) for counter in ("daily", "own:daily")]

    assert [type(decision) for decision in decided] == [Send, Hold]


SHOWN_PERIODS: Mapping[Calendar, Callable[[datetime], object]] = {
    Calendar.DAY: lambda shown: shown.date(),
    Calendar.WEEK: lambda shown: shown.isocalendar()[:2],
    Calendar.MONTH: lambda shown: (shown.year, shown.month),
}
FIRST = to_micros(utc(2020, 1, 4))


@given(data=st.data(), zone=st.sampled_from(pytz.all_timezones), period=st.sampled_from(list(Calendar)))
def test_a_slot_counts_where_the_clock_shows_the_same_period(data: st.DataObject, zone: str, period: Calendar) -> None:
    """Most of all around the instants at which a clock is changed."""
    clock = wall_clock(zone)
    changes = [from_micros(max(begin, FIRST)) for begin, _ in clock.since(FIRST)[:30]]
    changed = data.draw(st.sampled_from(changes))
    at = changed + data.draw(st.integers(-2 * 24 * 60, 2 * 24 * 60)) * timedelta(minutes=1)
    slots = [changed + number * timedelta(minutes=15) for number in range(-300, 300)]

    counted = in_use(cap(period, limit=10), [to_micros(slot) for slot in slots], [clock], to_micros(at))

    shown = SHOWN_PERIODS[period]
    assert counted == sum(shown(wall(slot, zone)) == shown(wall(at, zone)) for slot in slots)
