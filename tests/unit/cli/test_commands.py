"""The list of commands, which is written down, and the commands themselves, which are imported one at a time."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli.main import ENTRIES, app, load_command

if TYPE_CHECKING:
    from typer._click import Command

HEAVY = ("aiohttp", "alembic", "babel", "jinja2", "pydantic", "sqlalchemy")
PRINT_HEAVY = f"import sys; import gateway.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"


@pytest.mark.parametrize("name", ENTRIES)
def test_the_line_of_a_command_begins_what_its_own_help_says(name: str) -> None:
    command = load_command(name)

    assert command.name == name
    assert (command.help or "").startswith(ENTRIES[name].line.removesuffix("."))


def test_the_root_lists_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])

    assert result.exit_code == 0
    assert all(name in result.output for name in ENTRIES)


def test_a_command_that_is_asked_for_shows_its_own_options() -> None:
    result = CliRunner().invoke(app, ["send", "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "--idempotency-key" in result.output
    assert "--install-completion" not in result.output


def _paths(command: "Command", path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _paths(inner, (*path, name))


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_explains_itself(name: str) -> None:
    for path in _paths(load_command(name), (name,)):
        result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})

        assert result.exit_code == 0, path
        assert "Usage: " in result.output


@pytest.mark.parametrize("name", ENTRIES)
def test_no_help_names_a_table_in_brackets_which_would_be_taken_for_a_style(name: str) -> None:
    command = load_command(name)
    texts = [inner.help or "" for inner in (command, *getattr(command, "commands", {}).values())]

    assert [text for text in texts if re.search(r"\[[a-z]", text)] == []


def test_the_form_of_a_sender_shows_what_may_be_left_out() -> None:
    result = CliRunner().invoke(app, ["services", "senders", "--help"], env={"COLUMNS": "200"})

    assert "CHANNEL[/COUNTRY[/LOCALE]]:SENDER" in result.output


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("http://127.0.0.1:1", 1, "No gateway answers at http://127.0.0.1:1: Connection refused."),
        ("nonsense", 2, "--url: nonsense is no address, such as http://127.0.0.1:8080"),
    ],
)
def test_a_gateway_that_cannot_be_reached_is_told_in_plain_words(url: str, status: int, said: str) -> None:
    result = CliRunner().invoke(app, ["templates", "list", "--url", url, "--key", "hg_live_none"])

    assert result.exit_code == status
    assert said in result.output


def test_a_wrong_name_gets_a_suggestion_and_status_two() -> None:
    result = CliRunner().invoke(app, ["mesages"])

    assert result.exit_code == 2
    assert "messages" in result.output


def test_listing_the_commands_imports_none_of_what_they_need() -> None:
    run = subprocess.run((sys.executable, "-c", PRINT_HEAVY), capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


@pytest.mark.parametrize("path", [("consents", "verify"), ("db", "audit")], ids=" ".join)
def test_proof_is_not_looked_for_in_a_store_that_is_not_there(path: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "mistyped.db"

    result = CliRunner().invoke(app, path, env={"HELIOGRAPH_STORE_URL": f"sqlite:///{file}"})

    assert result.exit_code == 1
    assert "There is no store at sqlite:///" in " ".join(result.stderr.split())
    assert not file.exists()
