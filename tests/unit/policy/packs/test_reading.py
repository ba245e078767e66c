"""Every pack that ships can be meant, and says where each of its lines comes from."""

import re
from datetime import date, timedelta
from itertools import pairwise

import phonenumbers
import pytest
import pytz

from gateway.domain.preferences import Category
from gateway.domain.rules import FrequencyCap, QuietHours, Window
from gateway.errors import ConfigurationError
from gateway.policy.packs.reading import Confidence, Pack, PackLine, load_packs, read_pack

PACKS = load_packs()
LINES = [line for pack in PACKS.values() for line in pack.lines]
STATES_THAT_DIFFER = (
    "FL OK WA CT TX MD MA NJ MS LA AL NV KY MI MN NM IL RI PA".split()  # noqa: SIM905
)
DAY = timedelta(days=1)

GOOD = """\
country = "FR"
name = "France"
as_of = "2026-11-22"
notice = "Not legal advice."

[[quiet_hours]]
name = "fr-sms"
channels = ["sms"]
allow = [{from = "08:00", to = "22:00"}]
source = "a charter"
as_of = "2026-11-22"
confidence = "high"

[[frequency_caps]]
name = "fr-3-a-day"
limit = 3
per = "day"
regions = ["FR-75"]
source = "a decree"
as_of = "2026-11-22"
confidence = "low"
"""


def windows(line: PackLine) -> tuple[Window, ...]:
    return line.rule.allow + line.rule.forbid if isinstance(line.rule, QuietHours) else ()


def test_thirty_countries_and_more_have_a_pack() -> None:
    assert len(PACKS) >= 30
    assert set(PACKS) <= set(pytz.country_names)


def test_every_state_that_differs_from_the_federal_hours_has_a_rule_of_its_own() -> None:
    regions = {region for line in PACKS["US"].lines for region in line.regions}

    assert regions >= {f"US-{state}" for state in STATES_THAT_DIFFER}


@pytest.mark.parametrize("pack", PACKS.values(), ids=lambda pack: pack.country)
def test_every_pack_says_that_it_is_no_legal_advice(pack: Pack) -> None:
    assert pack.notice == "Not legal advice."
    assert pack.as_of >= date(2026, 1, 1)
    assert pack.lines


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.rule.name)
def test_every_line_has_a_source_a_date_and_a_confidence(line: PackLine) -> None:
    assert len(line.source) > 10
    assert date(2020, 1, 1) <= line.as_of <= date(2026, 11, 22)
    assert line.confidence in set(Confidence)
    assert line.confidence is Confidence.LOW or "default" not in line.source


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.rule.name)
def test_every_line_is_for_its_country_and_marketing_alone(line: PackLine) -> None:
    assert line.rule.categories == (Category.MARKETING,)
    assert line.rule.origin == f"pack:{line.country}"
    assert all(re.fullmatch(rf"{line.country}-[A-Z0-9]{{1,3}}", region) for region in line.regions)
    if isinstance(line.rule, QuietHours):
        assert line.rule.countries == (line.country,)


@pytest.mark.parametrize("line", [one for one in LINES if windows(one)], ids=lambda line: line.rule.name)
def test_windows_are_of_the_day_and_leave_room(line: PackLine) -> None:
    for window in windows(line):
        assert not window.wraps
        assert 6 * 60 <= window.start < window.end <= 22 * 60
        assert window.end - window.start >= 4 * 60
    for one, other in pairwise(windows(line)):
        assert not set(one.days) & set(other.days)


@pytest.mark.parametrize("line", [one for one in LINES if isinstance(one.rule, FrequencyCap)], ids=str)
def test_caps_wait_and_lose_nothing(line: PackLine) -> None:
    assert isinstance(line.rule, FrequencyCap)
    assert line.rule.over == "defer"
    assert line.rule.per in (DAY, "day")


def test_names_of_rules_are_told_apart_over_all_packs() -> None:
    names = [line.rule.name for line in LINES]

    assert len(names) == len(set(names))


def test_countries_with_a_pack_can_be_told_from_a_number() -> None:
    assert {country for country in PACKS if phonenumbers.country_code_for_region(country) == 0} == set()


def test_a_line_carries_what_stands_in_its_pack() -> None:
    pack = read_pack("FR", GOOD)

    hours, cap = pack.lines
    assert (pack.name, pack.as_of) == ("France", date(2026, 11, 22))
    assert (hours.source, hours.confidence, hours.regions) == ("a charter", "high", ())
    assert (cap.source, cap.confidence, cap.regions) == ("a decree", "low", ("FR-75",))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('source = "a charter"', "", "FR fr-sms: source must be said"),
        ('source = "a decree"', 'source = " "', "FR fr-3-a-day: source must be said"),
        ('confidence = "high"', 'confidence = "certain"', "confidence is one of high, medium, low"),
        ('as_of = "2026-11-22"\nconfidence = "low"', 'confidence = "low"', "as_of must be a date"),
        ('notice = "Not legal advice."', "", "it must say as its notice"),
        ('country = "FR"', 'country = "DE"', "it is the pack of 'DE'"),
        ('name = "fr-sms"', 'name = "sms"', "its name must begin with fr-"),
        ('regions = ["FR-75"]', 'regions = ["US-TX"]', "'US-TX' is no ISO 3166-2 region of it"),
        ('from = "08:00"', 'from = "22:00"', "begins and ends at one time"),
        ('channels = ["sms"]', 'channels = ["fax"]', "/quiet_hours/0/channels/0"),
        ("limit = 3", "limit = 3\nhours = 1", "/frequency_caps/0/hours"),
        ('name = "France"', 'name = "France"\nlaw = "x"', "there is no such key: law"),
        ('name = "France"', 'name = "France', "country pack FR: "),
        ("[[quiet_hours]]", "[quiet_hours]", "quiet_hours must be tables"),
    ],
)
def test_a_pack_that_cannot_be_meant_is_refused_by_name(right: str, wrong: str, told: str) -> None:
    assert right in GOOD

    with pytest.raises(ConfigurationError) as refused:
        read_pack("FR", GOOD.replace(right, wrong, 1) if wrong != "[quiet_hours]" else GOOD.replace(right, wrong))

    assert told in refused.value.message
    assert refused.value.message.startswith("country pack FR")


def test_packs_read_the_same_whenever_they_are_read() -> None:
    assert load_packs() == PACKS
