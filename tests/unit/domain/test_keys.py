"""API keys: their form, their secret, what they open."""

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.keys import DEFAULT_SCOPES, is_usable, make_token, parse_rate, parse_scopes, parse_token
from tests.factories import NOW


@pytest.mark.parametrize("live", [True, False], ids=["live", "test"])
def test_a_key_is_read_back_as_it_was_made(live: bool) -> None:
    token = make_token(live=live, now=NOW)

    assert token.text.startswith("hg_live_" if live else "hg_test_")
    assert parse_token(token.text) == token


def test_only_the_hash_of_the_secret_is_kept_and_it_matches_no_other_key() -> None:
    token = make_token(live=True, now=NOW)
    other = make_token(live=True, now=NOW)

    assert token.secret_hash == hashlib.sha256(token.secret.encode()).hexdigest()
    assert token.matches(token.secret_hash)
    assert not other.matches(token.secret_hash)
    assert token.secret not in repr(token)


@given(st.text())
def test_other_texts_are_no_keys(text: str) -> None:
    assert parse_token(text) is None


def test_a_key_with_anything_changed_around_it_is_none() -> None:
    text = make_token(live=True, now=NOW).text

    assert [parse_token(wrong) for wrong in (f" {text}", f"{text}\n", text.upper(), text[:-1], f"{text}0")] == [
        None
    ] * 5


def test_no_scopes_named_means_send_and_read() -> None:
    assert parse_scopes([]) == DEFAULT_SCOPES == {"send", "read"}
    assert parse_scopes(["ops", "ops"]) == {"ops"}


def test_an_unknown_scope_is_named() -> None:
    with pytest.raises(ValueError, match="Unknown scope root"):
        parse_scopes(["send", "root"])


def test_a_rate_is_requests_per_second() -> None:
    assert parse_rate("50/s") == 50.0
    assert parse_rate("0.5/s") == 0.5


@pytest.mark.parametrize("text", ["", "50", "0/s", "-1/s", "50/m", "١/s", "inf/s"])
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 50/s"):
        parse_rate(text)


def test_a_key_opens_until_it_ends_or_is_revoked() -> None:
    later = NOW + timedelta(seconds=1)

    assert is_usable(expires_at=None, revoked_at=None, now=NOW)
    assert is_usable(expires_at=later, revoked_at=None, now=NOW)
    assert not is_usable(expires_at=NOW, revoked_at=None, now=NOW)
    assert not is_usable(expires_at=None, revoked_at=later, now=NOW)
