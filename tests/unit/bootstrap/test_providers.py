"""Providers are opened as the settings say."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.bootstrap.connections import open_providers
from gateway.configuration import load_settings
from gateway.domain.messages import Outcome
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from providers.apns import ApnsProvider
from providers.conformance.fault_server import Reply, open_fault_server
from providers.conformance.suite import make_envelope
from providers.fcm import FcmProvider
from providers.kannel_webhook import receipt_url
from providers.webpush import WebPushProvider
from tests.contract.smtp_peer import smtp_peer
from tests.contract.test_providers import MemoryMailbox, WallClock
from tests.dkim_oracle import verified
from tests.unit.providers.test_dkim import KEYS, published


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


async def test_ses_is_opened_with_its_region_its_key_and_its_configuration_set(tmp_path: Path) -> None:
    async with open_fault_server(Reply(body=b'{"MessageId": "1"}')) as server:
        text = (
            '[providers.main]\nkind = "ses"\nregion = "eu-west-1"\naccess_key_id = "AK"\nconfiguration_set = "events"\n'
            f'secret_access_key = {{env = "SECRET"}}\nbase_url = "{server.url}"\nfrom = "shop@example.com"\n'
        )

        outcome = await send_by(text, tmp_path, Channel.EMAIL)

        assert outcome is Outcome.SENT
        (request,) = server.requests
        assert "/eu-west-1/ses/aws4_request" in request.headers["authorization"]
        assert json.loads(request.body)["ConfigurationSetName"] == "events"


async def test_apprise_is_opened_with_the_service_and_the_channel_that_it_is_for(tmp_path: Path) -> None:
    async with open_fault_server(Reply(status=409)) as server:
        host = server.url.removeprefix("http://")
        text = (
            f'[providers.main]\nkind = "apprise"\nchannel = "email"\nurl = "json://{host}/{{to}}"\n'
            'codes = {"409" = "throttled"}\nfrom = "shop@example.com"\n'
        )

        outcome = await send_by(text, tmp_path, Channel.EMAIL)

        assert outcome is Outcome.THROTTLED
        assert server.requests[0].path == "/amina.benali@example.org"


async def test_kannel_is_opened_with_its_carrier_and_signs_the_address_for_receipts(tmp_path: Path) -> None:
    async with open_fault_server(Reply(status=202, body=b"0: Accepted for delivery")) as server:
        text = (
            '[server]\npublic_url = "https://gateway.example"\n[providers.main]\nkind = "kannel"\nusername = "shop"\n'
            f'password = {{env = "SECRET"}}\nbase_url = "{server.url}"\nsmsc = "carrier-fr"\n'
        )

        outcome = await send_by(text, tmp_path, Channel.SMS)

        assert outcome is Outcome.SENT
        headers = server.requests[0].headers
        assert (headers["x-kannel-password"], headers["x-kannel-smsc"]) == ("from-the-environment", "carrier-fr")
        address = headers["x-kannel-dlr-url"]
        delivery = address.partition("delivery=")[2].partition("&")[0]
        assert address == receipt_url("https://gateway.example/webhooks/main", "0" * 32, delivery, "att_1")


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def test_the_push_services_are_opened_with_their_keys_from_files(tmp_path: Path) -> None:
    account = {
        "project_id": "shop",
        "client_email": "a@b.example",
        "private_key": pem(rsa.generate_private_key(65537, 2048)),
    }
    (tmp_path / "account.json").write_text(json.dumps(account), encoding="utf-8")
    (tmp_path / "key.pem").write_text(pem(ec.generate_private_key(ec.SECP256R1())), encoding="utf-8")
    (tmp_path / "heliograph.toml").write_text(
        f'''
        [providers.apps]
        kind = "fcm"
        service_account = {{file = "{tmp_path}/account.json"}}
        [providers.iphones]
        kind = "apns"
        key = {{file = "{tmp_path}/key.pem"}}
        key_id = "ABC123DEFG"
        team_id = "DEF123GHIJ"
        topic = "com.example.shop"
        timeout = "5s"
        [providers.browsers]
        kind = "webpush"
        vapid_private_key = {{file = "{tmp_path}/key.pem"}}
        subject = "mailto:ops@example.com"
        connections = 3
        ''',
        encoding="utf-8",
    )
    settings = load_settings({}, tmp_path).settings

    async with AsyncExitStack() as stack:
        opened = await open_providers(
            settings, MemoryMailbox(), WallClock(), stack, (), together=False, webhook_secret="0" * 32
        )

        kinds = {"apps": FcmProvider, "iphones": ApnsProvider, "browsers": WebPushProvider}
        assert {name: type(opened[name]) for name in kinds} == kinds
        assert opened["browsers"].capabilities.concurrency == 3


def test_a_code_cannot_be_made_to_mean_that_a_message_was_sent(tmp_path: Path) -> None:
    (tmp_path / "heliograph.toml").write_text(
        '[providers.main]\nkind = "twilio"\naccount_sid = "AC1"\nauth_token = "t"\ncodes = {"21617" = "sent"}\n'
    )

    with pytest.raises(ConfigurationError, match=r"providers\.main\.codes: .* cannot mean that it was sent"):
        load_settings({}, tmp_path)


async def test_smtp_is_opened_with_its_domain_for_bounces_and_its_keys_by_any_name(tmp_path: Path) -> None:
    keys = {key.selector: key for key in KEYS}
    (tmp_path / "rsa.pem").write_text(keys["rsa"].pem, encoding="utf-8")
    (tmp_path / "ed.pem").write_text(keys["ed"].pem, encoding="utf-8")
    async with smtp_peer() as peer:
        text = (
            f'[providers.main]\nkind = "smtp"\nhost = "127.0.0.1"\nport = {peer.port}\n'
            'from = "shop@example.com"\nbounce_domain = "Bounces.example.com"\n'
            + "".join(
                f'[providers.main.dkim.{name}-2026]\ndomain = "example.com"\nselector = "{name}"\n'
                f'key = {{file = "{tmp_path}/{name}.pem"}}\n'
                for name in ("rsa", "ed")
            )
        )

        outcome = await send_by(text, tmp_path, Channel.EMAIL)

        assert outcome is Outcome.SENT
        assert str(peer.mails[0].mail_from).endswith("@bounces.example.com")
        assert isinstance(peer.mails[0].content, bytes)
        assert verified(peer.mails[0].content, published) == [True, True]
