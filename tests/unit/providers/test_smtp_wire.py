"""What is said over SMTP and what its answers mean, without a wire."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.messages import Outcome
from providers.smtp import SmtpSettings
from providers.smtp_answers import Answer, Stage, classify, read_reply
from providers.smtp_transaction import bare_address, prepare_text, wire_address


def test_the_bare_address_is_the_bare_address_of_the_sender() -> None:
    assert bare_address("Shop <shop@example.com>") == "shop@example.com"
    assert bare_address("shop@example.com") == "shop@example.com"
    assert bare_address('"Shop, <evil@example.org>" <shop@bücher.example>') == "shop@xn--bcher-kva.example"
    assert bare_address("Shop") is None


@given(st.text(max_size=40))
def test_whatever_the_address_no_command_can_be_read_into_it(text: str) -> None:
    wire = wire_address(text)

    assert wire is None or not any(character in wire for character in "\r\n\0 <>")


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"\r", b"\n", b"\r\n", b"\r\n.\r\n", b" "]), max_size=30))
def test_any_text_arrives_line_by_line_and_cannot_end_early(pieces: list[bytes]) -> None:
    mime = b"".join(pieces)

    text = prepare_text(mime)

    lines = text.split(b"\r\n")
    assert lines.pop() == b""
    assert b"\r" not in b"".join(lines)
    assert b"\n" not in b"".join(lines)
    assert b"." not in lines
    meant = re.split(rb"\r\n|\r|\n", mime)
    if meant[-1] == b"" and len(meant) > 1:
        meant.pop()
    assert [line.removeprefix(b".") for line in lines] == meant


@pytest.mark.parametrize(
    ("stage", "reply", "outcome"),
    [
        ("dot", "250 2.0.0 Ok", Outcome.SENT),
        ("rcpt", "550 5.1.1 No such user", Outcome.INVALID_RECIPIENT),
        ("dot", "550 5.1.1 No such user", Outcome.INVALID_RECIPIENT),
        ("rcpt", "550 5.1.10 Null MX", Outcome.INVALID_RECIPIENT),
        ("mail", "550 5.1.8 Your domain does not exist", Outcome.MISCONFIGURED),
        ("rcpt", "553 5.1.7 Sender malformed", Outcome.MISCONFIGURED),
        ("mail", "550 5.1.0 Sender denied", Outcome.MISCONFIGURED),
        ("rcpt", "550 User unknown, perhaps", Outcome.REJECTED),
        ("rcpt", "550 5.7.1 Blocked", Outcome.REJECTED),
        ("dot", "554 5.7.1 Spam", Outcome.REJECTED),
        ("dot", "552 5.3.4 Too big", Outcome.REJECTED),
        ("dot", "552 Too big", Outcome.REJECTED),
        ("rcpt", "550 5.2.1 Disabled", Outcome.REJECTED),
        ("rcpt", "552 5.2.2 Mailbox full", Outcome.TRANSIENT),
        ("rcpt", "452 4.2.2 Mailbox full", Outcome.TRANSIENT),
        ("rcpt", "450 4.7.1 Greylisted", Outcome.TRANSIENT),
        ("dot", "451 Local error", Outcome.TRANSIENT),
        ("mail", "421 4.7.0 Too fast", Outcome.THROTTLED),
        ("auth", "454 4.7.0 Busy", Outcome.THROTTLED),
        ("auth", "535 5.7.8 Wrong", Outcome.MISCONFIGURED),
        ("auth", "550 5.7.1 Account closed", Outcome.MISCONFIGURED),
        ("mail", "530 5.7.0 Authenticate first", Outcome.MISCONFIGURED),
        ("connect", "554 Barred", Outcome.MISCONFIGURED),
        ("connect", "450 Later", Outcome.TRANSIENT),
        ("mail", "503 Bad sequence", Outcome.MISCONFIGURED),
        ("dot", "550 4.2.1 A contradiction", Outcome.REJECTED),
        ("mail", "354 Out of turn", Outcome.TRANSIENT),
        ("rcpt", "024 2.0.0 No code at all", Outcome.TRANSIENT),
    ],
)
def test_every_answer_has_one_meaning(stage: str, reply: str, outcome: Outcome) -> None:
    code, _, text = reply.partition(" ")

    assert classify(Answer(stage=Stage(stage), reply=read_reply(int(code), [text]))) is outcome


@given(
    st.sampled_from(Stage),
    st.integers(min_value=-1, max_value=999),
    st.from_regex(r"([245]\.\d{1,3}\.\d{1,3})? .*", fullmatch=True),
)
def test_whatever_is_answered_only_silence_after_the_dot_is_unknown(stage: Stage, code: int, text: str) -> None:
    answered = classify(Answer(stage=stage, reply=read_reply(code, [text])))
    silent = classify(Answer(stage=stage, reply=None))

    assert answered is not Outcome.UNKNOWN
    assert (silent is Outcome.UNKNOWN) == (stage is Stage.DOT)


def test_the_enhanced_code_is_taken_off_every_line() -> None:
    reply = read_reply(550, ["5.1.1 No such user", "5.1.1 here"])

    assert (reply.label, reply.text) == ("550 5.1.1", "No such user here")


def test_the_password_shows_nowhere() -> None:
    assert "hunter2" not in repr(SmtpSettings(host="relay.test", username="shop", password="hunter2"))
