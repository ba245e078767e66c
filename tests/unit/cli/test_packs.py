"""`heliograph config packs` tells every rule that ships, on what ground, and whether it is in force."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.config import app
from gateway.policy.packs.reading import load_packs

OVERRIDDEN = """
[policy]
packs = ["FR", "US"]
[[policy.overrides]]
rule = "us-texas"
reason = "advice of counsel"
"""


@pytest.fixture
def settings(write_settings: Callable[[str], Path]) -> Path:
    return write_settings(OVERRIDDEN)


def test_every_rule_is_listed_with_its_source_and_standing(settings: Path) -> None:
    told = CliRunner().invoke(app, ["packs", "--json"])

    packs = {pack["country"]: pack for pack in json.loads(told.stdout)}
    assert set(packs) == set(load_packs())
    rules = {rule["rule"]: rule for pack in packs.values() for rule in pack["rules"]}
    assert all(rule["source"] and rule["as_of"] and rule["confidence"] for rule in rules.values())
    assert rules["us-texas"]["standing"] == "overridden: advice of counsel"
    assert rules["us-federal"]["standing"] == "in force"
    assert rules["de-sms"]["standing"] == "off"


def test_one_country_can_be_asked_for(settings: Path) -> None:
    told = CliRunner().invoke(app, ["packs", "--country", "kr"])

    assert "kr-night" in told.stdout
    assert "sms, push: 08:00-21:00" in told.stdout
    assert "fr-sms" not in told.stdout


def test_a_country_without_a_pack_is_told(settings: Path) -> None:
    told = CliRunner().invoke(app, ["packs", "--country", "ZZ"])

    assert told.exit_code == 1
    assert told.stdout == ""


def test_an_override_of_what_does_not_ship_is_told_with_its_place(settings: Path) -> None:
    settings.write_text(OVERRIDDEN.replace("us-texas", "us-atlantis"), encoding="utf-8")

    told = CliRunner().invoke(app, ["packs"])

    assert told.exit_code == 1
