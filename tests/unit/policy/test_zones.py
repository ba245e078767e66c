"""Where a person is, by evidence: the contract's order, candidates, aliases, and the tables of regions."""

import tomllib
from importlib.resources import files

import pytest
import pytz

from gateway.domain.recipients import PhoneNumber, Recipient
from gateway.policy.regions import region_of_number, zones_of_region
from gateway.policy.zones import current_name, distinct, locate
from tests.unit.policy.clock_oracle import iana_zone

PARIS = PhoneNumber("+33612345678")
DALLAS = PhoneNumber("+12145551234")
MUMBAI = PhoneNumber("+919876543210")
ALMATY = PhoneNumber("+77012345678")
FREEPHONE = PhoneNumber("+18005551234")
SATELLITE = PhoneNumber("+881612345678")


@pytest.mark.parametrize(
    ("known", "evidence", "zones"),
    [
        pytest.param({}, "default", ["Asia/Tokyo"], id="nothing is known"),
        pytest.param({"phone": SATELLITE}, "default", ["Asia/Tokyo"], id="a number of no country"),
        pytest.param(
            {"timezone": "America/Toronto", "country": "FR", "region": "FR-75", "phone": MUMBAI},
            "recipient",
            ["America/Toronto"],
            id="their own zone beats all",
        ),
        pytest.param(
            {"country": "US", "region": "US-TX", "phone": PARIS},
            "region",
            ["America/Chicago", "America/Denver"],
            id="the region of the address beats the number",
        ),
        pytest.param({"region": "US-HI"}, "region", ["Pacific/Honolulu"], id="a region tells its country"),
        pytest.param({"region": "FR-75", "phone": MUMBAI}, "region", ["Europe/Paris"], id="a country of one zone"),
        pytest.param({"country": "FR", "region": "FR-RE"}, "region", ["Indian/Reunion"], id="a region far away"),
        pytest.param({"country": "ES", "region": "ES-AN"}, "region", ["Europe/Madrid"], id="the rest of a country"),
        pytest.param(
            {"country": "US", "region": "US-ZZ", "phone": DALLAS}, "phone", ["America/Chicago"], id="no region"
        ),
        pytest.param({"phone": DALLAS}, "phone", ["America/Chicago"], id="the number alone"),
        pytest.param({"country": "US", "phone": DALLAS}, "phone", ["America/Chicago"], id="number and country agree"),
        pytest.param(
            {"country": "KZ", "phone": ALMATY},
            "phone",
            ["Asia/Almaty", "Asia/Aqtobe"],
            id="narrowed by the country",
        ),
        pytest.param({"country": "FR", "phone": DALLAS}, "phone", ["America/Chicago"], id="where they share none"),
        pytest.param({"country": "IN", "phone": MUMBAI}, "phone", ["Asia/Kolkata"], id="aliases are one zone"),
        pytest.param({"country": "GB", "phone": SATELLITE}, "country", ["Europe/London"], id="the country"),
        pytest.param(
            {"country": "PT"}, "country", ["Europe/Lisbon", "Atlantic/Madeira", "Atlantic/Azores"], id="all of it"
        ),
        pytest.param({"timezone": "Asia/Calcutta"}, "recipient", ["Asia/Kolkata"], id="an alias by its name of today"),
        pytest.param({"timezone": "Europe/Stockholm"}, "recipient", ["Europe/Stockholm"], id="a country's own name"),
    ],
)
def test_the_best_evidence_names_the_candidates(known: dict[str, object], evidence: str, zones: list[str]) -> None:
    place = locate(Recipient(**known), "Asia/Tokyo")  # type: ignore[arg-type]

    assert (place.evidence, list(place.zones)) == (evidence, zones)


def test_a_country_that_follows_from_the_number_does_not_narrow_it() -> None:
    derived, given = (locate(Recipient(phone=ALMATY, country=country), "UTC") for country in (None, "KZ"))

    assert derived.country == given.country == "KZ"
    assert "Europe/Moscow" in derived.zones
    assert "Europe/Moscow" not in given.zones


def test_a_free_number_may_be_anywhere_that_its_code_reaches() -> None:
    place = locate(Recipient(phone=FREEPHONE), "UTC")

    assert {"Pacific/Guam", "America/St_Johns", "America/New_York", "Pacific/Pago_Pago"} <= set(place.zones)
    assert place.region is None


@pytest.mark.parametrize(
    ("known", "country", "region"),
    [
        pytest.param({"phone": DALLAS}, "US", "US-TX", id="by the area code"),
        pytest.param({"country": "US", "phone": DALLAS}, "US", "US-TX", id="which the country does not contradict"),
        pytest.param({"country": "CA", "phone": DALLAS}, "CA", None, id="and not where it does"),
        pytest.param({"region": "US-FL", "phone": DALLAS}, "US", "US-FL", id="the address wins"),
        pytest.param({"phone": PhoneNumber("+15142345678")}, "CA", "CA-QC", id="Canada"),
        pytest.param({"phone": PhoneNumber("+19022345678")}, "CA", None, id="an area code of two provinces"),
        pytest.param({"phone": PARIS}, "FR", None, id="elsewhere numbers tell no region"),
        pytest.param({"phone": SATELLITE}, None, None, id="no country"),
        pytest.param({"phone": PhoneNumber("+12")}, None, None, id="no number at all"),
    ],
)
def test_rules_look_at_the_country_and_region_of_the_address_or_else_of_the_number(
    known: dict[str, object], country: str | None, region: str | None
) -> None:
    place = locate(Recipient(**known), "UTC")  # type: ignore[arg-type]

    assert (place.country, place.region) == (country, region)


def test_every_alias_shows_the_same_time_as_the_zone_that_it_names() -> None:
    moved = [zone for zone in pytz.all_timezones if current_name(zone) != zone]

    assert current_name("Europe/Kiev") == "Europe/Kyiv"
    assert len(moved) > 80
    for alias in moved:
        transitions = [
            vars(type(pytz.timezone(name))).get("_utc_transition_times") for name in (alias, current_name(alias))
        ]
        assert transitions[0] == transitions[1]


def test_zones_that_are_one_are_named_once_and_by_their_own_name_where_it_is_among_them() -> None:
    assert distinct(["Europe/Guernsey", "Europe/Jersey", "Europe/London"]) == ("Europe/London",)
    assert distinct(["Asia/Calcutta", "Asia/Kolkata", "Asia/Katmandu"]) == ("Asia/Kolkata", "Asia/Kathmandu")
    assert distinct([]) == ()


def table() -> dict[str, dict[str, dict[str, object]]]:
    return tomllib.loads(files("gateway.policy").joinpath("regions.toml").read_text(encoding="utf-8"))


SEVERAL = sorted(country for country in pytz.country_timezones if len(pytz.country_timezones[country]) > 1)
ALL_ALIKE = {"AQ", "CY", "GL", "MH", "PF", "PS", "UM", "UZ"}
"""Countries of several zones without subdivisions that tell them apart, or of one time."""


@pytest.mark.parametrize("country", sorted(set(SEVERAL) - ALL_ALIKE))
def test_each_zone_of_a_country_with_several_is_some_regions(country: str) -> None:
    by_zone = table()["zones"][country]
    named = {zone for zone in by_zone if zone != "rest"} | {by_zone.get("rest")}

    assert set(pytz.country_timezones[country]) - named == set()


def test_every_zone_of_the_table_is_in_the_database() -> None:
    zones = {zone for by_zone in table()["zones"].values() for zone in by_zone if zone != "rest"}

    assert zones <= pytz.all_timezones_set
    assert all(iana_zone(zone) for zone in zones)


@pytest.mark.parametrize(
    ("region", "zones"),
    [
        ("US-TX", ["America/Chicago", "America/Denver"]),
        ("US-AZ", ["America/Denver", "America/Phoenix"]),
        ("AU-QLD", ["Australia/Brisbane", "Australia/Lindeman"]),
        ("CA-SK", ["America/Regina", "America/Swift_Current", "America/Edmonton"]),
        ("BR-AM", ["America/Manaus", "America/Eirunepe"]),
        ("MX-SON", ["America/Hermosillo"]),
        ("RU-KGD", ["Europe/Kaliningrad"]),
        ("ID-PA", ["Asia/Jayapura"]),
        ("KZ-47", ["Asia/Aqtau"]),
        ("PT-20", ["Atlantic/Azores"]),
        ("NZ-CIT", ["Pacific/Chatham"]),
        ("NZ-AUK", ["Pacific/Auckland"]),
        ("CN-XJ", ["Asia/Shanghai", "Asia/Urumqi"]),
        ("DE-BY", ["Europe/Berlin"]),
        ("GB-SCT", ["Europe/London"]),
        ("US-XX", []),
        ("XX-YY", []),
    ],
)
def test_a_region_keeps_the_zones_of_its_places(region: str, zones: list[str]) -> None:
    assert list(zones_of_region(region)) == zones


def test_area_codes_lie_in_regions_that_the_table_knows() -> None:
    codes = table()["area_codes"]

    assert all(zones_of_region(region) for region in codes)
    assert region_of_number("+12025551234") == "US-DC"
    assert region_of_number("+442071234567") is None
