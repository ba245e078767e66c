"""Providers are opened as the settings say."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.bootstrap.connections import open_providers
from gateway.configuration import load_settings
from gateway.domain.messages import Outcome
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from providers.conformance.fault_server import Reply, open_fault_server
from providers.conformance.suite import make_envelope
from tests.contract.test_providers import MemoryMailbox, WallClock


async def send_by(settings_text: str, folder: Path, channel: Channel) -> Outcome:
    (folder / "heliograph.toml").write_text(settings_text, encoding="utf-8")
    settings = load_settings({"SECRET": "from-the-environment"}, folder).settings
    async with AsyncExitStack() as stack:
        opened = await open_providers(
            settings, MemoryMailbox(), WallClock(), stack, (), together=False, webhook_secret="0" * 32
        )
        return (await opened["main"].send(make_envelope(channel))).outcome


async def test_twilio_is_opened_with_its_address_its_callback_and_its_own_table(tmp_path: Path) -> None:
    async with open_fault_server(Reply(status=400, body=b'{"code": 21617}')) as server:
        text = (
            '[server]\npublic_url = "https://gateway.example"\n[providers.main]\nkind = "twilio"\naccount_sid = "AC1"\n'
            f'auth_token = {{env = "SECRET"}}\nbase_url = "{server.url}"\ncodes = {{"21617" = "transient"}}\n'
        )

        outcome = await send_by(text, tmp_path, Channel.SMS)

        assert outcome is Outcome.TRANSIENT
        form = server.requests[0].form
        assert form["StatusCallback"].startswith("https://gateway.example/webhooks/main?delivery=dlv_")


async def test_sendgrid_is_opened_with_its_address_and_key(tmp_path: Path) -> None:
    async with open_fault_server(Reply(status=202, headers={"X-Message-Id": "abc"})) as server:
        text = (
            f'[providers.main]\nkind = "sendgrid"\napi_key = {{env = "SECRET"}}\nbase_url = "{server.url}"\n'
            'from = "shop@example.com"\n'
        )

        outcome = await send_by(text, tmp_path, Channel.EMAIL)

        assert outcome is Outcome.SENT
        assert server.requests[0].headers["authorization"] == "Bearer from-the-environment"


def test_a_code_cannot_be_made_to_mean_that_a_message_was_sent(tmp_path: Path) -> None:
    (tmp_path / "heliograph.toml").write_text(
        '[providers.main]\nkind = "twilio"\naccount_sid = "AC1"\nauth_token = "t"\ncodes = {"21617" = "sent"}\n'
    )

    with pytest.raises(ConfigurationError, match=r"providers\.main\.codes: .* cannot mean that it was sent"):
        load_settings({}, tmp_path)
