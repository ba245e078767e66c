"""Mail that comes back: from a relay that took an e-mail, to the address that it went out with, on the real store."""

import asyncio
import os
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from gateway.bootstrap import open_bounces
from gateway.cli.main import app
from gateway.delivery.accepting.accept import Accepted
from gateway.domain.ids import make_delivery_id
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from tests.contract.smtp_peer import Peer, smtp_peer
from tests.factories import NOW, make_recipient
from tests.modes import Mode
from tests.rigs import Rig, make_settings, open_rig

pytestmark = pytest.mark.asyncio(loop_scope="module")
MODES = ("embedded", "scaled")
S = DeliveryStatus
DOMAIN = "bounces.example.com"
PATIENCE_SECONDS = 20


def sections(port: int) -> dict[str, Any]:
    """A relay whose e-mails come back here, and the mailbox for what follows by text."""
    relay = {"kind": "smtp", "host": "127.0.0.1", "port": port, "from": "shop@example.com", "bounce_domain": DOMAIN}
    return {
        "providers": {"relay": relay | {"bounce_listen": "127.0.0.1:0"}, "mailbox": {"kind": "mailbox"}},
        "routes": [
            {"channel": "email", "providers": ["relay"]},
            {"channel": "sms", "providers": ["mailbox"]},
            {"channel": "push", "providers": ["mailbox"]},
        ],
    }


House = tuple[Rig, Peer]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A gateway, and the relay that takes its e-mails."""
    with mode.furnished(tmp_path_factory.mktemp("house")) as folder:
        async with smtp_peer() as peer, open_rig(folder, **sections(peer.port)) as rig:
            yield rig, peer


def report(whom: str, status: str, action: str = "failed") -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example.net\r\nMessage-ID: <1@mx.example.net>\r\n"
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; {whom}\r\nAction: {action}\r\nStatus: {status}\r\n"
    ).encode()


async def hand_in(rig: Rig, mail: bytes, *to: str) -> dict[str, tuple[int, bytes]]:
    """Bring a mail as any server would; what was refused of whom it is for."""

    def bring() -> dict[str, tuple[int, bytes]]:
        host, port = rig.gateway.bounce_addresses[0]
        with smtplib.SMTP(host, port, timeout=PATIENCE_SECONDS) as client:
            try:
                return client.sendmail("", list(to), mail)
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients

    return await asyncio.to_thread(bring)


async def sent(house: House, whom: str, *channels: Channel) -> tuple[Accepted, str]:
    """An e-mail that the relay took, and its return path."""
    rig, peer = house
    accepted = await rig.send(to=make_recipient(email=whom), channels=channels or (Channel.EMAIL,))
    await rig.settled(accepted, S.SENT)
    return accepted, str(peer.mails[-1].mail_from)


async def is_suppressed(rig: Rig, whom: str) -> bool:
    page = await rig.gateway.suppressions.list_suppressions(Channel.EMAIL, whom, 1, None)
    return bool(page.items)


async def test_a_hard_bounce_suppresses_the_address_and_tries_the_next_channel(house: House) -> None:
    rig, whom = house[0], "hard@example.org"
    accepted, path = await sent(house, whom, Channel.EMAIL, Channel.SMS)

    refused = await hand_in(rig, report(whom, "5.1.1"), path)

    record = await rig.settled(accepted, S.DELIVERED)
    told = [(one.delivery.channel, one.delivery.status, one.delivery.reason) for one in record.deliveries]
    assert refused == {}
    assert path == f"bounce+{record.deliveries[0].delivery.id}@{DOMAIN}"
    assert told == [(Channel.EMAIL, S.UNDELIVERED, "bounced"), (Channel.SMS, S.DELIVERED, None)]
    assert await is_suppressed(rig, whom)


async def test_reports_move_as_far_as_they_go_whatever_their_order_and_count_once(house: House) -> None:
    rig, whom = house[0], "late@example.org"
    accepted, path = await sent(house, whom)

    for status, action in (("2.0.0", "delivered"), ("4.4.1", "delayed"), ("4.4.1", "delayed")):
        await hand_in(rig, report(whom, status, action), path.upper())

    record = await rig.read(accepted)
    assert record.status is S.DELIVERED
    assert (await rig.events(accepted))[-2:] == ["delivery.delivered", "delivery.receipt"]
    assert not await is_suppressed(rig, whom)


async def test_what_nobody_sent_is_refused_at_the_door_and_leaves_nothing(house: House) -> None:
    rig, whom = house[0], "quiet@example.org"
    accepted, path = await sent(house, whom)
    unknown, elsewhere = f"bounce+{make_delivery_id(NOW)}@{DOMAIN}", path.replace(DOMAIN, "other.example.com")

    refused = [await hand_in(rig, report(whom, "5.1.1"), one) for one in (unknown, elsewhere, f"bounce@{DOMAIN}", whom)]

    assert [code for one in refused for code, _ in one.values()] == [550] * 4
    assert (await rig.read(accepted)).status is S.SENT


async def test_a_forged_report_reaches_no_other_address_than_that_of_its_own_delivery(house: House) -> None:
    rig, victim, mallory = house[0], "victim@example.org", "mallory@example.net"
    _, theirs = await sent(house, victim)
    _, own = await sent(house, mallory)

    refused = await hand_in(rig, report(victim, "5.1.1"), own, theirs)

    assert [code for code, _ in refused.values()] == [452], "one at a time"
    assert [await is_suppressed(rig, one) for one in (victim, mallory)] == [False, False]


async def test_a_mail_that_tells_nothing_is_taken_and_forgotten(house: House) -> None:
    rig = house[0]
    accepted, path = await sent(house, "away@example.org")

    refused = await hand_in(rig, b"Subject: Out of office\r\n\r\nBack on Monday.\r\n", path)

    assert (refused, (await rig.read(accepted)).status) == ({}, S.SENT)
    assert (await rig.events(accepted))[-1] == "delivery.sent"


async def test_a_mail_server_may_pipe_it_into_a_command(house: House, tmp_path: Path) -> None:
    rig, whom = house[0], "piped@example.org"
    accepted, path = await sent(house, whom)
    file = tmp_path / "heliograph.toml"
    file.write_text(f'[providers.relay]\nkind = "smtp"\nhost = "127.0.0.1"\nbounce_domain = "{DOMAIN}"\n')
    environment = {"HELIOGRAPH_CONFIG": str(file), "HELIOGRAPH_STORE_URL": rig.gateway.settings.store.url}

    async def pipe(*words: str, **changes: str) -> int:
        mail = f"X-Original-To: {path}\r\n".encode() + report(whom, "5.1.1")
        command = ["messages", "bounce", *words]
        env = environment | changes
        return (await asyncio.to_thread(CliRunner().invoke, app, command, env=env, input=mail)).exit_code

    statuses = [
        await pipe(),
        await pipe("--to", f"bounce@{DOMAIN}"),
        await pipe(HELIOGRAPH_STORE_URL=f"sqlite:///{file}/none.db"),
    ]

    assert statuses == [0, os.EX_NOUSER, os.EX_TEMPFAIL]
    assert (await rig.settled(accepted, S.UNDELIVERED)).deliveries[0].delivery.reason == "bounced"


async def test_where_no_relay_expects_anything_back_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="bounce_domain"):
        async with open_bounces(make_settings(tmp_path)):
            pass
