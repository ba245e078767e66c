"""What SMTP alone has: kept connections, TLS, extensions, and the instant of the final dot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.messages import Outcome
from gateway.errors import ConfigurationError
from providers.base import Fitness
from providers.conformance.suite import make_envelope, make_mime
from providers.smtp import SmtpProvider, SmtpSettings
from providers.smtp_transaction import Letter, commands
from tests.certificates import Certificate, make_certificate
from tests.contract.smtp_peer import CUT, HANG, bare_peer, read_commands, smtp_peer
from tests.waiting import eventually


def _answering(word: str, answer: Any) -> dict[str, Any]:
    """One argument whose name is a word of the protocol."""
    return {word: answer}


@asynccontextmanager
async def relay(port: int, **settings: Any) -> AsyncIterator[SmtpProvider]:
    provider = SmtpProvider(
        "smtp-main", SmtpSettings(host="127.0.0.1", port=port, **{"hello": "test.localhost", **settings})
    )
    try:
        yield provider
    finally:
        await provider.aclose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def test_messages_share_a_kept_connection() -> None:
    async with smtp_peer() as peer, relay(peer.port) as provider:
        results = [await provider.send(make_envelope()) for _ in range(5)]

        assert {result.outcome for result in results} == {Outcome.SENT}
        assert (len(peer.sessions), len(peer.mails)) == (1, 5)
        assert results[0].provider_message_id == "4XyZ12"


async def test_a_connection_is_left_after_so_many_messages() -> None:
    async with smtp_peer() as peer, relay(peer.port, messages_per_connection=2) as provider:
        for _ in range(5):
            await provider.send(make_envelope())

        assert len(peer.sessions) == 3


async def test_never_more_connections_than_allowed_are_open() -> None:
    async with smtp_peer() as peer, relay(peer.port, connections=3) as provider:
        results = await asyncio.gather(*(provider.send(make_envelope()) for _ in range(30)))

        assert {result.outcome for result in results} == {Outcome.SENT}
        assert peer.most_open == 3


async def test_an_idle_connection_is_closed() -> None:
    async with smtp_peer() as peer, relay(peer.port, idle_seconds=0.01) as provider:
        await provider.send(make_envelope())

        async def is_open() -> bool:
            return bool(peer.open)

        await eventually(is_open, lambda seen: not seen)


async def test_a_kept_connection_that_died_is_replaced_unnoticed() -> None:
    async with smtp_peer() as peer, relay(peer.port) as provider:
        await asyncio.gather(*(provider.send(make_envelope()) for _ in range(4)))
        peer.hang_up()

        result = await provider.send(make_envelope())

        assert result.outcome is Outcome.SENT
        assert len(peer.mails) == 5


async def test_a_farewell_on_a_kept_connection_is_no_throttling() -> None:
    served = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        writer.write(b"220 peer\r\n")
        await read_commands(reader, b"EHLO")
        writer.write(b"250 peer\r\n")
        for command in (b"MAIL", b"RCPT"):
            await read_commands(reader, command)
            writer.write(b"250 Ok\r\n")
        await read_commands(reader, b"DATA")
        writer.write(b"354 Go on\r\n")
        await read_commands(reader, b".\r\n")
        writer.write(b"250 Ok\r\n")
        await read_commands(reader, b"MAIL")
        writer.write(b"421 4.4.2 You were idle for too long\r\n")

    async with bare_peer(talk) as port, relay(port) as provider:
        results = [await provider.send(make_envelope()) for _ in range(2)]

        assert [result.outcome for result in results] == [Outcome.SENT, Outcome.SENT]
        assert served == 2


async def test_after_a_refusal_the_connection_serves_on() -> None:
    async with smtp_peer(RCPT="550 5.1.1 No such user") as peer, relay(peer.port) as provider:
        refused = await provider.send(make_envelope())
        del peer.answers["RCPT"]
        taken = await provider.send(make_envelope())

        assert (refused.outcome, taken.outcome) == (Outcome.INVALID_RECIPIENT, Outcome.SENT)
        assert len(peer.sessions) == 1
        assert [mail.rcpt_tos for mail in peer.mails] == [["amina.benali@example.org"]]


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "step-by-step"])
async def test_with_or_without_pipelining_the_server_gets_the_same(pipelining: bool) -> None:
    async with smtp_peer() as peer, relay(peer.port) as provider:
        peer.pipelining = pipelining
        envelope = make_envelope()

        for _ in range(2):
            await provider.send(envelope)

        assert [mail.original_content for mail in peer.mails] == [envelope.mime] * 2
        assert {mail.mail_from for mail in peer.mails} == {"shop@example.com"}


async def test_a_server_that_invites_the_text_for_nobody_gets_none() -> None:
    heard = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 peer\r\n")
        await read_commands(reader, b"EHLO")
        writer.write(b"250-peer\r\n250 PIPELINING\r\n")
        await read_commands(reader, b"DATA")
        writer.write(b"250 Ok\r\n550 5.1.1 Unknown\r\n354 Go on\r\n")
        heard.extend(await reader.read())

    async with bare_peer(talk) as port, relay(port) as provider:
        result = await provider.send(make_envelope())

        assert result.outcome is Outcome.INVALID_RECIPIENT
        assert heard == b""


@pytest.mark.parametrize("mode", ["starttls", "tls"])
async def test_a_verified_certificate_secures_the_connection(mode: str, certificate: Certificate) -> None:
    async with (
        smtp_peer(**_answering(mode, certificate.context), password=b"right") as peer,
        relay(peer.port, tls=mode, ca_file=certificate.file, username="shop", password="right") as provider,
    ):
        results = [await provider.send(make_envelope()) for _ in range(2)]

        assert {result.outcome for result in results} == {Outcome.SENT}
        assert len(peer.mails) == 2


@pytest.mark.parametrize("mode", ["starttls", "tls"])
async def test_an_untrusted_certificate_stops_the_conversation(mode: str, certificate: Certificate) -> None:
    async with (
        smtp_peer(**_answering(mode, certificate.context), password=b"right") as peer,
        relay(peer.port, tls=mode, username="shop", password="right") as provider,
    ):
        result = await provider.send(make_envelope())

        assert result.outcome is Outcome.MISCONFIGURED
        assert "certificate" in (result.detail or "")
        assert not any(session.authenticated for session in peer.sessions)


async def test_starttls_that_is_not_offered_is_not_done_without() -> None:
    async with smtp_peer() as peer, relay(peer.port, tls="starttls") as provider:
        result = await provider.send(make_envelope())

        assert (result.outcome, peer.mails) == (Outcome.MISCONFIGURED, [])


async def test_credentials_that_cannot_be_used_are_a_wrong_setting() -> None:
    async with smtp_peer() as peer, relay(peer.port, username="shop", password="right") as provider:
        result = await provider.send(make_envelope())

        assert (result.outcome, peer.mails) == (Outcome.MISCONFIGURED, [])


async def test_a_busy_authentication_server_is_throttling() -> None:
    async with (
        smtp_peer(password=b"right", AUTH="454 4.7.0 Try again later") as peer,
        relay(peer.port, username="shop", password="right") as provider,
    ):
        assert (await provider.send(make_envelope())).outcome is Outcome.THROTTLED


def test_a_ca_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("not a certificate")

    for file in (nonsense, tmp_path / "absent.pem"):
        with pytest.raises(ConfigurationError, match="ca_file"):
            SmtpProvider("smtp-main", SmtpSettings(host="relay.test", tls="tls", ca_file=file))


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [
        (b"421 4.3.2 Too many connections\r\n", Outcome.THROTTLED),
        (b"450 4.3.2 Come back later\r\n", Outcome.TRANSIENT),
        (b"554 No service for you\r\n", Outcome.MISCONFIGURED),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Outcome.MISCONFIGURED),
        (b"", Outcome.TRANSIENT),
    ],
    ids=["too-many", "later", "barred", "no-smtp", "silence"],
)
async def test_a_greeting_that_does_not_welcome_is_classified(greeting: bytes, outcome: Outcome) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)

    async with bare_peer(talk) as port, relay(port) as provider:
        assert (await provider.send(make_envelope())).outcome is outcome


async def test_a_host_that_does_not_answer_in_time_took_nothing() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with bare_peer(talk) as port, relay(port) as provider:
        result = await provider.send(make_envelope(deadline_seconds=0.1))

        assert (result.outcome, result.code) == (Outcome.TRANSIENT, "lost:connect")


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
@pytest.mark.parametrize("silence", [CUT, HANG])
async def test_silence_before_the_text_is_known_not_taken(command: str, silence: str) -> None:
    async with smtp_peer(**_answering(command, silence)) as peer, relay(peer.port) as provider:
        result = await provider.send(make_envelope(deadline_seconds=0.2))

        assert (result.outcome, peer.mails) == (Outcome.TRANSIENT, [])


async def test_a_long_text_cut_before_its_end_is_known_not_taken() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 peer\r\n")
        await read_commands(reader, b"EHLO")
        writer.write(b"250-peer\r\n250 PIPELINING\r\n")
        await read_commands(reader, b"DATA")
        writer.write(b"250 Ok\r\n250 Ok\r\n354 Go on\r\n")
        await reader.readexactly(100_000)
        writer.transport.abort()

    body = b"0123456789" * 7 + b"\r\n"
    async with bare_peer(talk) as port, relay(port) as provider:
        result = await provider.send(make_envelope(mime=make_mime("dlv_1", body * 500_000)))

        assert (result.outcome, result.code) == (Outcome.TRANSIENT, "lost:data")


async def test_nothing_follows_a_text_that_was_broken_off() -> None:
    conversations: list[list[bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        conversations.append(heard)
        writer.write(b"220 peer\r\n")
        await read_commands(reader, b"EHLO")
        writer.write(b"250-peer\r\n250 PIPELINING\r\n")
        await read_commands(reader, b"DATA")
        writer.write(b"250 Ok\r\n250 Ok\r\n354 Go on\r\n")
        if len(conversations) == 1:
            # Takes no more than the system's buffers hold, until the sender has lost patience.
            await stalled.wait()
        try:
            while line := await reader.readline():
                heard.append(line)
                if line == b".\r\n":
                    writer.write(b"250 Ok\r\n")
        finally:
            ended.set()

    stalled, ended = asyncio.Event(), asyncio.Event()
    body = b"0123456789" * 7 + b"\r\n"
    async with bare_peer(talk) as port, relay(port) as provider:
        slow = await provider.send(make_envelope(mime=make_mime("dlv_1", body * 300_000), deadline_seconds=0.3))
        stalled.set()
        following = await provider.send(make_envelope())

        assert (slow.outcome, slow.code) == (Outcome.TRANSIENT, "lost:data")
        assert following.outcome is Outcome.SENT
        assert len(conversations) == 2
        await asyncio.wait_for(ended.wait(), 5)
        assert not any(line.startswith(b"MAIL FROM") for line in conversations[0])


async def test_a_message_beyond_the_servers_size_is_not_even_offered() -> None:
    async with smtp_peer() as peer, relay(peer.port) as provider:
        body = b"0123456789" * 7 + b"\r\n"
        result = await provider.send(make_envelope(mime=make_mime("dlv_1", body * 500_000)))

        assert (result.outcome, result.code) == (Outcome.REJECTED, "552 5.3.4")
        assert peer.mails == []


async def test_a_local_part_beyond_ascii_goes_where_smtputf8_is_offered() -> None:
    async with smtp_peer() as peer, relay(peer.port) as provider:
        result = await provider.send(make_envelope(to="用户@例子.广告"))

        assert result.outcome is Outcome.SENT
        assert peer.mails[0].rcpt_tos == ["用户@xn--fsqu00a.xn--4rr70v"]
        assert peer.mails[0].smtp_utf8


async def test_without_smtputf8_such_an_address_is_rejected_and_not_condemned() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 peer\r\n")
        await read_commands(reader, b"EHLO")
        writer.write(b"250-peer\r\n250 PIPELINING\r\n")
        await reader.read()

    async with bare_peer(talk) as port, relay(port) as provider:
        beyond_ascii = await provider.send(make_envelope(to="用户@example.org"))
        eight_bit = await provider.send(make_envelope(mime=make_mime("dlv_1", "Grüße\r\n".encode())))

        assert (beyond_ascii.outcome, beyond_ascii.code) == (Outcome.REJECTED, "553 5.6.7")
        assert (eight_bit.outcome, eight_bit.code) == (Outcome.REJECTED, "554 5.6.3")


@pytest.mark.parametrize(
    "address",
    [
        "a@example.org>\r\nRCPT TO:<b@example.org",
        "a@example.org\r\nDATA",
        "a b@example.org",
        "",
        "a",
        "<a@example.org>",
    ],
)
async def test_an_address_cannot_smuggle_a_command(address: str) -> None:
    async with smtp_peer() as peer, relay(peer.port) as provider:
        to_it = await provider.send(make_envelope(to=address))
        from_it = await provider.send(make_envelope(sender=f"Shop <{address}>"))

        assert to_it.outcome is Outcome.INVALID_RECIPIENT
        assert from_it.outcome is Outcome.MISCONFIGURED
        assert peer.sessions == []


@pytest.mark.parametrize(("command", "outcome"), [("MAIL", Outcome.TRANSIENT), ("DATA", Outcome.UNKNOWN)])
async def test_a_reply_whose_lines_contradict_each_other_is_none(command: str, outcome: Outcome) -> None:
    async with smtp_peer(**_answering(command, "250-2.0.0 ok\r\n550 5.7.1 no")) as peer, relay(peer.port) as provider:
        answered = await provider.send(make_envelope())

        assert answered.outcome is outcome


async def test_a_peer_that_babbles_is_left() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 peer\r\n")
        await read_commands(reader, b"EHLO")
        writer.write(b"250 peer\r\n")
        await read_commands(reader, b"MAIL")
        writer.write(b"250-and so on\r\n" * 600)
        await reader.read()

    async with bare_peer(talk) as port, relay(port) as provider:
        assert (await provider.send(make_envelope())).outcome is Outcome.TRANSIENT


@pytest.mark.parametrize("offered", [True, False], ids=["where it is offered", "where it is not"])
async def test_reports_are_asked_for_and_come_to_a_path_that_names_the_delivery(offered: bool) -> None:
    said: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 peer\r\n")
        await read_commands(reader, b"EHLO")
        writer.write(b"250-peer\r\n250 DSN\r\n" if offered else b"250 peer\r\n")
        for _ in range(2):
            said.append((await reader.readuntil(b"\r\n")).rstrip())
            writer.write(b"250 2.0.0 Ok\r\n")
        await read_commands(reader, b"DATA")
        writer.write(b"354 go on\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 2.0.0 Ok: queued as 4XyZ12\r\n")
        await reader.read()

    envelope = make_envelope(to="amina+shop=x@example.org")
    async with bare_peer(talk) as port, relay(port, bounce_domain="bounces.example.com") as provider:
        result = await provider.send(envelope)

    path, rcpt = f"MAIL FROM:<bounce+{envelope.delivery_id}@bounces.example.com>", f"RCPT TO:<{envelope.to}>"
    asked = (
        f"{path} RET=HDRS ENVID={envelope.delivery_id}.{envelope.attempt_id}",
        f"{rcpt} NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;amina+2Bshop+3Dx@example.org",
    )
    assert result.outcome is Outcome.SENT
    assert [line.decode() for line in said] == list(asked if offered else (path, rcpt))


def test_an_address_beyond_ascii_is_given_back_in_a_form_that_every_report_can_hold() -> None:
    letter = Letter(sender="shop@example.com", recipient="anaïs\\@bücher.example", mime=b"", envelope_id="dlv.att")

    rcpt = commands(letter, {"dsn": "", "smtputf8": ""}, reset=False)[1].line.decode()

    assert rcpt.rstrip().endswith(r"ORCPT=utf-8;ana\x{EF}s\x{5C}@b\x{FC}cher.example")


async def test_without_a_domain_for_bounces_nothing_is_promised_or_asked_for() -> None:
    async with smtp_peer() as peer, relay(peer.port) as provider:
        await provider.send(make_envelope())

        assert peer.mails[0].mail_from == "shop@example.com"
        assert not provider.capabilities.receipts


@pytest.mark.parametrize(
    ("password", "answers", "fitness"),
    [
        ("right", {}, Fitness.OK),
        ("wrong", {}, Fitness.MISCONFIGURED),
        ("right", _answering("AUTH", "454 4.7.0 Temporary authentication failure"), Fitness.DOWN),
    ],
    ids=["fit", "refused", "busy"],
)
async def test_a_probe_signs_in_and_sends_nothing(password: str, answers: dict[str, Any], fitness: Fitness) -> None:
    async with (
        smtp_peer(password=b"right", **answers) as peer,
        relay(peer.port, username="shop", password=password) as provider,
    ):
        probed = await provider.health()

        assert (probed.fitness, peer.mails) == (fitness, [])
        assert "shop" not in (probed.detail or "")


async def test_a_probe_says_what_is_wrong_with_a_port_where_nobody_or_something_else_listens() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    async with bare_peer(talk) as port, relay(port) as provider:
        other = await provider.health()
    async with relay(port) as provider:
        nobody = await provider.health()

    assert (other.fitness, nobody.fitness) == (Fitness.MISCONFIGURED, Fitness.DOWN)
    assert nobody.detail == "No connection."
