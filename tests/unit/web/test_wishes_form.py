"""The fields of the preference centre that are about hours, frequency and a break."""

from datetime import date, timedelta

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.own_rules import NO_WISHES, Frequency, Wishes
from gateway.domain.rules import Calendar, Weekday, Window
from gateway.web.public.menus import timezones, weekdays
from gateway.web.public.wishes_form import Fields, WrongWish, fields_of, has_wishes, read_wishes

TODAY = date(2026, 11, 22)
DAYS = st.sets(st.sampled_from(list(Weekday)), min_size=1).map(lambda days: tuple(sorted(days)))
WISHES = st.builds(
    Wishes,
    quiet=st.none()
    | st.builds(Window, days=DAYS, start=st.integers(0, 1439), end=st.integers(1, 1440)).filter(
        lambda window: window.start != window.end % 1440
    ),
    frequency=st.none() | st.builds(Frequency, limit=st.integers(1, 99), per=st.sampled_from(list(Calendar))),
    break_until=st.none() | st.dates(TODAY, TODAY + timedelta(days=30)),
    timezone=st.none() | st.just("Asia/Kathmandu"),
)


def posted(fields: Fields) -> dict[str, list[str]]:
    """What a browser sends of the form as it is shown."""
    return {
        "limit": [fields.limit],
        "per": [fields.per],
        "start": [fields.start],
        "end": [fields.end],
        "day": [str(day) for day in sorted(fields.days)],
        "timezone": [fields.timezone],
        "pause": [fields.pause],
    }


@given(WISHES)
def test_a_form_that_is_sent_back_as_shown_changes_nothing(wishes: Wishes) -> None:
    assert read_wishes(posted(fields_of(wishes, TODAY)), wishes, TODAY) == wishes


@given(st.dictionaries(st.sampled_from(sorted(posted(Fields()))), st.lists(st.text(max_size=8), max_size=3)))
def test_whatever_is_posted_is_read_or_refused(form: dict[str, list[str]]) -> None:
    try:
        wishes = read_wishes(form, NO_WISHES, TODAY)
    except WrongWish:
        return
    assert isinstance(wishes, Wishes)


def test_a_break_begins_today_and_one_that_is_over_is_not_shown() -> None:
    wishes = read_wishes({"pause": ["14"]}, NO_WISHES, TODAY)

    assert wishes.break_until == date(2026, 12, 6)
    assert fields_of(wishes, date(2026, 12, 7)) == Fields()


def test_no_day_means_every_day_and_midnight_ends_one() -> None:
    wishes = read_wishes({"start": ["22:00"], "end": ["00:00"]}, NO_WISHES, TODAY)

    assert wishes.quiet == Window(start=1320, end=1440)


def test_a_mail_programs_click_says_nothing_of_wishes() -> None:
    assert not has_wishes({"List-Unsubscribe": ["One-Click"]})


@pytest.mark.parametrize("tag", ["en", "ar", "he", "ja", "pt_BR", "zh_Hant"])
def test_menus_are_whole_in_every_language(tag: str) -> None:
    locale = Locale.parse(tag)

    zones = dict(timezones(locale))

    assert sorted(day for day, _ in weekdays(locale)) == list(range(7))
    assert {"Europe/Paris", "Asia/Kolkata", "America/New_York", "UTC"} <= set(zones)
    assert all(zones.values())
    assert len(set(zones.values())) == len(zones)
