"""`heliograph doctor`, against providers and a DNS on loopback."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.bootstrap.naming import DnsNames
from gateway.delivery.upkeep.sending_domains import public_half
from providers.conformance.fault_server import open_fault_server
from tests.contract import test_apns, test_twilio
from tests.contract.smtp_peer import smtp_peer
from tests.dns_peer import dns_peer
from tests.servers import free_port
from tests.serving import plain_environment, run_command

PEM = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def settings_of(providers: dict[str, dict[str, Any]]) -> str:
    """A file of settings."""
    lines = []
    for name, section in providers.items():
        lines.append(f"[providers.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in section.items() if not isinstance(value, dict)]
        for key, inner in section.items():
            for part, table in inner.items() if isinstance(inner, dict) else ():
                lines.append(f"[providers.{name}.{key}.{part}]")
                lines += [f"{word} = {json.dumps(value)}" for word, value in table.items()]
    return "\n".join(lines)


async def diagnose(
    folder: Path, dns: str, providers: dict[str, dict[str, Any]]
) -> tuple[int, dict[tuple[str, str], str]]:
    """The exit status, and the verdicts by subject and check."""
    (folder / "heliograph.toml").write_text(settings_of(providers), encoding="utf-8")
    environment = plain_environment(folder, 0) | {"HELIOGRAPH_CONFIG": str(folder / "heliograph.toml")}
    ran = await run_command("doctor", "--json", "--dns", dns, environment=environment)
    findings = json.loads(ran.out)["findings"]
    return ran.status, {(one["subject"], one["check"]): one["verdict"] for one in findings}


async def test_providers_and_sending_domains_are_looked_at_and_nothing_is_sent(tmp_path: Path) -> None:
    zone = {
        ("shop.example", "TXT"): ['"v=spf1 ip4:192.0.2.1 " "-all"'],
        ("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=reject"'],
        ("s._domainkey.shop.example", "TXT"): [f'"v=DKIM1; k=ed25519; p={public_half(PEM)}"'],
        ("bounces.shop.example", "TXT"): ['"v=spf1 mx -all"'],
        ("bounces.shop.example", "MX"): ["10 mail.shop.example."],
    }
    relay: dict[str, Any] = {
        "kind": "smtp",
        "host": "127.0.0.1",
        "from": "Shop <shop@shop.example>",
        "username": "shop",
        "password": "right",
        "bounce_domain": "bounces.shop.example",
        "dkim": {"own": {"domain": "shop.example", "selector": "s", "key": PEM}},
    }
    account = {
        "kind": "twilio",
        "account_sid": test_twilio.SID,
        "auth_token": test_twilio.TOKEN,
        "from": "+33700000000",
    }
    apns = {"kind": "apns", "key": test_apns.PEM, "key_id": "K", "team_id": "T", "topic": "com.example.shop"}
    async with (
        dns_peer(zone) as dns,
        smtp_peer(password=b"right") as peer,
        open_fault_server(test_twilio.reply(200, status="active")) as server,
    ):
        providers: dict[str, dict[str, Any]] = {
            "relay": relay | {"port": peer.port},
            "texts": account | {"base_url": server.url},
            "apps": apns,
        }
        healthy = await diagnose(tmp_path, dns, providers)
        server.manner = test_twilio.error(401, 20003, "Authenticate")
        ill = await diagnose(
            tmp_path,
            dns,
            {
                "relay": relay | {"port": peer.port, "password": "wrong", "from": "shop@elsewhere.example"},
                "away": {"kind": "smtp", "host": "127.0.0.1", "port": free_port()},
                "texts": account | {"base_url": server.url},
                "apps": apns | {"key": "no key"},
            },
        )

    assert healthy == (
        0,
        {
            ("relay", "provider"): "ok",
            ("texts", "provider"): "ok",
            ("apps", "provider"): "warning",
            ("shop.example", "spf"): "ok",
            ("shop.example", "dkim"): "ok",
            ("shop.example", "dmarc"): "ok",
            ("bounces.shop.example", "spf"): "ok",
            ("bounces.shop.example", "bounces"): "ok",
        },
    )
    assert ill[0] == 1
    assert {ill[1][name, "provider"] for name in ("relay", "away", "texts", "apps")} == {"error"}
    assert {ill[1]["elsewhere.example", check] for check in ("spf", "dmarc")} == {"error"}
    assert peer.mails == []
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize(("mx", "taken"), [(["0 ."], False), (["5 a.example."], True)], ids=["null", "a host"])
async def test_a_null_mx_takes_no_mail(mx: list[str], taken: bool) -> None:
    async with dns_peer({("b.example", "MX"): mx}) as dns:
        assert await DnsNames(dns).takes_mail("b.example") is taken
        assert await DnsNames(dns).takes_mail("nowhere.example") is False
