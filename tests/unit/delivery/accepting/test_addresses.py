"""Addresses and places as callers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.accepting.addresses import (
    BadAddress,
    BadEmail,
    BadPhone,
    BadRegion,
    UnknownCountry,
    UnknownTimezone,
    check_country,
    check_region,
    check_timezone,
    parse_email,
    parse_phone,
)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("amina@example.org", "amina@example.org"),
        ("Amina.B+shop@EXAMPLE.org", "Amina.B+shop@example.org"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("a@EXAMPLE．org", "a@example.org"),
        ("e\u0301@example.org", "é@example.org"),
        ("rehearsal@good.test", "rehearsal@good.test"),
        ("heliograph@localhost.localdomain", "heliograph@localhost.localdomain"),
    ],
)
def test_an_email_address_is_kept_in_one_form(written: str, kept: str) -> None:
    assert parse_email(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "amina",
        "@example.org",
        "amina@",
        "a@b",
        "a@example.org, b@example.org",
        "a@example.org,b@example.org",
        "a@example.org;b@example.org",
        "Amina <amina@example.org>",
        "(comment)amina@example.org",
        "amina@example.org(comment)",
        "alice@example.org)bob@evil.example",
        '"a b"@example.org',
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@example..org",
        "a@-example.org",
        "a@example.org.",
        "a\0@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "a@example.org\n",
        " a@example.org",
        "a@ex\u200bample.org",
        "a\u202e@example.org",
        "a\u2028@example.org",
        "\ud800@example.org",
        "=?utf-8?q?a=0d=0aBcc:?=@example.org",
        "mailto:a@example.org",
        "a@xn--a.org",
        f"{'a' * 65}@example.org",
        f"a@{'b' * 250}.org",
        f"{'a' * 100_000}@example.org",
        f"{'é' * 40}@example.org",
    ],
)
def test_what_is_not_one_email_address_is_refused(written: str) -> None:
    with pytest.raises(BadEmail):
        parse_email(written)


@given(st.text(max_size=60) | st.emails())
def test_an_email_address_is_refused_or_normalised_once_and_for_all(written: str) -> None:
    try:
        kept = parse_email(written)
    except BadAddress:
        return

    assert parse_email(kept) == kept
    assert not any(character.isspace() or character in "<>,\0" for character in kept)
    assert kept.rpartition("@")[2].isascii()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+33612345678", "+33612345678"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("+33 (0)6 12-34.56.78", "+33612345678"),
        ("+15005550006", "+15005550006"),
        ("+12125550123", "+12125550123"),
        ("+972501234567", "+972501234567"),
        ("+8613812345678", "+8613812345678"),
    ],
)
def test_a_number_is_kept_in_e164(written: str, kept: str) -> None:
    assert parse_phone(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0612345678",
        "33612345678",
        "+٣٣612345678",
        "＋33612345678",
        "+33612345678\n",
        "+33612345678\0",
        "+33612345678;ext=3",
        "+33612345678 ext. 3",
        "tel:+33612345678",
        "+33612345678,+33612345679",
        "+999123456789",
        "+3361234",
        "+336123456789012345",
        "+19005551234",
        "+33899123456",
        "+" + "1" * 100_000,
    ],
)
def test_what_a_text_message_cannot_go_to_is_refused(written: str) -> None:
    with pytest.raises(BadPhone):
        parse_phone(written)


@given(st.from_regex(r"\+[0-9 ().-]{1,40}", fullmatch=True) | st.text(max_size=40))
def test_a_number_is_refused_or_normalised_once_and_for_all(written: str) -> None:
    try:
        kept = parse_phone(written)
    except BadAddress:
        return

    assert parse_phone(kept) == kept
    assert kept[0] == "+"
    assert kept[1:].isdecimal()
    assert kept.isascii()


def test_zones_are_those_of_the_iana_database() -> None:
    assert check_timezone("America/Toronto") == "America/Toronto"
    for wrong in ("", "Mars/Olympus", "america/toronto", "../../etc/passwd", "UTC+2"):
        with pytest.raises(UnknownTimezone, match="Europe/Paris"):
            check_timezone(wrong)


def test_countries_are_iso_3166_alpha_2() -> None:
    assert check_country("fr") == "FR"
    for wrong in ("", "FRA", "XX", "ﬁ", "F\0"):
        with pytest.raises(UnknownCountry):
            check_country(wrong)
    with pytest.raises(UnknownCountry, match="GB"):
        check_country("UK")


def test_a_region_lies_in_its_country() -> None:
    assert check_region("us-tx") == "US-TX"
    assert check_region("CA-QC", "CA") == "CA-QC"
    for wrong in ("", "TX", "XX-TX", "US-", "US-TEXAS", "US-TX\n"):
        with pytest.raises(BadRegion, match="US-TX"):
            check_region(wrong)
    with pytest.raises(BadRegion, match="does not lie in"):
        check_region("US-TX", "CA")
