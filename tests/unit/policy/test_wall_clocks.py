"""Wall clocks agree with zoneinfo: pytz's tables and the package tzdata are one release of one database."""

import os
from datetime import UTC, datetime, timedelta

import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.instants import from_micros, to_micros
from gateway.policy.wall_clocks import NEVER, wall_clock, wall_clocks
from tests.unit.policy.clock_oracle import iana_zone, utc, wall

FIRST, LAST = utc(2020, 1, 1), utc(2036, 1, 1)
INSTANTS = st.integers(to_micros(FIRST), to_micros(LAST)).map(from_micros)
SECOND = timedelta(seconds=1)


def zones() -> list[str]:
    """Every zone, or a few of each kind in a short run."""
    everyone = list(pytz.all_timezones)
    return everyone if os.environ.get("HELIOGRAPH_LONG") else everyone[::7]


def shown(zone: str, instant: datetime) -> datetime:
    return from_micros(wall_clock(zone).wall(to_micros(instant))).replace(tzinfo=None)


@pytest.mark.parametrize("zone", zones())
def test_clocks_show_what_zoneinfo_shows_at_each_change_and_just_before(zone: str) -> None:
    changes = [begin for begin, _, _ in wall_clock(zone).spells(to_micros(FIRST)) if begin < to_micros(LAST)]
    around = [from_micros(change) + shift for change in changes for shift in (-SECOND, timedelta(0), SECOND)]

    assert [shown(zone, at) for at in around] == [wall(at, zone) for at in around]


@given(instant=INSTANTS, zone=st.sampled_from(pytz.all_timezones))
def test_clocks_show_what_zoneinfo_shows(instant: datetime, zone: str) -> None:
    assert shown(zone, instant) == wall(instant, zone)
    assert wall_clock(zone).shown(to_micros(instant)) == instant.astimezone(iana_zone(zone)).isoformat()


@given(instant=INSTANTS, zone=st.sampled_from(pytz.all_timezones), ahead=st.integers(0, 10_000))
def test_the_first_instant_at_a_wall_time_is_the_first(instant: datetime, zone: str, ahead: int) -> None:
    clock, start = wall_clock(zone), to_micros(instant)
    target = clock.wall(start) + ahead * 60_000_000

    found = clock.first_at(target, start)

    assert clock.wall(found) >= target
    assert found == start or clock.wall(found - 1) < target


def test_a_wall_time_that_an_overlap_puts_off_is_found_after_it() -> None:
    # In Berlin three o'clock becomes two: the first pass never shows three.
    midnight, three = utc(2026, 10, 25), to_micros(utc(2026, 10, 25, 3))

    assert from_micros(wall_clock("Europe/Berlin").first_at(three, to_micros(midnight))) == utc(2026, 10, 25, 2)


def test_spells_follow_each_other_without_a_gap_to_the_end_of_time() -> None:
    spells = list(wall_clock("Europe/Paris").spells(to_micros(utc(2036, 7, 1))))

    assert spells[0][0] == to_micros(utc(2036, 7, 1))
    assert [end for _, end, _ in spells[:-1]] == [begin for begin, _, _ in spells[1:]]
    assert spells[-1][1] == NEVER


def test_instants_survive_the_way_to_numbers_and_back() -> None:
    at = datetime(2026, 11, 22, 7, 30, 1, 999_999, tzinfo=UTC)

    assert from_micros(to_micros(at)) == at


def test_of_clocks_that_agree_one_is_asked() -> None:
    zones = ("America/New_York", "America/Detroit", "America/Chicago", "America/Indiana/Knox", "Pacific/Honolulu")

    assert [clock.zone for clock in wall_clocks(zones)] == ["America/New_York", "America/Chicago", "Pacific/Honolulu"]


@pytest.mark.parametrize("country", ["US", "AU", "RU", "AQ"])
def test_the_clocks_that_are_asked_show_whatever_any_zone_of_the_country_shows(country: str) -> None:
    names = tuple(pytz.country_timezones[country])
    instants = [FIRST + timedelta(days=11, hours=5) * number for number in range(500)]

    for at in map(to_micros, instants):
        assert {clock.wall(at) for clock in wall_clocks(names)} == {wall_clock(name).wall(at) for name in names}
