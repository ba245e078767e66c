"""`heliograph services` and `heliograph keys` on a real store."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from gateway.bootstrap import open_services
from gateway.cli import keys, services
from gateway.configuration import load_settings
from gateway.delivery.upkeep.credentials import find_or_register, issue_first_key
from gateway.domain.keys import parse_token
from gateway.ports import ApiKey


@pytest.fixture(autouse=True)
def settings_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELIOGRAPH_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    handlers = logging.root.handlers[:]
    yield
    # A command points the logs at its standard error, which the runner closes.
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers


def run(app: typer.Typer, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def run_json(app: typer.Typer, *arguments: str) -> Any:
    result = run(app, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def stored_key(text: str) -> ApiKey:
    """What the store holds of a key."""
    token = parse_token(text)
    assert token is not None

    async def read() -> ApiKey:
        async with open_services(load_settings().settings) as store:
            key = await store.get_key(token.id)
        assert token.matches(key.secret_hash)
        return key

    return asyncio.run(read())


def test_a_key_without_scopes_may_send_and_read_without_limit() -> None:
    key = stored_key(run_json(keys.app, "create", "--service", "shop")["key"])

    assert (key.live, key.scopes, key.rate_per_second, key.expires_at) == (
        True,
        frozenset({"send", "read"}),
        None,
        None,
    )


def test_a_key_has_the_scopes_rate_and_end_that_were_asked_for() -> None:
    made = run_json(
        keys.app, "create", "--service", "shop", "--scope", "ops", "--scope", "send", "--rate", "50/s",
        "--expires", "90d", "--test",
    )  # fmt: skip

    key = stored_key(made["key"])
    assert made["key"].startswith("hg_test_")
    assert (key.live, key.scopes, key.rate_per_second) == (False, frozenset({"ops", "send"}), 50.0)
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - datetime.now(UTC) < timedelta(days=91)


def test_without_json_the_key_stands_alone_on_standard_output() -> None:
    result = run(keys.app, "create", "--service", "shop")

    assert parse_token(result.stdout.strip()) is not None
    assert "not shown again" in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [("--scope", "root"), ("--rate", "fast"), ("--expires", "soon"), ("--expires", "2020-01-01T00:00:00Z")],
    ids=["scope", "rate", "expires", "past"],
)
def test_a_wrong_wish_is_refused_and_nothing_is_made(wrong: tuple[str, str]) -> None:
    result = run(keys.app, "create", "--service", "shop", *wrong)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "such as" in result.stderr or "choose from" in result.stderr
    assert run_json(services.app, "list") == []


def test_two_keys_of_one_name_belong_to_one_service() -> None:
    first = stored_key(run_json(keys.app, "create", "--service", "shop")["key"])
    second = stored_key(run_json(keys.app, "create", "--service", "shop")["key"])

    assert first.service_id == second.service_id
    assert [service["name"] for service in run_json(services.app, "list")] == ["shop"]


def test_a_rotated_key_passes_its_rights_on_and_ends() -> None:
    old = run_json(keys.app, "create", "--service", "shop", "--scope", "ops", "--rate", "5/s")

    new = run_json(keys.app, "rotate", old["id"], "--overlap", "2h")

    inherited, ending = stored_key(new["key"]), stored_key(old["key"])
    assert (inherited.scopes, inherited.rate_per_second, inherited.expires_at) == (frozenset({"ops"}), 5.0, None)
    assert ending.expires_at is not None
    assert ending.expires_at - datetime.now(UTC) < timedelta(hours=2)


def test_a_revoked_key_is_shown_as_such_and_cannot_be_rotated() -> None:
    made = run_json(keys.app, "create", "--service", "shop")

    # A whole key, pasted by mistake, names itself.
    assert run(keys.app, "revoke", made["key"]).exit_code == 0

    (shown,) = run_json(keys.app, "list", "--service", "shop")
    assert shown["revoked_at"] is not None
    assert made["key"] not in json.dumps(shown)
    refused = run(keys.app, "rotate", made["id"])
    assert (refused.exit_code, refused.stdout) == (1, "")


def test_what_is_not_there_is_said_so() -> None:
    for result in (
        run(keys.app, "revoke", "key_nobody"),
        run(keys.app, "rotate", "key_nobody"),
        run(keys.app, "list", "--service", "nobody"),
        run(services.app, "show", "nobody"),
        run(services.app, "senders", "nobody"),
    ):
        assert (result.exit_code, result.stdout) == (1, "")
        assert "There is no" in result.stderr


def test_a_service_keeps_sender_identities_by_channel_country_and_locale() -> None:
    made = run_json(
        services.app, "create", "shop", "--sender", "email:Shop <Shop@BÜCHER.example>",
        "--sender", "sms/fr:+33 7 00 00 00 00", "--sender", "sms/US:12345", "--sender", "email//fr_CA:a@example.org",
        "--sender", "sms:Shop",
    )  # fmt: skip

    assert run_json(services.app, "show", "shop") == made
    assert [(s["channel"], s["country"], s["locale"], s["sender"]) for s in made["senders"]] == [
        ("email", None, None, "Shop <Shop@xn--bcher-kva.example>"),
        ("sms", "FR", None, "+33700000000"),
        ("sms", "US", None, "12345"),
        ("email", None, "fr-CA", "a@example.org"),
        ("sms", None, None, "Shop"),
    ]
    assert run_json(services.app, "senders", "shop")["senders"] == []


@pytest.mark.parametrize(
    "sender",
    ["", "fax:1", "email:nobody", "sms:A name that is too long", "sms/XX:Shop", "email//xx-nowhere:a@example.org",
     "email:Shop\r\nBcc: b@example.org <a@example.org>"],
)  # fmt: skip
def test_a_sender_that_cannot_be_one_is_refused(sender: str) -> None:
    assert run(services.app, "create", "shop", "--sender", sender).exit_code == 2
    assert run_json(services.app, "list") == []


def test_a_name_is_taken_once() -> None:
    assert run(services.app, "create", "shop").exit_code == 0
    assert run(services.app, "create", "shop").exit_code == 1
    assert run(services.app, "create", "\n").exit_code == 2


async def test_the_first_key_is_made_once_and_may_do_everything() -> None:
    async with open_services(load_settings().settings) as store:
        now = datetime.now(UTC)

        token = await issue_first_key(store, now)
        again = await issue_first_key(store, now)

        assert token is not None
        assert again is None
        key = await store.get_key(token.id)
        assert {"send", "read", "ops", "recipients", "admin"} <= key.scopes
        assert key.service_id == (await store.find_service("default")).id


async def test_concurrent_makers_of_one_service_get_the_same() -> None:
    async with open_services(load_settings().settings) as store:
        made = await asyncio.gather(*(find_or_register(store, "shop", datetime.now(UTC)) for _ in range(5)))

    assert len({service.id for service in made}) == 1
