"""The signature of inbound texts: what openssl signs is believed, and nothing that differs by a byte or by time."""

import hashlib
import hmac
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.ports import WebhookRequest
from providers.mailbox_webhook import SIGNATURE, TIMESTAMP, is_signed, read_text, sign

SECRET = "a secret of some length"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
BODY = b'{"id": "evt-1", "from": "+33612345678", "text": "STOP"}'


def call(headers: dict[str, str], body: bytes = BODY, at: datetime = NOW) -> WebhookRequest:
    lower = {name.lower(): value for name, value in headers.items()}
    return WebhookRequest(url="http://127.0.0.1/webhooks/mailbox", headers=lower, body=body, received_at=at)


def test_what_openssl_signs_as_the_docs_show_is_believed() -> None:
    signed = f"{SECONDS}.".encode() + BODY
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", SECRET, "-r"], input=signed, capture_output=True, check=True
    ).stdout.split()[0]

    assert is_signed(SECRET, call({TIMESTAMP: str(SECONDS), SIGNATURE: f"sha256={digest.decode()}"}))


@given(body=st.binary(max_size=200), secret=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_the_signature_is_an_hmac_of_timestamp_and_raw_bytes(body: bytes, secret: str) -> None:
    wanted = hmac.new(secret.encode(), f"{SECONDS}.".encode() + body, hashlib.sha256).hexdigest()

    headers = sign(secret, SECONDS, body)

    assert headers[SIGNATURE] == f"sha256={wanted}"
    assert is_signed(secret, call(headers, body))


@given(data=st.data())
def test_one_changed_byte_is_enough_to_refuse(data: st.DataObject) -> None:
    headers = sign(SECRET, SECONDS, BODY)
    at = data.draw(st.integers(0, len(BODY) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != BODY[at]))

    assert not is_signed(SECRET, call(headers, BODY[:at] + bytes([other]) + BODY[at + 1 :]))


@given(signature=st.text(max_size=80), timestamp=st.text(max_size=20))
def test_no_headers_whatever_raise_or_are_believed(signature: str, timestamp: str) -> None:
    assert not is_signed(SECRET, call({SIGNATURE: signature, TIMESTAMP: timestamp}))


@pytest.mark.parametrize(
    ("offset", "fresh"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)], ids=str
)
def test_only_what_was_signed_lately_is_believed(offset: int, fresh: bool) -> None:
    headers = sign(SECRET, SECONDS + offset, BODY)

    assert is_signed(SECRET, call(headers)) is fresh


def test_a_text_is_read_with_all_it_tells() -> None:
    inbound = read_text(
        b'{"id": "e", "from": "+33612345678", "to": "SHOP", "text": "", "at": "2026-11-22T09:00:00+01:00", "x": 1}'
    )

    assert (inbound.event_id, inbound.sender, inbound.recipient, inbound.text) == ("e", "+33612345678", "SHOP", "")
    assert inbound.sent_at == NOW.replace(tzinfo=UTC) + timedelta(0)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"[]", []),
        (b"\xff", []),
        (b"{}", ["/id", "/from", "/text"]),
        (b'{"id": "", "from": 1, "text": "x"}', ["/id", "/from"]),
        (b'{"id": "e", "from": "+1", "text": "\\u0000"}', ["/text"]),
        (b'{"id": "e", "from": "+1", "text": "\\ud800"}', ["/text"]),
        (b'{"id": "e", "from": "+1", "text": "x", "at": "soon"}', ["/at"]),
        (b'{"id": "e", "from": "+1", "text": "x", "at": "2026-11-22T08:00:00"}', ["/at"]),
        (b'{"id": "e", "from": "+1", "text": "x", "at": "9999-12-31T23:59:59-14:00"}', ["/at"]),
        (b'{"id": "' + b"e" * 201 + b'", "from": "+1", "text": "x"}', ["/id"]),
    ],
)
def test_what_is_no_text_is_refused_by_name(body: bytes, pointers: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_text(body)

    assert [problem.pointer for problem in refused.value.problems] == pointers
