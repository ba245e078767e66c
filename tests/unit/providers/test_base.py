"""What every adapter does the same way."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain.messages import Outcome
from gateway.domain.recipients import Channel
from providers.base import redacted, wrong_channel
from providers.conformance.suite import make_envelope


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("<amina.benali@example.org>: unknown", "<a•••@example.org>: unknown"),
        ("User amina.benali unknown", "User ••• unknown"),
        ("User AMINA.BENALI unknown", "User ••• unknown"),
        ("call +33612345678 now", "call +33•••78 now"),
        ("two\r\nlines\0 and\x1b[31m more", "two lines and [31m more"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_a_providers_words_lose_addresses_and_controls(words: str, shown: str) -> None:
    assert redacted(words, "amina.benali@example.org") == shown


def test_a_number_is_known_without_its_plus_as_well() -> None:
    assert redacted("no 33612345678, 0033612345678 or 336123456789", "+33612345678") == "no •••, ••• or 336123456789"


@given(st.text(), st.emails())
@example("", "'@a.af")
def test_redacted_words_are_one_short_line_without_the_address(text: str, address: str) -> None:
    shown = redacted(f"{text} {address} {text}", address)

    assert address not in shown
    assert len(shown) <= 240
    assert len(shown.splitlines()) <= 1


def test_endless_words_are_redacted_in_linear_time() -> None:
    started = time.process_time()
    redacted("a" * 500_000, "amina.benali@example.org")

    assert time.process_time() - started < 2


def test_a_wrong_channel_is_a_matter_of_the_routes() -> None:
    result = wrong_channel(make_envelope(Channel.SMS))

    assert result.outcome is Outcome.MISCONFIGURED
    assert "sms" in (result.detail or "")
