"""Reading rules: what the contract shows is understood, and every wrong key is named with what would be right."""

import tomllib
from datetime import date, timedelta

import pytest

from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rule_tables import WrongRules, parse_rules
from gateway.domain.rules import (
    EVERY_DAY,
    Calendar,
    FrequencyCap,
    Holidays,
    Over,
    QuietHours,
    RuleSet,
    Weekday,
    Window,
)

AS_IN_THE_CONTRACT = """
[[quiet_hours]]
name = "us-texas"
channels = ["sms"]
categories = ["marketing"]
topics = []
countries = ["US"]
regions = ["US-TX"]
allow = [{days = ["mon", "tue", "wed", "thu", "fri", "sat"], from = "09:00", to = "21:00"},
         {days = ["sun"], from = "12:00", to = "24:00"}]
holidays = "closed"
closed_dates = ["2026-11-04", 2025-12-24]
valid_from = "2025-09-01"
valid_until = 2030-01-01
source = "a law"; confidence = "high"
[[frequency_caps]]
name = "offers"
limit = 3
per = "24h"
channels = ["sms", "push"]; categories = ["marketing"]; topics = ["offers"]
over = "next_channel"
"""


def test_rules_are_read_as_the_contract_writes_them() -> None:
    rules = parse_rules(tomllib.loads(AS_IN_THE_CONTRACT.replace('"; ', '"\n').replace("]; ", "]\n")), "settings")

    assert rules == RuleSet(
        quiet_hours=(
            QuietHours(
                name="us-texas",
                channels=(Channel.SMS,),
                categories=(Category.MARKETING,),
                countries=("US",),
                regions=("US-TX",),
                allow=(
                    Window(days=EVERY_DAY[:6], start=9 * 60, end=21 * 60),
                    Window(days=(Weekday.SUN,), start=12 * 60, end=24 * 60),
                ),
                holidays=Holidays.CLOSED,
                closed_dates=(date(2025, 12, 24), date(2026, 11, 4)),
                valid_from=date(2025, 9, 1),
                valid_until=date(2030, 1, 1),
                source="a law",
                confidence="high",
                origin="settings",
            ),
        ),
        frequency_caps=(
            FrequencyCap(
                name="offers",
                limit=3,
                per=timedelta(hours=24),
                channels=(Channel.SMS, Channel.PUSH),
                categories=(Category.MARKETING,),
                topics=("offers",),
                over=Over.NEXT_CHANNEL,
                origin="settings",
            ),
        ),
    )


def test_what_is_left_out_is_every_channel_marketing_and_every_place() -> None:
    rules = parse_rules(
        {
            "quiet_hours": [{"name": "night", "forbid": [{"from": "22:00", "to": "08:00"}]}],
            "frequency_caps": [{"name": "daily", "limit": 1, "per": "day"}],
        },
        "request",
    )

    assert rules.quiet_hours == (
        QuietHours(name="night", forbid=(Window(start=22 * 60, end=8 * 60),), origin="request"),
    )
    assert rules.quiet_hours[0].forbid[0].wraps
    assert rules.frequency_caps == (FrequencyCap(name="daily", limit=1, per=Calendar.DAY, origin="request"),)


NIGHT = {"name": "night", "forbid": [{"from": "22:00", "to": "08:00"}]}
CAP = {"name": "daily", "limit": 1, "per": "day"}


@pytest.mark.parametrize(
    ("rule", "pointer", "code"),
    [
        ({**NIGHT, "name": " "}, "/name", "missing"),
        ({"forbid": NIGHT["forbid"]}, "/name", "missing"),
        ({**NIGHT, "name": 7}, "/name", "wrong_type"),
        ({**NIGHT, "name": "x" * 101}, "/name", "too_long"),
        ({**NIGHT, "topics": ["x"] * 201}, "/topics", "too_long"),
        ({**NIGHT, "closed_dates": ["2026-W01-1"]}, "/closed_dates/0", "wrong_format"),
        ({**NIGHT, "chanels": ["sms"]}, "/chanels", "unknown_key"),
        ({**NIGHT, "a/b~": 1}, "/a~1b~0", "unknown_key"),
        ({**NIGHT, "channels": ["fax"]}, "/channels/0", "unknown_word"),
        ({**NIGHT, "channels": "sms"}, "/channels", "wrong_type"),
        ({**NIGHT, "categories": ["marketing", 3]}, "/categories/1", "unknown_word"),
        ({**NIGHT, "topics": [""]}, "/topics/0", "wrong_type"),
        ({**NIGHT, "countries": ["UK"]}, "/countries/0", "unknown_code"),
        ({**NIGHT, "countries": ["fr"]}, "/countries/0", "unknown_code"),
        ({**NIGHT, "regions": ["US-TEXAS"]}, "/regions/0", "unknown_code"),
        ({**NIGHT, "regions": ["XX-1"]}, "/regions/0", "unknown_code"),
        ({**NIGHT, "countries": ["FR"], "regions": ["US-TX"]}, "/regions/0", "unknown_code"),
        ({**NIGHT, "allow": NIGHT["forbid"]}, "/allow", "one_of"),
        ({"name": "x"}, "/allow", "one_of"),
        ({"name": "x", "allow": []}, "/allow", "one_of"),
        ({"name": "x", "allow": ["09:00"]}, "/allow/0", "wrong_type"),
        ({"name": "x", "allow": [{"from": "09:00", "to": "09:00"}]}, "/allow/0/to", "empty_window"),
        ({"name": "x", "allow": [{"from": "00:00", "to": "00:00"}]}, "/allow/0/to", "empty_window"),
        ({"name": "x", "allow": [{"from": "24:00", "to": "09:00"}]}, "/allow/0/from", "out_of_range"),
        ({"name": "x", "allow": [{"from": "9:00", "to": "10:00"}]}, "/allow/0/from", "wrong_format"),
        ({"name": "x", "allow": [{"from": "09:00", "to": "24:01"}]}, "/allow/0/to", "wrong_format"),
        ({"name": "x", "allow": [{"from": "09:00"}]}, "/allow/0/to", "missing"),
        ({"name": "x", "allow": [{"from": "09:00", "to": 10}]}, "/allow/0/to", "wrong_format"),
        ({"name": "x", "allow": [{"from": "09:00", "to": "10:00", "day": "mon"}]}, "/allow/0/day", "unknown_key"),
        (
            {"name": "x", "allow": [{"from": "09:00", "to": "10:00", "days": ["monday"]}]},
            "/allow/0/days/0",
            "unknown_word",
        ),
        ({"name": "x", "allow": [{"from": "09:00", "to": "10:00", "days": []}]}, "/allow/0/days", "too_short"),
        ({**NIGHT, "holidays": "shut"}, "/holidays", "unknown_word"),
        ({**NIGHT, "closed_dates": ["2026-02-30"]}, "/closed_dates/0", "wrong_format"),
        ({**NIGHT, "closed_dates": ["20260228"]}, "/closed_dates/0", "wrong_format"),
        ({**NIGHT, "valid_from": "tomorrow"}, "/valid_from", "wrong_format"),
        ({**NIGHT, "valid_from": 3}, "/valid_from", "wrong_format"),
        ({**NIGHT, "valid_from": "2026-02-02", "valid_until": "2026-02-01"}, "/valid_until", "out_of_order"),
    ],
)
def test_a_wrong_key_of_quiet_hours_is_named(rule: dict[str, object], pointer: str, code: str) -> None:
    with pytest.raises(WrongRules) as refused:
        parse_rules({"quiet_hours": [rule]}, "settings")

    assert (f"/quiet_hours/0{pointer}", code) in [(one.pointer, one.code) for one in refused.value.problems]
    assert all(one.message.endswith((".", "…].")) for one in refused.value.problems)


@pytest.mark.parametrize(
    ("rule", "pointer", "code"),
    [
        ({**CAP, "limit": 0}, "/limit", "out_of_range"),
        ({**CAP, "limit": 1_001}, "/limit", "out_of_range"),
        ({**CAP, "limit": True}, "/limit", "out_of_range"),
        ({**CAP, "limit": "3"}, "/limit", "out_of_range"),
        ({"name": "daily", "per": "day"}, "/limit", "out_of_range"),
        ({**CAP, "per": "year"}, "/per", "wrong_format"),
        ({**CAP, "per": "0h"}, "/per", "wrong_format"),
        ({**CAP, "per": "367d"}, "/per", "wrong_format"),
        ({**CAP, "per": 24}, "/per", "wrong_format"),
        ({**CAP, "per": "999999999w"}, "/per", "wrong_format"),
        ({**CAP, "over": "queue"}, "/over", "unknown_word"),
        ({**CAP, "allow": []}, "/allow", "unknown_key"),
    ],
)
def test_a_wrong_key_of_a_cap_is_named(rule: dict[str, object], pointer: str, code: str) -> None:
    with pytest.raises(WrongRules) as refused:
        parse_rules({"frequency_caps": [rule]}, "settings")

    assert [(one.pointer, one.code) for one in refused.value.problems] == [(f"/frequency_caps/0{pointer}", code)]
    assert refused.value.problems[0].message.endswith(".")


@pytest.mark.parametrize(("code", "hint"), [("UK", True), ("EU", False)])
def test_a_common_mistake_about_a_country_is_told(code: str, hint: bool) -> None:
    with pytest.raises(WrongRules) as refused:
        parse_rules({"quiet_hours": [{**NIGHT, "countries": [code]}]}, "settings")

    told = refused.value.problems[0].message
    assert told == f"{code!r} is no ISO 3166-1 alpha-2 country code, such as FR." + " The United Kingdom is GB." * hint


def test_the_largest_cap_is_taken() -> None:
    rules = parse_rules({"frequency_caps": [{**CAP, "limit": 1_000, "per": "366d"}]}, "settings")

    assert (rules.frequency_caps[0].limit, rules.frequency_caps[0].per) == (1_000, timedelta(days=366))


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(WrongRules) as refused:
        parse_rules({"quiet_hours": [NIGHT, {**NIGHT, "holidays": 1}], "frequency_caps": {}, "caps": []}, "settings")

    assert [one.pointer for one in refused.value.problems] == [
        "/quiet_hours/1/holidays",
        "/frequency_caps",
        "/caps",
        "/quiet_hours/1/name",
    ]
    assert str(refused.value).startswith("/quiet_hours/1/holidays: Give one of open, closed.; ")


def test_a_window_until_midnight_ends_with_the_day() -> None:
    rules = parse_rules({"quiet_hours": [{"name": "x", "allow": [{"from": "20:00", "to": "00:00"}]}]}, "settings")

    assert rules.quiet_hours[0].allow == (Window(start=20 * 60, end=24 * 60),)


@pytest.mark.parametrize(
    ("categories", "category", "counted"),
    [
        ((), Category.CRITICAL, False),
        ((), Category.TRANSACTIONAL, True),
        ((Category.CRITICAL,), Category.CRITICAL, True),
        ((Category.CRITICAL,), Category.MARKETING, False),
    ],
)
def test_a_cap_counts_critical_only_where_it_names_it(
    categories: tuple[Category, ...], category: Category, counted: bool
) -> None:
    cap = FrequencyCap(name="x", limit=1, per=Calendar.DAY, categories=categories, origin="settings")

    assert cap.speaks_of(Channel.SMS, category, None) is counted


def test_a_persons_own_cap_has_a_counter_of_its_own() -> None:
    own, ours = (
        FrequencyCap(name="x", limit=1, per=Calendar.DAY, origin=origin) for origin in ("recipient", "settings")
    )

    assert (own.counter, ours.counter) == ("own:x", "x")


def test_of_a_rule_set_those_are_taken_that_speak_of_the_message() -> None:
    night = QuietHours(name="night", channels=(Channel.SMS,), topics=("offers",), origin="settings")
    cap = FrequencyCap(name="daily", limit=1, per=Calendar.DAY, channels=(Channel.EMAIL,), origin="settings")
    rules = RuleSet(quiet_hours=(night,)).joined(RuleSet(frequency_caps=(cap,))).joined(RuleSet())

    assert rules.speaking_of(Channel.SMS, Category.MARKETING, "offers") == RuleSet(quiet_hours=(night,))
    assert rules.speaking_of(Channel.EMAIL, Category.MARKETING, "news") == RuleSet(frequency_caps=(cap,))
    assert not rules.speaking_of(Channel.SMS, Category.MARKETING, "news")
    assert not RuleSet().speaking_of(Channel.SMS, Category.MARKETING, "news")
