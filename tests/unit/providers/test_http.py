"""What comes of a call, and what is known of whether the request was taken."""

import asyncio
import gzip
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.encoding import encode
from gateway.domain.messages import Outcome
from gateway.errors import ConfigurationError
from providers.conformance.fault_server import Mishap, Reply, open_fault_server
from providers.http import Answer, HttpClient, HttpSettings, NoAnswer
from providers.http_answers import classify, read_object, refusal, retry_after_seconds

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def answer(status: int = 200, body: bytes | None = b"", **headers: str) -> Answer:
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


async def call(url: str, **settings: float) -> Answer | NoAnswer:
    client = HttpClient("main", HttpSettings(timeout_seconds=settings.get("timeout_seconds", 0.5)))
    try:
        return await client.call("POST", url, headers={"Content-Type": "text/plain"}, body=b"hello")
    finally:
        await client.aclose()


async def test_an_answer_is_read_whole_and_shows_nothing_of_itself() -> None:
    async with open_fault_server(Reply(status=201, headers={"X-Message-Id": "abc"}, body=b'{"a": 1}')) as server:
        found = await call(server.url)

        assert isinstance(found, Answer)
        assert (found.status, found.headers["x-message-id"], found.body) == (201, "abc", b'{"a": 1}')
        assert "abc" not in repr(found)
        assert (server.requests[0].body, server.requests[0].headers["accept-encoding"]) == (b"hello", "identity")


@pytest.mark.parametrize("mishap", [Mishap.RESET_BEFORE_BODY, Mishap.RESET_AFTER_BODY, Mishap.HANG, Mishap.NO_HTTP])
async def test_after_a_connection_stood_a_lost_answer_is_unknown(mishap: Mishap) -> None:
    async with open_fault_server(mishap) as server:
        found = await call(server.url)

        assert isinstance(found, NoAnswer)
        assert found.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("mishap", [Mishap.DRIP, Mishap.TRUNCATED_GZIP, Mishap.ENDLESS])
async def test_the_status_stands_where_the_body_is_not_to_be_had(mishap: Mishap) -> None:
    async with open_fault_server(mishap) as server:
        found = await call(server.url)

        assert isinstance(found, Answer)
        assert (found.status, found.body) == (200, None)


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("http://127.0.0.1:1/", Outcome.TRANSIENT),
        ("http://nowhere.invalid/", Outcome.TRANSIENT),
        ("http://[::1/", Outcome.MISCONFIGURED),
        ("http:///x", Outcome.MISCONFIGURED),
        (f"http://{'a' * 64}.invalid/", Outcome.MISCONFIGURED),
        ("http://a..invalid/", Outcome.MISCONFIGURED),
        ("http://nowhere.invalid:99999/", Outcome.MISCONFIGURED),
    ],
)
async def test_without_a_connection_nothing_was_taken(url: str, outcome: Outcome) -> None:
    found = await call(url)

    assert isinstance(found, NoAnswer)
    assert found.outcome is outcome


async def test_a_server_without_tls_is_a_wrong_setting() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        found = await call(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout_seconds=5)

        assert isinstance(found, NoAnswer)
        assert (found.outcome, found.code) == (Outcome.MISCONFIGURED, "tls")


async def test_what_comes_compressed_unasked_is_not_unpacked() -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    async with open_fault_server(Reply(headers={"Content-Encoding": "gzip"}, body=packed)) as server:
        found = await call(server.url, timeout_seconds=5)

        assert isinstance(found, Answer)
        assert found.body is None


def test_a_file_of_certificates_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")

    with pytest.raises(ConfigurationError, match=r"providers\.main\.ca_file: .*ca\.pem is no readable file") as refused:
        HttpClient("main", HttpSettings(ca_file=tmp_path / "ca.pem"))
    assert isinstance(refused.value.__cause__, ssl.SSLError)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, None, Outcome.REJECTED),
        (400, "ours", Outcome.OPTED_OUT),
        (503, "ours", Outcome.OPTED_OUT),
        (401, None, Outcome.MISCONFIGURED),
        (404, "theirs", Outcome.MISCONFIGURED),
        (408, None, Outcome.TRANSIENT),
        (413, None, Outcome.REJECTED),
        (418, "theirs", Outcome.REJECTED),
        (429, None, Outcome.THROTTLED),
        (500, "theirs", Outcome.TRANSIENT),
        (500, None, Outcome.UNKNOWN),
        (502, None, Outcome.UNKNOWN),
        (200, None, Outcome.UNKNOWN),
        (302, None, Outcome.MISCONFIGURED),
        (303, None, Outcome.UNKNOWN),
    ],
)
def test_every_answer_has_one_meaning(status: int, code: str | None, outcome: Outcome) -> None:
    assert classify(answer(status), code, {"ours": Outcome.OPTED_OUT}) is outcome


@given(st.integers(min_value=100, max_value=999), st.none() | st.just("theirs"))
def test_no_answer_counts_as_taken_by_its_status_alone(status: int, code: str | None) -> None:
    assert classify(answer(status), code, {}) not in (Outcome.SENT, Outcome.DELIVERED)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Sun, 22 Nov 2026 08:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("Sun, 22 Nov 99999999999999999999 08:02:00 GMT", None),
        ("Sun, 22 Nov 2026 08:02:00 +99999999999999999", None),
        ("-5", None),
        ("٧", None),
        ("9" * 400, None),
        ("", None),
    ],
)
def test_the_wait_is_read_in_both_its_forms(asked: str, seconds: float | None) -> None:
    assert retry_after_seconds(answer(429, retry_after=asked), NOW) == seconds


def test_a_date_is_read_by_the_servers_own_clock() -> None:
    skewed = answer(429, retry_after="Sun, 22 Nov 2026 09:00:30 GMT", date="Sun, 22 Nov 2026 09:00:00 GMT")

    assert retry_after_seconds(skewed, NOW - timedelta(days=3)) == 30.0


@given(st.text())
def test_no_wait_comes_apart(asked: str) -> None:
    wait = retry_after_seconds(answer(429, retry_after=asked), NOW)

    assert wait is None or wait >= 0


@given(st.binary())
def test_no_body_comes_apart(body: bytes) -> None:
    assert isinstance(read_object(answer(200, body)), dict)


@pytest.mark.parametrize("odd", ["\0", "\ud800", "x" * 100_000], ids=["NUL", "half a letter", "endless"])
def test_a_refusal_can_be_kept_whatever_its_words_are(odd: str) -> None:
    result = refusal(answer(400), odd, f"no {odd}", {}, now=NOW)

    assert result.outcome is Outcome.REJECTED
    kept = encode(result)
    assert len(kept) < 1_000
    assert b"\\u0000" not in kept
