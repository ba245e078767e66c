"""E-mails as bytes: what was meant is what two independent parsers read, and nothing breaks out of a header."""

import email
import unicodedata
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from typing import Any

import mailparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.messages import Attachment, EmailContent
from gateway.domain.recipients import Channel
from gateway.errors import RenderFailed
from gateway.rendering.email import build_mime, format_date
from gateway.rendering.headers import mailbox_header, parameter, raw_header, split_mailbox, text_header
from gateway.rendering.lines import one_line
from tests.unit.rendering.workbench import LINK, Workbench

DATE = datetime(2026, 11, 5, 7, 8, 9, tzinfo=UTC)
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Content-Language", "MIME-Version", "Content-Type"]
printable = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)
bodies = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=600)


def make_content(**changes: Any) -> EmailContent:
    values = {"subject": "Subject", "preheader": "", "html": "<p>H</p>", "text": "T", "locale": "fr-CA", **changes}
    return EmailContent(**values)


def build(content: EmailContent | None = None, **changes: Any) -> bytes:
    given = {
        "sender": "Shop <shop@example.org>",
        "to": "amina@example.net",
        "message_id": "<dlv_1@example.org>",
        "date": DATE,
        "boundary_seed": "dlv_1",
        **changes,
    }
    return build_mime(content or make_content(), **given)


def read(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def body_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


def composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@given(printable, bodies, bodies)
def test_two_parsers_read_what_was_meant(subject: str, text: str, html: str) -> None:
    content = make_content(subject=subject, text=text or "T", html=html or "H")

    data = build(content)

    message, other = read(data), mailparser.parse_from_bytes(data)
    assert message["Subject"].rstrip() == one_line(subject)
    # mail-parser hands out everything in NFC; the standard library has shown above that the bytes say it exactly.
    assert other.subject.strip() == composed(one_line(subject)).strip()
    assert body_of(message, "plain").rstrip("\n") == content.text.rstrip("\n")
    assert body_of(message, "html").rstrip("\n") == content.html.rstrip("\n")
    assert [part.replace("\r\n", "\n").rstrip("\n") for part in other.text_html] == [
        composed(content.html).rstrip("\n")
    ]
    assert not message.defects


@given(printable, bodies)
def test_every_line_is_ascii_ended_by_crlf_and_short(subject: str, text: str) -> None:
    data = build(make_content(subject=subject, text=text))

    assert data.isascii()
    assert b"\n" not in data.replace(b"\r\n", b"")
    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert max(map(len, body.split(b"\r\n"))) <= 998


HOSTILE = [
    "Hi\r\nBcc: evil@example.org",
    "Hi\nBcc: evil@example.org",
    "Hi\rBcc: evil@example.org",
    "Hi\x00Bcc: evil@example.org",
    "Hi\x85Bcc: evil@example.org",
    "Hi\u2028Bcc: evil@example.org",
    "Hi\u2029Bcc: evil@example.org",
    "Hi\x0bBcc: evil@example.org",
    "Hi\x0cBcc: evil@example.org",
    "Hi\x1cBcc: evil@example.org",
    "=?utf-8?q?hi=0d=0aBcc:_evil=40example.org?=",
    "=?utf-8?b?aGkNCkJjYzogZXZpbEBleGFtcGxlLm9yZw==?=",
    "Hi\r\n\r\n<script>body</script>",
]


@pytest.mark.parametrize("subject", HOSTILE)
def test_a_subject_is_one_header_and_reads_as_it_was_meant(subject: str) -> None:
    data = build(make_content(subject=subject))

    message = read(data)
    assert message.keys() == HEADERS
    assert b"\r\nBcc" not in data
    assert message["Subject"] == one_line(subject)
    assert mailparser.parse_from_bytes(data).subject == one_line(subject)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_sender_or_recipient_cannot_hold_a_line_break_or_smuggle_one(hostile: str) -> None:
    for mailbox in (f"{hostile} <shop@example.org>", f'"{hostile}" <shop@example.org>'):
        try:
            data = build(sender=mailbox)
        except RenderFailed:
            continue
        assert read(data).keys() == HEADERS
        assert b"\r\nBcc" not in data
    with pytest.raises(RenderFailed):
        build(to=f"amina@example.net{hostile}")


@pytest.mark.parametrize("hostile", [*HOSTILE[:10], HOSTILE[12]])
def test_other_fields_refuse_what_could_break_out(hostile: str) -> None:
    with pytest.raises(RenderFailed):
        build(make_content(headers=(("List-Unsubscribe", hostile),)))
    with pytest.raises(RenderFailed):
        build(make_content(headers=((f"X-{hostile}", "x"),)))
    with pytest.raises(RenderFailed):
        build(make_content(locale=hostile))
    with pytest.raises(RenderFailed):
        build(message_id=f"<{hostile}@example.org>")
    with pytest.raises(RenderFailed):
        build(attachments=[Attachment(filename=hostile, content_type="text/plain", content=b"")])
    with pytest.raises(RenderFailed):
        build(attachments=[Attachment(filename="x", content_type=hostile, content=b"")])
    with pytest.raises(RenderFailed):
        build(attachments=[Attachment(filename="x", content_type="image/png", content=b"", inline_id=hostile)])


def test_a_boundary_in_a_body_stays_a_body() -> None:
    border = build().split(b'boundary="')[1].split(b'"')[0].decode()
    text = f"x\n--{border}--\nContent-Type: text/html\n\n<b>evil</b>"

    message = read(build(make_content(text=text)))

    assert body_of(message, "plain").rstrip("\n") == text
    assert body_of(message, "html").rstrip("\n") == "<p>H</p>"


@pytest.mark.parametrize(
    "mailbox",
    [
        "shop@example.org",
        "Shop <shop@example.org>",
        "<shop@example.org>",
        "Élan Boutique <shop@example.org>",
        '"Shop, Inc. (EU)" <shop@example.org>',
        '"Say \\"hi\\"" <shop@example.org>',
        "متجر نور الدين الهاشمي للأدوات المنزلية والمفروشات الفاخرة <shop@example.org>",
        "A very long display name that goes on for quite a while until it must be folded somewhere <shop@example.org>",
        "Shop <" + "a" * 60 + "@sub.example.org>",
        "a=?b <shop@example.org>",
    ],
)
def test_mailboxes_are_read_back(mailbox: str) -> None:
    name, address = split_mailbox("From", mailbox)

    data = build(sender=mailbox)

    # RFC 2047 §6.2: the blank between two encoded words is none; only decode_header knows that for names.
    raw = email.message_from_bytes(data)["From"]
    shown, found = parseaddr(str(make_header(decode_header(raw)))) if "=?" in raw else parseaddr(raw)
    assert found == address
    assert shown == name or "," in name
    other_name, other_address = mailparser.parse_from_bytes(data).from_[0]
    assert (other_name.replace(" ", ""), other_address) == (name.replace(" ", ""), address)
    assert max(map(len, data.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78 or "a" * 60 in mailbox


@pytest.mark.parametrize(
    "mailbox",
    [
        "",
        "no address",
        "a@b@c",
        "a b@c.org",
        "a@b..org",
        "x <a@b.org> y",
        "a@-b-",
        "a@b.org,c@d.org",
        "<>",
        "a@" + "b" * 260,
    ],
)
def test_what_is_no_mailbox_is_refused(mailbox: str) -> None:
    with pytest.raises(RenderFailed):
        mailbox_header("To", mailbox)


def test_an_address_beyond_ascii_goes_as_utf8() -> None:
    assert "To: δοκιμή@example.org".encode() in build(to="δοκιμή@example.org")


def test_inline_images_are_related_and_files_are_attached() -> None:
    image = Attachment(filename="logo.png", content_type="image/png", content=b"\x89PNG\x00", inline_id="logo@x")
    file = Attachment(filename="Facture n° 7 – Élan.pdf", content_type="application/pdf", content=b"%PDF" * 99)
    long = Attachment(filename="長い名前" * 20 + ".eml", content_type="message/rfc822", content=b"From: x")

    message = read(build(attachments=[image, file, long]))

    assert message.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
        "application/octet-stream",
    ]
    files = list(message.iter_attachments())
    assert [part.get_filename() for part in files] == [file.filename, long.filename]
    assert files[0].get_content() == file.content
    shown = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert (shown["Content-ID"], shown.get_content_disposition()) == ("<logo@x>", "inline")
    assert shown.get_content() == image.content


def test_a_text_alone_is_one_part_and_its_images_are_files() -> None:
    image = Attachment(filename="logo.png", content_type="image/png", content=b"x", inline_id="logo")

    assert read(build(make_content(html=""))).get_content_type() == "text/plain"
    message = read(build(make_content(html=""), attachments=[image]))
    assert [part.get_filename() for part in message.iter_attachments()] == ["logo.png"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain", "7bit"),
        ("a" * 2000, "quoted-printable"),
        ("=_r looks like a boundary", "quoted-printable"),
        ("surtout en français : déjà vu, mais rarement", "quoted-printable"),
        ("日本語", "base64"),
        ("one\rtwo\r\nthree", "7bit"),
    ],
)
def test_bodies_are_readable_where_that_is_cheap(text: str, encoding: str) -> None:
    message = read(build(make_content(text=text, html="")))

    assert message["Content-Transfer-Encoding"] == encoding
    assert body_of(message, "plain").rstrip("\n") == text.replace("\r\n", "\n").replace("\r", "\n")


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert build() == build()


def test_dates_are_written_in_utc() -> None:
    assert format_date(DATE) == "Thu, 05 Nov 2026 07:08:09 +0000"


def test_a_value_longer_than_a_line_may_be_is_refused() -> None:
    with pytest.raises(RenderFailed, match="too long"):
        raw_header("X-Long", "a" * 1000)
    assert raw_header("X-Folded", " ".join(["word"] * 30)).count("\r\n ") == 2


def test_long_words_and_empty_subjects_have_their_form() -> None:
    assert text_header("Subject", "") == "Subject: \r\n"
    assert text_header("Subject", "a" * 80).startswith("Subject: =?utf-8?b?")
    assert parameter("filename", "a.txt") == ';\r\n filename="a.txt"'


def test_marketing_can_be_left_with_one_click_and_the_rest_says_a_machine_wrote_it(bench: Workbench) -> None:
    bench.email("<p>x</p>", category="marketing")
    marketing = bench.render({}, channel=Channel.EMAIL)
    bench.email("<p>x</p>", category="critical")
    critical = bench.render({}, channel=Channel.EMAIL)

    assert isinstance(marketing, EmailContent)
    assert isinstance(critical, EmailContent)
    assert marketing.headers == (
        ("List-Unsubscribe", f"<{LINK}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    assert critical.headers == (("Auto-Submitted", "auto-generated"),)
    assert read(build(marketing))["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert read(build(critical))["Content-Language"] == "en"
