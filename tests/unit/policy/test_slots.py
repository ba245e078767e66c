"""Which slots a delivery needs: what the store counts by agrees with the decision, however many take slots at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.decisions import Facts, Send
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rules import Calendar, FrequencyCap, RuleSet
from gateway.domain.slots import SlotNeed
from gateway.domain.values import replace
from gateway.policy.frequency import next_slot
from gateway.policy.gate import decide
from gateway.policy.slots import slot_need
from gateway.policy.wall_clocks import wall_clocks
from gateway.policy.zones import locate
from tests.factories import NOW, make_facts, make_recipient

DAY = timedelta(days=1)
ZONES = ("America/Toronto", "Asia/Kathmandu", "Pacific/Apia", "Africa/Cairo", "Australia/Lord_Howe")


def cap(per: timedelta | Calendar = DAY, limit: int = 3) -> FrequencyCap:
    return FrequencyCap(name="offers", limit=limit, per=per, origin="settings")


def need(
    rule: FrequencyCap, used: list[datetime], kept: list[datetime], now: datetime = NOW, zone: str = ZONES[0]
) -> SlotNeed:
    """What a delivery needs that goes at `now`."""
    taken, waiting = (tuple([to_micros(at) for at in instants]) for instants in (used, kept))
    return slot_need(
        rule, taken, waiting, wall_clocks(locate(make_recipient(timezone=zone), "UTC").zones), to_micros(now)
    )


def slots_of(facts: Facts) -> tuple[SlotNeed, ...]:
    """What the gate says that a delivery needs which it lets go."""
    decision = decide(facts, NOW)
    assert isinstance(decision, Send)
    return decision.slots


def test_no_cap_needs_no_slot() -> None:
    assert slots_of(make_facts()) == ()
    assert slots_of(make_facts(rules=RuleSet(frequency_caps=(replace(cap(), topics=("other",)),)))) == ()


@pytest.mark.parametrize(
    ("about", "speaks"),
    [
        ({"channels": (Channel.EMAIL,)}, True),
        ({"channels": (Channel.SMS,)}, False),
        ({"categories": (Category.TRANSACTIONAL,)}, True),
        ({"categories": (Category.MARKETING,)}, False),
        ({"topics": ("orders",)}, True),
        ({"topics": ("offers",)}, False),
    ],
)
def test_a_cap_asks_for_a_slot_where_it_speaks_of_the_delivery(about: dict[str, Any], speaks: bool) -> None:
    rules = RuleSet(frequency_caps=(replace(cap(), **about),))

    assert [one.counter for one in slots_of(make_facts(rules=rules))] == (["offers"] if speaks else [])


def test_of_whom_no_zone_is_known_the_days_are_those_of_the_default() -> None:
    nobody = make_recipient(timezone=None, country=None, region=None, phone=None)
    facts = make_facts(
        recipient=nobody, rules=RuleSet(frequency_caps=(cap(Calendar.DAY),)), default_timezone="Asia/Tokyo"
    )

    (found,) = slots_of(facts)

    assert from_micros(found.counted_from).astimezone(pytz.timezone("Asia/Tokyo")).hour == 0


def test_a_window_counts_from_just_after_its_length_ago() -> None:
    found = need(cap(), [NOW - DAY], [])

    assert (found.counter, found.limit, found.most) == ("offers", 3, 3)
    assert found.counted_from == to_micros(NOW - DAY) + 1
    assert found.kept_for == DAY // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("per", "begins"),
    [
        (Calendar.DAY, datetime.fromisoformat("2026-11-22T00:00-05:00")),
        (Calendar.WEEK, datetime.fromisoformat("2026-11-16T00:00-05:00")),
        (Calendar.MONTH, datetime.fromisoformat("2026-11-01T00:00-04:00")),
    ],
)
def test_a_calendar_counts_from_the_first_instant_of_the_persons_own_period(per: Calendar, begins: datetime) -> None:
    assert need(cap(per), [], []).counted_from == to_micros(begins)


def test_slots_kept_for_others_leave_less_room() -> None:
    assert need(cap(), [NOW], [NOW + timedelta(hours=1)]).most == 2
    assert need(cap(), [NOW], [NOW + 2 * DAY]).most == 3


instants = st.lists(st.integers(-80, 80).map(lambda hours: NOW + timedelta(hours=hours)), max_size=4)


@given(
    per=st.sampled_from([DAY, timedelta(hours=1), timedelta(days=7), *Calendar]),
    limit=st.integers(1, 4),
    used=instants,
    kept=instants,
    zone=st.sampled_from(ZONES),
)
@settings(max_examples=150)
def test_the_store_lets_exactly_as_many_go_as_the_cap_has_room_for(
    per: timedelta | Calendar, limit: int, used: list[datetime], kept: list[datetime], zone: str
) -> None:
    rule = cap(per, limit)
    used, kept = [at for at in used if at <= NOW], [at for at in kept if at >= NOW]
    clocks, now = wall_clocks(locate(make_recipient(timezone=zone), "UTC").zones), to_micros(NOW)
    taken = [to_micros(at) for at in (*used, *kept)]
    room = 0
    while next_slot(rule, [*taken, *[now] * room], clocks, now) == now:
        room += 1

    found = need(rule, used, kept, zone=zone)

    counted = sum(to_micros(at) >= found.counted_from for at in used)
    assert max(found.most - counted, 0) == room
