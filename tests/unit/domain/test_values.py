"""Ids sort by time, addresses are masked, and durations read as people write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.durations import format_duration, parse_duration
from gateway.domain.ids import MESSAGE, RecipientId, SuppressionId, make_id
from gateway.domain.instants import rfc3339_or_none
from gateway.domain.messages import Lane, Priority, lane_of
from gateway.domain.preferences import Category, Suppression, SuppressionReason
from gateway.domain.recipients import Channel, EmailAddress, PhoneNumber, PushDevice, PushPlatform, Recipient, masked

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(first=instants, second=instants, entropy=st.integers(0, 2**80 - 1))
def test_ids_sort_by_the_millisecond_they_were_made(first: datetime, second: datetime, entropy: int) -> None:
    earlier, later = sorted((first, second))

    if later - earlier >= timedelta(milliseconds=2):
        assert make_id(MESSAGE, earlier, entropy) < make_id(MESSAGE, later)


def test_an_id_is_its_prefix_and_26_digits_and_never_comes_twice() -> None:
    made = {make_id(MESSAGE, NOON) for _ in range(1000)}

    assert len(made) == 1000
    assert all(one.startswith("msg_") and len(one) == 30 for one in made)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("amina@example.org", "a•••@example.org"),
        ('"a@b"@example.org', '"•••@example.org'),
        ("+33612345678", "+33•••78"),
        ("dGhpcyBpcyBhIHRva2Vu", "dGhp•••"),
    ],
)
def test_a_masked_address_can_be_recognised_but_not_written_to(address: str, shown: str) -> None:
    assert masked(address) == shown


@given(at=instants, entropy=st.integers(0, 2**80 - 1))
def test_an_id_is_base_32_of_its_milliseconds_and_its_entropy(at: datetime, entropy: int) -> None:
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    milliseconds = int(at.timestamp() * 1000)

    made = make_id(MESSAGE, at, entropy)

    digits = made.removeprefix("msg_")
    number = sum(alphabet.index(digit) * 32**place for place, digit in enumerate(reversed(digits)))
    assert number == (milliseconds << 80) + entropy


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (NOON, "2026-11-22T12:00:00Z"),
        (NOON.replace(microsecond=7), "2026-11-22T12:00:00.000007Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2026-11-22T12:00:00Z"),
        (None, None),
    ],
)
def test_instants_are_shown_in_utc_with_z(at: datetime | None, shown: str | None) -> None:
    assert rfc3339_or_none(at) == shown


FULL = Recipient(
    id=RecipientId("user-42"),
    email=EmailAddress("a@example.org"),
    phone=PhoneNumber("+33612345678"),
    push=(PushDevice(platform=PushPlatform.FCM, token="device-1"),),
    locale="fr-CA",
    timezone="America/Toronto",
    country="CA",
    region="CA-QC",
    attributes={"plan": "pro"},
)


def test_nothing_inline_leaves_what_is_stored_and_nothing_stored_leaves_what_is_inline() -> None:
    assert FULL.overlaid(Recipient()) == FULL
    assert Recipient().overlaid(FULL) == FULL


def test_every_inline_value_stands_above_the_stored_one() -> None:
    inline = Recipient(
        id=RecipientId("user-43"),
        email=EmailAddress("b@example.org"),
        phone=PhoneNumber("+4915112345678"),
        push=(PushDevice(platform=PushPlatform.APNS, token="device-2"),),
        locale="de",
        timezone="Europe/Berlin",
        country="DE",
        region="DE-BE",
        attributes={"plan": "free"},
    )

    assert FULL.overlaid(inline) == inline


def test_inline_values_win_and_the_rest_is_taken_from_what_is_stored() -> None:
    stored = Recipient(email=EmailAddress("a@example.org"), locale="fr", attributes={"plan": "free", "name": "A"})
    inline = Recipient(phone=PhoneNumber("+33612345678"), locale="de", attributes={"plan": "pro"})

    merged = stored.overlaid(inline)

    assert (merged.email, merged.phone, merged.locale) == ("a@example.org", "+33612345678", "de")
    assert merged.attributes == {"plan": "pro", "name": "A"}


def test_addresses_by_channel() -> None:
    browser = PushDevice(platform=PushPlatform.WEBPUSH, subscription={"endpoint": "https://push.example/1"})
    person = Recipient(email=EmailAddress("a@example.org"), push=(browser,))

    assert person.addresses(Channel.EMAIL) == ("a@example.org",)
    assert person.addresses(Channel.SMS) == ()
    assert person.addresses(Channel.PUSH) == ("https://push.example/1",)
    assert FULL.addresses(Channel.SMS) == ("+33612345678",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("5s", 5), ("15m", 900), ("2h", 7200), ("3d", 259200), ("1w", 604800)],
)
def test_durations_read_as_people_write_them(text: str, expected: float) -> None:
    assert parse_duration(text).total_seconds() == expected


@given(milliseconds=st.integers(0, 10**12))
def test_a_duration_is_written_in_the_largest_unit_that_divides_it(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)

    written = format_duration(duration)

    # Milliseconds have at most nine digits on paper; what is longer is still spelled out whole.
    if len(written.rstrip("mswhd")) <= 9:
        assert parse_duration(written) == duration


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0ms"), (0.5, "500ms"), (90, "90s"), (7200, "2h"), (86400 * 3, "3d"), (86400 * 14, "2w")],
)
def test_durations_are_written_as_people_write_them(seconds: float, written: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == written


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5s", "1.5h", "s", "5y", "99999999999s"])
def test_what_is_no_duration_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="5s, 15m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("category", "priority", "lane"),
    [
        (Category.CRITICAL, Priority.LOW, Lane.CRITICAL),
        (Category.MARKETING, Priority.HIGH, Lane.HIGH),
        (Category.TRANSACTIONAL, Priority.NORMAL, Lane.NORMAL),
        (Category.TRANSACTIONAL, Priority.LOW, Lane.LOW),
    ],
)
def test_critical_templates_go_before_all_priorities(category: Category, priority: Priority, lane: Lane) -> None:
    assert lane_of(category, priority) is lane


@pytest.mark.parametrize(
    ("scope", "expires_in", "forbids"),
    [
        ("all", None, True),
        ("marketing", None, True),
        ("critical", None, False),
        ("topic:offers", None, True),
        ("topic:news", None, False),
        ("all", 0, False),
        ("all", 1, True),
    ],
)
def test_a_suppression_speaks_within_its_scope_until_it_expires(
    scope: str, expires_in: int | None, forbids: bool
) -> None:
    suppression = Suppression(
        id=SuppressionId("sup_1"),
        channel=Channel.SMS,
        address="+33612345678",
        reason=SuppressionReason.STOP,
        scope=scope,
        created_at=NOON,
        expires_at=None if expires_in is None else NOON + timedelta(seconds=expires_in),
    )

    assert suppression.forbids(Category.MARKETING, "offers", NOON) is forbids
