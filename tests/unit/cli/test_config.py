"""`heliograph config show` prints what is in force, tables within lists included, and nothing that is secret."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.config import app

SETTINGS = """\
[providers.relay]
kind = "smtp"
host = "relay.example.org"
password = "open sesame"
[[routes]]
channel = "email"
providers = ["relay", "mailbox"]
[providers.mailbox]
kind = "mailbox"
[[quiet_hours]]
name = "night"
forbid = [{from = "22:00", to = "08:00"}]
"""


@pytest.fixture
def file(write_settings: Callable[[str], Path]) -> Path:
    return write_settings(SETTINGS)


def test_each_value_stands_on_a_line_of_its_own_with_its_place(file: Path) -> None:
    shown = CliRunner().invoke(app, ["show", "--sources", "--json"])

    settings = json.loads(shown.stdout)
    assert settings["routes[0].providers"] == {"value": "relay, mailbox", "source": f"{file}:5"}
    assert settings["quiet_hours[0].forbid[0].from"] == {"value": "22:00", "source": f"{file}:10"}
    assert settings["delivery.attempts"] == {"value": "8", "source": "default"}


def test_secrets_are_masked(file: Path) -> None:
    shown = CliRunner().invoke(app, ["show"])

    assert "relay.example.org" in shown.stdout
    assert "open sesame" not in shown.stdout
