"""What people ask for in the preference centre, and the rules that it becomes."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.own_rules import NO_WISHES, Frequency, Wishes, own_rules, wishes_json, wishes_of
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, Recipient
from gateway.domain.rules import RECIPIENT, Calendar, Weekday, Window

DAYS = st.sets(st.sampled_from(list(Weekday)), min_size=1).map(lambda days: tuple(sorted(days)))
WINDOWS = st.builds(Window, days=DAYS, start=st.integers(0, 1439), end=st.integers(1, 1440)).filter(
    lambda window: window.start != window.end
)
WISHES = st.builds(
    Wishes,
    quiet=st.none() | WINDOWS,
    frequency=st.none() | st.builds(Frequency, limit=st.integers(1, 99), per=st.sampled_from(list(Calendar))),
    break_until=st.none() | st.dates(date(2026, 1, 1), date(2035, 12, 31)),
    timezone=st.none() | st.sampled_from(["Europe/Paris", "Asia/Kathmandu"]),
)


@given(WISHES)
def test_what_is_kept_is_what_was_wished(wishes: Wishes) -> None:
    assert wishes_of(wishes_json(wishes)) == wishes


@given(WISHES)
def test_wishes_become_rules_of_the_person_that_speak_of_marketing_alone(wishes: Wishes) -> None:
    rules = own_rules(wishes_json(wishes))

    origins = [rule.origin for rule in rules.quiet_hours] + [cap.origin for cap in rules.frequency_caps]
    assert set(origins) <= {RECIPIENT}
    assert bool(rules) is any((wishes.quiet, wishes.frequency, wishes.break_until))
    assert not rules.speaking_of(Channel.SMS, Category.TRANSACTIONAL, None)
    assert not rules.speaking_of(Channel.SMS, Category.CRITICAL, None)


def test_who_wishes_nothing_keeps_nothing() -> None:
    assert wishes_json(NO_WISHES) is None
    assert wishes_of(None) == NO_WISHES


def test_the_own_zone_stands_above_what_a_caller_says() -> None:
    person = Recipient(timezone="Europe/Berlin", preferences={"timezone": "Asia/Tokyo"})

    assert person.overlaid(Recipient(timezone="America/New_York")).timezone == "Asia/Tokyo"
