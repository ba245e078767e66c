"""Quiet hours: each sentence of the contract by table, and the earliest opening against a look at every minute."""

import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.decisions import Expire, Facts, Hold, Send, Suppress
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.preferences import Category
from gateway.domain.recipients import PhoneNumber
from gateway.domain.rule_tables import parse_rules
from gateway.domain.rules import QuietHours, RuleSet, Weekday, Window
from gateway.policy.clauses import Hours
from gateway.policy.gate import decide
from gateway.policy.quiet_hours import next_opening
from gateway.policy.wall_clocks import DAY, wall_clock
from gateway.policy.zones import Whereabouts
from tests.factories import make_facts, make_recipient
from tests.unit.policy.clock_oracle import candidates, is_open, utc, wall

LONG = bool(os.environ.get("HELIOGRAPH_LONG"))
FORTNIGHT = timedelta(days=14)
MINUTE = timedelta(minutes=1)
JsonRule = dict[str, object]


def hours(**rule: object) -> RuleSet:
    """A rule named `hours` for order messages."""
    return parse_rules({"quiet_hours": [{"name": "hours", "categories": ["transactional"], **rule}]}, "settings")


def during(start: str, end: str, *days: str) -> list[JsonRule]:
    return [{"from": start, "to": end, **({"days": list(days)} if days else {})}]


def in_zone(zone: str | None, rules: RuleSet, now: datetime, **changes: object) -> Facts:
    """An order message to somebody in the zone, which expires long after a fortnight."""
    recipient = make_recipient(timezone=zone, country=changes.pop("country", None), phone=changes.pop("phone", None))
    return make_facts(rules=rules, recipient=recipient, expires_at=now + timedelta(days=90), **changes)


def allowed_at(zone: str, rules: RuleSet, now: datetime, **changes: object) -> datetime | str:
    """When it may go, or why it never may."""
    match decide(in_zone(zone, rules, now, **changes), now):
        case Send():
            return now
        case Hold(not_before=not_before, rule="hours", reason="quiet_hours"):
            return not_before
        case Suppress(reason=reason, rule="hours"):
            return reason
        case decision:
            raise AssertionError(decision)


TEXAS = [*during("09:00", "21:00", "mon", "tue", "wed", "thu", "fri", "sat"), *during("12:00", "21:00", "sun")]


@pytest.mark.parametrize(
    ("zone", "rule", "now", "expected"),
    [
        # 2026-11-22 is a Sunday; Chicago is six hours behind.
        pytest.param(
            "America/Chicago",
            {"allow": TEXAS},
            utc(2026, 11, 22, 5, 40),
            utc(2026, 11, 22, 18),
            id="as in the contract",
        ),
        pytest.param("UTC", {"allow": TEXAS}, utc(2026, 11, 22, 12), utc(2026, 11, 22, 12), id="open from its start"),
        pytest.param(
            "UTC",
            {"allow": TEXAS},
            utc(2026, 11, 22, 20, 59, 59),
            utc(2026, 11, 22, 20, 59, 59),
            id="to its last second",
        ),
        pytest.param("UTC", {"allow": TEXAS}, utc(2026, 11, 22, 21), utc(2026, 11, 23, 9), id="closed from its end"),
        pytest.param(
            "UTC", {"forbid": during("22:00", "08:00")}, utc(2026, 11, 22, 23, 30), utc(2026, 11, 23, 8), id="wraps"
        ),
        pytest.param(
            "UTC",
            {"allow": during("20:00", "02:00", "sat")},
            utc(2026, 11, 22, 1, 59),
            utc(2026, 11, 22, 1, 59),
            id="the tail belongs to the day on which the window began",
        ),
        pytest.param(
            "UTC",
            {"allow": during("20:00", "02:00", "sun")},
            utc(2026, 11, 22, 1),
            utc(2026, 11, 22, 20),
            id="and not to the day that it reaches into",
        ),
        pytest.param(
            "UTC",
            {"allow": during("20:00", "24:00", "sat") + during("00:00", "02:00", "sun")},
            utc(2026, 11, 21, 20),
            utc(2026, 11, 21, 20),
            id="24:00 ends a day",
        ),
        pytest.param(
            "UTC",
            {"allow": during("20:00", "02:00"), "closed_dates": ["2026-11-22"]},
            utc(2026, 11, 22, 0, 30),
            utc(2026, 11, 23, 20),
            id="a closed day closes the tail of the night before, and its own windows with their tails",
        ),
        pytest.param(
            "UTC",
            {"allow": during("08:00", "20:00"), "closed_dates": ["2026-11-22"]},
            utc(2026, 11, 21, 23),
            utc(2026, 11, 23, 8),
            id="a closed date is left out",
        ),
        pytest.param(
            "UTC",
            {"forbid": during("22:00", "06:00"), "closed_dates": ["2026-11-22"]},
            utc(2026, 11, 21, 21),
            utc(2026, 11, 21, 21),
            id="a closed date does not close the day before",
        ),
        pytest.param(
            "UTC",
            {"forbid": during("22:00", "06:00"), "closed_dates": ["2026-11-22"]},
            utc(2026, 11, 21, 22),
            utc(2026, 11, 23, 6),
            id="what is forbidden stays so after a closed day",
        ),
        pytest.param(
            "UTC",
            {"allow": during("08:00", "09:00"), "valid_from": "2026-11-23", "valid_until": "2026-11-24"},
            utc(2026, 11, 22, 23, 59),
            utc(2026, 11, 22, 23, 59),
            id="not valid yet",
        ),
        pytest.param(
            "UTC",
            {"allow": during("08:00", "09:00"), "valid_from": "2026-11-23", "valid_until": "2026-11-24"},
            utc(2026, 11, 23),
            utc(2026, 11, 23, 8),
            id="valid from its first day's start",
        ),
        pytest.param(
            "UTC",
            {"allow": during("08:00", "09:00"), "valid_from": "2026-11-23", "valid_until": "2026-11-24"},
            utc(2026, 11, 24, 10),
            utc(2026, 11, 25),
            id="its validity ends while the message is held",
        ),
        pytest.param(
            "Pacific/Auckland",
            {"allow": during("08:00", "09:00"), "valid_until": "2026-11-24"},
            utc(2026, 11, 23, 21),
            utc(2026, 11, 24, 11),
            id="validity ends by local dates",
        ),
        pytest.param(
            "Europe/Berlin",
            {"allow": during("02:30", "04:00")},
            utc(2026, 3, 29, 0, 10),
            utc(2026, 3, 29, 1),
            id="an opening inside a gap moves to the first instant after it",
        ),
        pytest.param(
            "Europe/Berlin",
            {"allow": during("02:10", "02:50")},
            utc(2026, 3, 28, 2),
            utc(2026, 3, 30, 0, 10),
            id="a window wholly inside a gap does not occur that day",
        ),
        pytest.param(
            "Europe/Berlin",
            {"allow": during("02:00", "02:30")},
            utc(2026, 10, 25, 0, 30),
            utc(2026, 10, 25, 1),
            id="in an overlap the wall clock opens in both passes",
        ),
        pytest.param(
            "Europe/Berlin",
            {"forbid": during("02:00", "02:30")},
            utc(2026, 10, 25, 1, 10),
            utc(2026, 10, 25, 1, 30),
            id="in an overlap the wall clock closes in both passes",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            {"allow": during("02:15", "03:00")},
            utc(2026, 10, 3, 15),
            utc(2026, 10, 3, 15, 30),
            id="Lord Howe's gap of half an hour",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            {"forbid": during("00:00", "01:45")},
            utc(2026, 4, 4, 15),
            utc(2026, 4, 4, 15, 15),
            id="Lord Howe's overlap of half an hour",
        ),
        pytest.param(
            "Pacific/Apia",
            {"allow": during("09:00", "10:00", "fri", "mon")},
            utc(2011, 12, 29, 9),
            utc(2012, 1, 1, 19),
            id="a day that was skipped has no opening",
        ),
        pytest.param(
            "Pacific/Apia",
            {"allow": during("22:00", "02:00", "fri")},
            utc(2011, 12, 30, 9),
            utc(2011, 12, 30, 10),
            id="what began on a skipped day is open after it",
        ),
        pytest.param(
            "Asia/Kathmandu",
            {"allow": during("09:00", "10:00")},
            utc(2026, 11, 22, 2),
            utc(2026, 11, 22, 3, 15),
            id="45 minutes",
        ),
        pytest.param(
            "Asia/Kolkata",
            {"allow": during("10:00", "21:00")},
            utc(2026, 11, 22),
            utc(2026, 11, 22, 4, 30),
            id="30 minutes",
        ),
        pytest.param(
            "UTC",
            {"allow": during("09:00", "10:00"), "closed_dates": [f"2026-11-{day}" for day in range(17, 31)]},
            utc(2026, 11, 16, 9),
            utc(2026, 11, 16, 9),
            id="open today",
        ),
        pytest.param(
            "UTC",
            {"allow": during("09:00", "10:00"), "closed_dates": [f"2026-11-{day}" for day in range(17, 31)]},
            utc(2026, 11, 16, 10),
            "no_opening",
            id="no opening within fourteen days",
        ),
        pytest.param(
            "UTC",
            {"allow": during("09:00", "10:00"), "closed_dates": [f"2026-11-{day}" for day in range(17, 31)]},
            utc(2026, 11, 17, 9),
            "no_opening",
            id="an opening after exactly fourteen days comes too late",
        ),
        pytest.param(
            "UTC",
            {"allow": during("09:00", "10:00"), "closed_dates": [f"2026-11-{day}" for day in range(17, 31)]},
            utc(2026, 11, 17, 9, 0, 1),
            utc(2026, 12, 1, 9),
            id="and just before them in time",
        ),
    ],
)
def test_a_message_goes_at_the_first_allowed_instant(
    zone: str, rule: JsonRule, now: datetime, expected: datetime | str
) -> None:
    assert allowed_at(zone, hours(**rule), now) == expected


def test_holidays_of_country_and_region_are_closed_where_the_rule_says_so() -> None:
    night = {"allow": during("08:00", "22:00"), "holidays": "closed"}
    place = {"country": "FR"}
    bastille, good_friday = utc(2026, 7, 14, 10), utc(2026, 4, 3, 10)
    alsace = make_recipient(country="FR", region="FR-57", timezone="Europe/Paris")

    assert allowed_at("Europe/Paris", hours(**night), bastille, **place) == utc(2026, 7, 15, 6)
    assert allowed_at("Europe/Paris", hours(allow=night["allow"]), bastille, **place) == bastille
    assert allowed_at("Europe/Paris", hours(**night), bastille) == bastille
    assert allowed_at("Europe/Paris", hours(**night), good_friday, **place) == good_friday
    decision = decide(make_facts(rules=hours(**night), recipient=alsace, expires_at=utc(2026, 5, 1)), good_friday)
    assert isinstance(decision, Hold)
    assert decision.not_before == utc(2026, 4, 4, 6)
    assert decision.trace[-1].saw["closed"] == "Good Friday"


def test_a_country_without_known_holidays_has_none() -> None:
    rule = hours(allow=during("00:00", "24:00"), holidays="closed")
    christmas = utc(2026, 12, 25, 10)

    assert allowed_at("UTC", rule, christmas, country="ZZ") == christmas


@pytest.mark.parametrize(
    ("rule", "changes", "held"),
    [
        pytest.param({}, {}, True, id="left out: everywhere"),
        pytest.param({"countries": ["US"]}, {"country": "US"}, True, id="country"),
        pytest.param({"countries": ["US"]}, {"country": "CA"}, False, id="another country"),
        pytest.param({"countries": ["US"]}, {"country": None, "phone": None}, False, id="no country known"),
        pytest.param({"countries": ["US"]}, {"country": None, "phone": "+12145551234"}, True, id="by its number"),
        pytest.param({"countries": ["US"]}, {"country": "FR", "phone": "+12145551234"}, False, id="the address wins"),
        pytest.param({"regions": ["US-TX"]}, {"country": "US", "region": "US-TX"}, True, id="region"),
        pytest.param({"regions": ["US-TX"]}, {"country": "US", "region": "US-FL"}, False, id="another region"),
        pytest.param({"regions": ["US-TX"]}, {"country": "US", "phone": None}, False, id="no region known"),
        pytest.param({"regions": ["US-TX"]}, {"country": "US", "phone": "+12145551234"}, True, id="area code"),
        pytest.param({"regions": ["US-TX"]}, {"country": "CA", "phone": "+12145551234"}, False, id="area code abroad"),
        pytest.param({"channels": ["email", "sms"]}, {}, True, id="channel"),
        pytest.param({"channels": ["sms"]}, {}, False, id="another channel"),
        pytest.param({"topics": ["orders"]}, {}, True, id="topic"),
        pytest.param({"topics": ["offers"]}, {}, False, id="another topic"),
        pytest.param({"categories": ["marketing"]}, {}, False, id="another category"),
    ],
)
def test_a_rule_speaks_of_what_fits_all_its_lists(rule: JsonRule, changes: dict[str, object], held: bool) -> None:
    now = utc(2026, 11, 22, 3)
    recipient = make_recipient(**{"timezone": "UTC", **changes})
    facts = make_facts(rules=hours(forbid=during("00:00", "06:00"), **rule), recipient=recipient)

    assert isinstance(decide(facts, now), Hold) is held


def test_critical_passes_unless_a_rule_names_it() -> None:
    now, night = utc(2026, 11, 22, 3), during("00:00", "06:00")
    ordinary, named = (
        hours(forbid=night, categories=["marketing", "transactional"]),
        hours(forbid=night, categories=["critical"]),
    )
    recipient = make_recipient(timezone="UTC")

    passed, held = (
        decide(make_facts(category=Category.CRITICAL, rules=rules, recipient=recipient), now)
        for rules in (ordinary, named)
    )

    assert isinstance(passed, Send)
    assert isinstance(held, Hold)


def test_with_several_candidates_every_clock_must_be_open() -> None:
    rules = hours(allow=during("08:00", "21:00"))
    recipient = make_recipient(timezone=None, country="ES", phone=PhoneNumber("+34612345678"))
    facts = make_facts(rules=rules, recipient=recipient)

    morning, evening = decide(facts, utc(2026, 11, 22, 7, 30)), decide(facts, utc(2026, 11, 22, 20, 30))

    assert isinstance(morning, Hold)
    assert morning.not_before == utc(2026, 11, 22, 8)
    assert morning.trace[-1].saw == {
        "origin": "settings",
        "local": "2026-11-22T07:30:00+00:00",
        "zones": ["Europe/Madrid", "Atlantic/Canary"],
        "zone_evidence": "phone",
    }
    assert isinstance(evening, Hold)
    assert evening.not_before == utc(2026, 11, 23, 8)
    assert evening.trace[-1].saw["local"] == "2026-11-22T21:30:00+01:00"
    noon = decide(facts, utc(2026, 11, 22, 12))
    assert noon.trace[-2].saw["local"] == "2026-11-22T13:00:00+01:00"


def test_the_trace_tells_why_a_day_is_closed_where_the_rule_is_valid() -> None:
    closed = {"allow": during("08:00", "20:00"), "closed_dates": ["2026-11-22"]}
    now = utc(2026, 11, 22, 12)

    valid, over = (
        decide(in_zone("UTC", hours(**closed, **validity), now), now)
        for validity in ({}, {"valid_until": "2026-11-21"})
    )

    assert valid.trace[-1].saw["closed"] == "closed_dates"
    assert isinstance(over, Send)
    assert "closed" not in over.trace[-2].saw


def test_where_nothing_tells_the_zone_the_configured_one_counts() -> None:
    now = utc(2026, 11, 22, 3)
    facts = in_zone(None, hours(forbid=during("00:00", "06:00")), now, default_timezone="Asia/Tokyo")

    assert isinstance(decide(facts, now), Send)
    assert isinstance(decide(facts, utc(2026, 11, 22, 16)), Hold)


def test_without_a_common_opening_it_is_refused_and_where_the_expiry_is_nearer_it_expires() -> None:
    # Numbers of free calls may be in 42 zones, which have no office hours in common.
    recipient = make_recipient(timezone=None, country=None, phone=PhoneNumber("+18005551234"))
    facts = make_facts(rules=hours(allow=during("09:00", "18:00")), recipient=recipient)
    now = utc(2026, 11, 22, 12)

    soon = decide(facts, now)
    late = decide(make_facts(rules=facts.rules, recipient=recipient, expires_at=now + timedelta(days=15)), now)

    assert isinstance(soon, Expire)
    assert (soon.rule, soon.reason) == ("hours", "quiet_hours")
    assert (soon.trace[-1].verdict, soon.trace[-1].saw["zone_evidence"]) == ("expire", "phone")
    assert isinstance(late, Suppress)
    assert (late.rule, late.reason, late.falls_through) == ("hours", "no_opening", True)
    assert (late.trace[-1].verdict, late.trace[-1].saw["zone_evidence"]) == ("suppress", "phone")


def test_a_hold_that_reaches_the_expiry_expires_at_once_with_the_rule_that_blocked_it() -> None:
    now = utc(2026, 11, 22, 3)
    recipient = make_recipient(timezone="UTC")

    def decided(expires_at: datetime) -> object:
        return decide(
            make_facts(rules=hours(forbid=during("00:00", "06:00")), recipient=recipient, expires_at=expires_at), now
        )

    blocked, held = decided(utc(2026, 11, 22, 6)), decided(utc(2026, 11, 22, 6, 0, 1))

    assert isinstance(blocked, Expire)
    assert (blocked.rule, blocked.reason) == ("hours", "quiet_hours")
    assert isinstance(held, Hold)


DAYS = st.sets(st.sampled_from(Weekday), min_size=1).map(lambda days: tuple(sorted(days)))
WINDOWS = st.builds(
    Window, days=DAYS | st.just(tuple(Weekday)), start=st.integers(0, 1439), end=st.integers(1, 1440)
).filter(lambda window: window.start != window.end)
FIRST, LAST = to_micros(utc(2020, 1, 1)), to_micros(utc(2035, 12, 1))
INSTANTS = st.integers(FIRST, LAST).map(from_micros)


@st.composite
def rules_near(draw: st.DrawFn, now: datetime) -> QuietHours:
    """A rule whose dates lie about this instant."""
    windows = tuple(draw(st.lists(WINDOWS, min_size=1, max_size=3)))
    days = st.integers(-2, 16).map(lambda shift: now.date() + timedelta(days=shift))
    allows = draw(st.booleans())
    first, last = draw(st.none() | days), draw(st.none() | days)
    return QuietHours(
        name="hours",
        allow=windows if allows else (),
        forbid=() if allows else windows,
        closed_dates=tuple(draw(st.lists(days, max_size=3))),
        valid_from=first,
        valid_until=last if first is None or last is None or first <= last else first,
        origin="settings",
    )


def somewhere(*zones: str) -> Whereabouts:
    return Whereabouts(zones=zones, evidence="recipient", country=None, region=None)


def found_by_rule(rule: QuietHours, zone: str, now: datetime) -> datetime | None:
    start = to_micros(now)
    found = next_opening(rule, somewhere(zone), wall_clock(zone), start, start + 14 * DAY)
    return None if found is None else from_micros(found[0])


def found_by_looking(rule: QuietHours, zones: Sequence[str], now: datetime) -> datetime | None:
    """The first minute at which every clock shows an allowed time."""
    closed = set[date](rule.closed_dates)
    every_minute = candidates(now, 14 * 24 * 60)
    return next(
        (
            at
            for at in every_minute
            if at < now + FORTNIGHT and all(is_open(rule, wall(at, zone), closed) for zone in zones)
        ),
        None,
    )


@settings(max_examples=1_000 if LONG else 40)
@given(data=st.data(), zone=st.sampled_from(pytz.all_timezones))
def test_the_hold_is_the_earliest_allowed_minute(data: st.DataObject, zone: str) -> None:
    now = data.draw(INSTANTS)
    rule = data.draw(rules_near(now))

    assert found_by_rule(rule, zone, now) == found_by_looking(rule, [zone], now)


def changes_of(zone: str) -> list[datetime]:
    """When the clocks of a zone are changed in the years under test."""
    return [from_micros(at) for at, _, _ in wall_clock(zone).spells(FIRST) if FIRST < at < LAST]


def zones_under_test() -> list[str]:
    return list(pytz.all_timezones) if LONG else list(pytz.all_timezones)[3::29]


@pytest.mark.parametrize("zone", zones_under_test())
def test_around_every_change_of_the_clocks_the_hold_is_the_earliest_allowed_minute(zone: str) -> None:
    rules = [
        QuietHours(name="hours", origin="settings", allow=(Window(start=150, end=200), Window(start=1430, end=5))),
        QuietHours(name="hours", origin="settings", forbid=(Window(start=1320, end=135), Window(start=140, end=480))),
    ]
    changes = changes_of(zone)

    for change in changes if LONG else changes[:3]:
        for before in (timedelta(hours=26), timedelta(hours=3), MINUTE, timedelta(0)):
            now = change - before
            for rule in rules:
                assert found_by_rule(rule, zone, now) == found_by_looking(rule, [zone], now)


@settings(max_examples=400 if LONG else 25)
@given(data=st.data(), zones=st.lists(st.sampled_from(pytz.all_timezones), min_size=2, max_size=4, unique=True))
def test_several_clocks_and_rules_agree_on_the_earliest_minute(data: st.DataObject, zones: list[str]) -> None:
    now = data.draw(INSTANTS)
    rule = data.draw(rules_near(now))
    start = to_micros(now)

    found = Hours(rule, somewhere(*zones)).earliest(start, start + 14 * DAY)

    assert (None if found is None else from_micros(found)) == found_by_looking(rule, zones, now)


@pytest.mark.parametrize("zones", [("Europe/Paris", "America/New_York"), ("America/New_York", "Europe/Paris")])
def test_a_remembered_opening_ends_with_the_first_clock_that_closes(zones: Sequence[str]) -> None:
    (rule,) = hours(allow=during("09:00", "21:00")).quiet_hours
    shared = Hours(rule, somewhere(*zones))

    def opens(at: datetime) -> datetime:
        found = shared.earliest(to_micros(at), to_micros(at + FORTNIGHT))
        assert found is not None
        return from_micros(found)

    assert opens(utc(2026, 11, 22, 12)) == utc(2026, 11, 22, 14)
    assert opens(utc(2026, 11, 22, 19, 59)) == utc(2026, 11, 22, 19, 59)
    assert opens(utc(2026, 11, 22, 20)) == utc(2026, 11, 23, 14)


@settings(max_examples=1_000 if LONG else 60)
@given(data=st.data(), zones=st.lists(st.sampled_from(pytz.all_timezones), min_size=1, max_size=3, unique=True))
def test_what_was_asked_before_changes_no_answer(data: st.DataObject, zones: list[str]) -> None:
    """Hours serve many people: what they remember of one instant must not show at another."""
    now = data.draw(INSTANTS)
    rule, place, start = data.draw(rules_near(now)), somewhere(*zones), to_micros(now)
    shared = Hours(rule, place)
    within = data.draw(st.sampled_from((DAY // 24, 14 * DAY)))

    for at in range(start, start + 2 * DAY, DAY // 96):
        assert shared.earliest(at, at + within) == Hours(rule, place).earliest(at, at + within)
        assert shared.saw(at) == Hours(rule, place).saw(at)
        # What is open at an instant may be asked about with a limit that lies before it.
        assert shared.earliest(at, at) is None


@settings(max_examples=2_000 if LONG else 60)
@given(data=st.data(), zone=st.sampled_from(pytz.all_timezones))
def test_nothing_goes_inside_quiet_hours(data: st.DataObject, zone: str) -> None:
    now = data.draw(INSTANTS)
    rule = data.draw(rules_near(now))
    facts = make_facts(
        rules=RuleSet(quiet_hours=(rule,)),
        category=Category.TRANSACTIONAL,
        recipient=make_recipient(timezone=zone),
        expires_at=now + timedelta(days=60),
    )
    facts_of_all = [facts, make_facts(rules=facts.rules, recipient=facts.recipient, expires_at=now + timedelta(days=2))]

    for each in facts_of_all:
        decision = decide(each, now)
        if isinstance(decision, Hold):
            assert isinstance(decide(each, decision.not_before), Send)
            assert now < decision.not_before < each.expires_at
        if isinstance(decision, Send | Hold) and rule.speaks_of(each.channel, each.category, each.topic):
            goes = now if isinstance(decision, Send) else decision.not_before
            assert is_open(rule, wall(goes, zone), set(rule.closed_dates))


def test_openings_come_in_order_and_each_is_found_from_the_one_before() -> None:
    rule = QuietHours(name="hours", origin="settings", allow=(Window(start=540, end=600),))
    openings = [utc(2026, 11, 22, 10, 1)]
    for _ in range(5):
        found = found_by_rule(rule, "UTC", openings[-1] + timedelta(hours=1))
        assert found is not None
        openings.append(found)

    assert [second - first for first, second in pairwise(openings[1:])] == [timedelta(days=1)] * 4
