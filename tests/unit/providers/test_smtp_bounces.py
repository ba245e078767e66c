"""What mail that comes back says: by the standard, by heuristics, and nothing at all."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import DeliveryId, Evidence, Receipt, SuppressionReason
from providers.smtp_bounces import read_bounce
from tests.stopwatch import cpu_seconds

DELIVERY = DeliveryId("dlv_" + "0" * 26)
AMINA = "Amina@example.org"
BOUNCE = SuppressionReason.BOUNCE


def report(*groups: str, of_mail: str = "Reporting-MTA: dns; mx.example.net\n", head: str = "") -> bytes:
    """A report by RFC 3464, as Postfix builds it."""
    fields = "\n".join(group.strip() + "\n" for group in groups)
    return f"""\
From: MAILER-DAEMON@mx.example.net
To: bounce@example.com
Message-ID: <1@mx.example.net>
{head}Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system at host mx.example.net.

--b
Content-Type: message/delivery-status

{of_mail}
{fields}
--b
Content-Type: text/rfc822-headers

Return-Path: <bounce@example.com>
Subject: hello

--b--
""".replace("\n", "\r\n").encode()


def group(action: str, status: str, to: str = "amina@example.org", code: str = "") -> str:
    words = f"Diagnostic-Code: smtp; {code}\n" if code else ""
    whom = f"Final-Recipient: rfc822; {to}\nOriginal-Recipient: rfc822;amina@example.org\n"
    return f"{whom}Action: {action}\n{words}Status: {status}"


def read(mail: bytes, address: str | None = AMINA) -> tuple[Receipt, ...]:
    return read_bounce(mail, DELIVERY, address)


@pytest.mark.parametrize(
    ("action", "status", "code", "expected"),
    [
        ("delivered", "2.0.0", "", (Evidence.DELIVERED, None, "2.0.0")),
        ("relayed", "2.0.0", "250 2.0.0 Ok", (Evidence.TAKEN, None, "2.0.0")),
        ("expanded", "2.0.0", "", (Evidence.TAKEN, None, "2.0.0")),
        ("delayed", "4.4.1", "", (Evidence.TAKEN, None, "4.4.1")),
        ("failed", "5.1.1", "550 5.1.1 unknown", (Evidence.BOUNCED, BOUNCE, "5.1.1")),
        ("failed", "5.1.10", "", (Evidence.BOUNCED, BOUNCE, "5.1.10")),
        # No more than its class: the server's own words say what it was.
        ("failed", "5.0.0", "550 5.1.1 unknown", (Evidence.BOUNCED, BOUNCE, "5.1.1")),
        ("failed", "5.0.0", "550 no 5.1.1.5 such host", (Evidence.BOUNCED, None, "5.0.0")),
        ("failed", "5.0.0", "450 4.1.1 later", (Evidence.BOUNCED, None, "5.0.0")),
        ("failed", "5.1.8", "", (Evidence.BOUNCED, None, "5.1.8")),
        ("failed", "5.7.1", "550 5.7.1 blocked", (Evidence.BOUNCED, None, "5.7.1")),
        ("failed", "5.2.2", "552 5.2.2 full", (Evidence.UNDELIVERED, None, "5.2.2")),
        # Retries spent: nothing is wrong with the address.
        ("failed", "4.4.1", "", (Evidence.UNDELIVERED, None, "4.4.1")),
        ("failed", "4.1.1", "", (Evidence.UNDELIVERED, None, "4.1.1")),
        ("Failed (bad)", "5.1.1 (bad)", "", (Evidence.BOUNCED, BOUNCE, "5.1.1")),
        ("error", "5.1.1", "", (Evidence.BOUNCED, BOUNCE, "5.1.1")),
        ("failed", "", "550 5.1.1 unknown", (Evidence.BOUNCED, BOUNCE, "5.1.1")),
        ("failed", "nonsense", "", (Evidence.BOUNCED, None, None)),
        ("odd", "2.0.0", "", (None, None, "2.0.0")),
    ],
)
def test_each_action_has_its_meaning(action: str, status: str, code: str, expected: tuple[object, ...]) -> None:
    (receipt,) = read(report(group(action, status, code=code)))

    assert (receipt.evidence, receipt.suppress, receipt.code) == expected
    assert receipt.delivery_id == DELIVERY


def test_a_report_on_several_says_each_and_condemns_no_alias_for_its_members() -> None:
    told = read(
        report(
            group("failed", "5.1.1", to="member@elsewhere.example"),
            group("delivered", "2.0.0", to="other@elsewhere.example"),
            group("failed", "4.4.1", to="third@elsewhere.example"),
        )
    )

    assert [one.evidence for one in told] == [Evidence.BOUNCED, Evidence.DELIVERED, Evidence.UNDELIVERED]
    assert {one.suppress for one in told} == {None}
    assert len({one.event_id for one in told}) == 3


@pytest.mark.parametrize("address", ["victim@example.org", None], ids=["another address", "one that is forgotten"])
def test_a_report_condemns_nobody_whom_it_does_not_name(address: str | None) -> None:
    (receipt,) = read(report(group("failed", "5.1.1")), address)

    assert (receipt.evidence, receipt.suppress) == (Evidence.BOUNCED, None)


def test_the_id_of_our_envelope_names_the_call_and_another_ones_is_not_believed() -> None:
    ours = read(report(group("failed", "5.1.1"), of_mail=f"Original-Envelope-Id: {DELIVERY}.att_2\n"))
    others = read(report(group("failed", "5.1.1"), of_mail="Original-Envelope-Id: dlv_9.att_9\n"))

    assert [one.attempt_id for one in (*ours, *others)] == ["att_2", None]


def test_the_same_report_told_again_by_another_way_is_the_same() -> None:
    mail = report(group("failed", "5.1.1"))

    assert read(mail) == read(b"Received: from a by b\r\n" + mail)
    assert read(mail)[0].event_id != read(mail.replace(b"<1@mx", b"<2@mx"))[0].event_id


def test_no_address_is_left_in_what_is_kept() -> None:
    mail = report(group("failed", "5.1.1", code="550 5.1.1 <amina@example.org>: amina is no user; ask bob@example.net"))

    kept = repr(read(mail))

    assert "amina" not in kept.lower()
    assert "bob" not in kept


@pytest.mark.parametrize("encoding", ["8bit", "base64"])
def test_reports_beyond_ascii_are_read(encoding: str) -> None:
    whom = "Final-Recipient: utf-8; anaïs@bücher.example"
    fields = f"Reporting-MTA: dns; mx\r\n\r\n{whom}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    body = base64.b64encode(fields.encode()) if encoding == "base64" else fields.encode()
    head = f"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()

    (receipt,) = read(b"Message-ID: <1@b>\r\n" + head + body, "anaïs@xn--bcher-kva.example")

    assert receipt.suppress is BOUNCE


EXIM = """\
X-Failed-Recipients: amina@example.org
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
Message-ID: <3@mx.example.net>
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

  amina@example.org
    host mx.example.org [192.0.2.5.1.1]:
    550 5.1.1 <amina@example.org>: Recipient address rejected
"""
QMAIL = """\
From: MAILER-DAEMON@mx.example.net
Message-ID: <4@mx.example.net>
Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<amina@example.org>:
Sorry, no mailbox here by that name. (#5.1.1)
"""


@pytest.mark.parametrize("text", [EXIM, QMAIL], ids=["exim", "qmail"])
def test_servers_that_write_no_reports_are_understood(text: str) -> None:
    (receipt,) = read(text.replace("\n", "\r\n").encode())

    assert (receipt.status, receipt.evidence, receipt.code) == ("failed", Evidence.BOUNCED, "5.1.1")
    assert receipt.suppress is BOUNCE


def test_heuristics_condemn_an_address_only_where_they_find_it_with_a_code() -> None:
    (nameless,) = read(QMAIL.encode(), "victim@example.org")
    (uncoded,) = read(QMAIL.replace("(#5.1.1)", "").encode())

    assert (nameless.suppress, uncoded.suppress) == (None, None)
    assert (nameless.evidence, uncoded.evidence) == (Evidence.BOUNCED, Evidence.BOUNCED)


OUT_OF_OFFICE = b"""From: amina@example.org\r
Auto-Submitted: auto-replied\r
Subject: Out of office\r
\r
I am away until Monday; please write to bob@example.net. Error 5.1.1 is my favourite.\r
"""


@pytest.mark.parametrize("mail", [b"", b"\0", OUT_OF_OFFICE, b"Content-Type: message/delivery-status\r\n\r\n"])
def test_what_reports_nothing_says_nothing(mail: bytes) -> None:
    assert read(mail) == ()


BITS = (
    b"Content-Type: multipart/report; boundary=b\r\n\r\n",
    b"--b\r\n",
    b"--b--",
    b"Content-Type: message/delivery-status\r\n\r\n",
    b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    b"Action: failed\r\n",
    b"Action: \r\n",
    b"Status: 5.1.1\r\n",
    b"Final-Recipient: utf-8; \\x{D800}\\x{FFFFF}@x\r\n",
    b"Final-Recipient: rfc822; @\xff\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Type: text/plain; charset=\xff\r\n",
    b"Failed Recipients ------\r\n",
    b"<amina@example.org>:\r\n",
    b"\r\n",
)


@given(st.lists(st.one_of(st.sampled_from(BITS), st.binary(max_size=40)), max_size=25).map(b"".join))
def test_no_mail_whatever_breaks_it_or_condemns_a_stranger(mail: bytes) -> None:
    for receipt in read(mail, "stranger@example.net"):
        assert receipt.suppress is None
        assert receipt.detail is None or "\0" not in receipt.detail
        repr(receipt).encode()


def test_a_mail_that_nests_without_end_is_let_be() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(1_500))

    assert read(deep) == ()


@pytest.mark.parametrize(
    "mail",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(300))
        + b"\n" * 10**5,
        b"Content-Type: message/delivery-status\n\n" + b"\n" * 10**5,
        b"Content-Type: message/delivery-status\r\r" + b"\r" * 10**5,
        b"Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: base64\n\n"
        + base64.b64encode(b"A: b\n\n" * 12_000),
    ],
    ids=["parts in parts", "empty groups", "lines of old", "groups in disguise"],
)
def test_no_mail_keeps_its_reader_busy(mail: bytes) -> None:
    assert read(mail) == ()
    assert cpu_seconds(lambda: read(mail)) < 0.5
