"""What the mailbox alone does: it keeps what it was given, as its reader would see it."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.messages import Outcome
from gateway.domain.recipients import Channel
from providers.conformance.suite import make_envelope
from providers.mailbox import MailboxProvider
from providers.mailbox_content import ReceivedMail
from providers.smtp import SmtpProvider, SmtpSettings
from tests.contract.test_providers import MemoryMailbox, WallClock


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[MailboxProvider, MemoryMailbox]]:
    store = MemoryMailbox()
    provider = await MailboxProvider.open("mailbox", store, WallClock())
    try:
        yield provider, store
    finally:
        await provider.aclose()


def make_mail() -> EmailMessage:
    mail = EmailMessage()
    for name, value in {"From": "Grüße <shop@example.com>", "Subject": "Bücher 📚"}.items():
        mail[name] = value
    mail.set_content("Grüße\n")
    mail.add_alternative("<p>Grüße <img src='cid:logo'></p>", subtype="html")
    return mail


async def test_an_email_is_kept_as_it_came_and_as_it_reads() -> None:
    mail = make_mail()
    (html,) = (part for part in mail.iter_parts() if part.get_content_subtype() == "html")
    html.add_related(b"\x89PNG", maintype="image", subtype="png", cid="<logo>", filename="logo.png")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rechnung für März.pdf")
    envelope = make_envelope()
    mail["Content-Language"] = "de"
    mail["Message-ID"] = f"<{envelope.delivery_id}@example.com>"
    raw = mail.as_bytes().replace(b"\n", b"\r\n")

    async with opened() as (provider, store):
        result = await provider.send(make_envelope(delivery_id=envelope.delivery_id, mime=raw))

        assert (result.outcome, result.provider_message_id) == (Outcome.DELIVERED, envelope.delivery_id)
        item = store.items[envelope.delivery_id]
        assert (item.raw, item.to) == (raw, "amina.benali@example.org")
        assert item.sender == "Grüße <shop@example.com>"
        content = item.content
        assert (content["subject"], content["locale"]) == ("Bücher 📚", "de")
        assert (content["text"], content["html"]) == ("Grüße\r\n", "<p>Grüße <img src='cid:logo'></p>\r\n")
        assert content["attachments"] == [
            {"filename": "logo.png", "content_type": "image/png", "bytes": 4, "inline_id": "logo"},
            {"filename": "Rechnung für März.pdf", "content_type": "application/pdf", "bytes": 4, "inline_id": None},
        ]


async def test_a_text_message_shows_its_segments_and_a_push_its_devices() -> None:
    async with opened() as (provider, store):
        sms, push = make_envelope(Channel.SMS), make_envelope(Channel.PUSH)

        await provider.send(sms)
        pushed = await provider.send(push)

        assert store.items[sms.delivery_id].to == "+33612345678"
        assert store.items[sms.delivery_id].content["segments"] == 1
        assert store.items[push.delivery_id].content["title"] == "Hi"
        assert store.items[push.delivery_id].content["devices"] == [{"platform": "fcm", "address": "devi•••"}]
        assert [(device.platform, device.status) for device in pushed.devices] == [("fcm", "delivered")]


async def test_a_provider_of_the_kind_smtp_may_hand_in_and_the_delivery_is_known() -> None:
    async with opened() as (provider, store):
        host, port = provider.smtp_address
        relay = SmtpProvider("smtp-main", SmtpSettings(host=host, port=port, hello="test.localhost"))
        envelope = make_envelope()

        results = [await relay.send(envelope) for _ in range(2)]

        assert [result.outcome for result in results] == [Outcome.SENT, Outcome.SENT]
        assert list(store.items) == [envelope.delivery_id]
        await relay.aclose()


async def test_any_local_client_may_hand_in_and_gets_an_id() -> None:
    def hand_in(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test") as client:
            client.send_message(make_mail(), "shop@example.com", ["a@example.org", "b@example.org"])

    async with opened() as (provider, store):
        await asyncio.to_thread(hand_in, provider.smtp_address[1])

        (item,) = store.items.values()
        assert item.delivery_id.startswith("dlv_")
        assert item.to == "a@example.org, b@example.org"
        assert item.content["subject"] == "Bücher 📚"


async def test_a_port_that_is_taken_is_said_at_the_start() -> None:
    async with opened() as (provider, store):
        with pytest.raises(OSError, match="in use"):
            await MailboxProvider.open("second", store, WallClock(), port=provider.smtp_address[1])


async def test_while_the_store_is_full_a_foreign_client_may_come_again() -> None:
    async with opened() as (provider, store):
        store.is_full = True
        relay = SmtpProvider(
            "smtp-main", SmtpSettings(host="127.0.0.1", port=provider.smtp_address[1], hello="test.localhost")
        )

        result = await relay.send(make_envelope())

        assert (result.outcome, result.code) == (Outcome.TRANSIENT, "451 4.3.0")
        await relay.aclose()


HEADERS = st.sampled_from(
    [
        b"Subject: =?utf-8?q?hi=0d=0aBcc:_e=40x?=", b"Subject: \xff\xfe", b"From: <", b"Message-ID: <dlv_x",
        b"Content-Type: multipart/alternative", b"Content-Type: multipart/mixed; boundary=b", b"--b", b"--b--",
        b"Content-Type: text/html; charset=nope", b"Content-Type: text/plain; charset=utf-7", b"Content-Type: ;;;",
        b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: x-uu", b"begin 666 x", b"!!!", b"",
        b"Content-Disposition: attachment; filename*=utf-8''%ff", b"Content-Disposition: attachment; filename=\xff",
        b"Subject: =?nope?q?x?=", b"Subject: =?utf-8?b?!!!?=", b"From: =?utf-8?q?a", b" folded", b"Content-ID: <\xff>",
    ]
)  # fmt: skip


@given(st.lists(HEADERS | st.binary(max_size=30), max_size=12))
def test_however_broken_a_mail_is_it_can_be_read_and_kept(lines: list[bytes]) -> None:
    mail = ReceivedMail(b"\r\n".join(lines))

    content = mail.as_json()

    assert mail.delivery_id is None
    str([content, mail.header("From")]).encode()
