"""What endpoints want to hear, and how they know that it is from us: held against the official library."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from gateway.domain.webhooks import EndpointFilter, Secret, Traits, make_secret, rotated, sign
from tests.factories import NOW

ORDER = Traits(template="order-shipped", category="transactional", topic="orders", tags=("checkout", "eu"))
keys = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())
names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=40)


@settings(max_examples=30)
@given(secrets=st.lists(keys, min_size=1, max_size=3, unique=True), name=names, body=st.text(max_size=300))
def test_each_secret_verifies_what_all_of_them_signed(secrets: list[str], name: str, body: str) -> None:
    now = datetime.now(UTC)
    raw = f'{{"a": "{body.encode().hex()}"}}'.encode()

    headers = sign(secrets, name, now, raw)

    assert [Webhook(secret).verify(raw, dict(headers)) for secret in secrets]


@settings(max_examples=30)
@given(key=keys, name=names)
def test_a_signature_is_the_official_one(key: str, name: str) -> None:
    body = b'{"type":"delivery.delivered"}'

    headers = sign([key], name, NOW, body)

    assert headers["webhook-signature"] == Webhook(key).sign(name, NOW, body.decode())


def test_a_secret_whose_padding_was_cut_off_is_the_same_secret() -> None:
    whole = "whsec_" + base64.b64encode(b"x" * 25).decode()

    signatures = {sign([text], "evt_1", NOW, b"{}")["webhook-signature"] for text in (whole, whole.rstrip("="))}

    assert len(signatures) == 1


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_ä", "whsec_a b"])
def test_what_is_no_secret_signs_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        sign([text], "evt_1", NOW, b"{}")


def test_no_two_secrets_are_alike_and_each_has_256_bits() -> None:
    made = [make_secret() for _ in range(50)]

    assert len(set(made)) == 50
    assert {len(base64.b64decode(one.removeprefix("whsec_"))) for one in made} == {32}


def test_a_secret_is_not_shown_by_accident() -> None:
    assert "whsec_" not in repr(Secret(text="whsec_abc"))


def test_an_old_secret_counts_for_the_overlap_and_never_longer_than_it_would_have() -> None:
    hour = timedelta(hours=1)

    first = (Secret(text="a"),)
    second = rotated(first, "b", NOW, 2 * hour)
    third = rotated(second, "c", NOW + hour, 24 * hour)
    fourth = rotated(third, "d", NOW + 2 * hour, timedelta(0))

    assert [(one.text, one.until) for one in second] == [("b", None), ("a", NOW + 2 * hour)]
    assert [(one.text, one.until) for one in third] == [
        ("c", None),
        ("b", NOW + 25 * hour),
        ("a", NOW + 2 * hour),
    ]
    assert [one.text for one in fourth] == ["d"]


@pytest.mark.parametrize(
    ("pattern", "kind", "fits"),
    [
        ("delivery.*", "delivery.sent", True),
        ("delivery.*", "message.accepted", False),
        ("delivery.sent", "delivery.sent", True),
        ("delivery.sent", "delivery.sentinel", False),
        ("*", "message.accepted", True),
    ],
)
def test_a_type_is_wanted_by_its_name_or_its_beginning(pattern: str, kind: str, fits: bool) -> None:
    assert EndpointFilter(types=(pattern,)).wants(kind, "sms", ORDER) is fits


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (EndpointFilter(channels=("sms",)), True),
        (EndpointFilter(channels=("email", "push")), False),
        (EndpointFilter(categories=("marketing",)), False),
        (EndpointFilter(topics=("orders",)), True),
        (EndpointFilter(templates=("welcome",)), False),
        (EndpointFilter(tags=("other", "eu")), True),
        (EndpointFilter(tags=("other",)), False),
        (EndpointFilter(topics=("orders",), tags=("other",)), False),
    ],
)
def test_every_member_of_a_filter_must_allow_an_event(wanted: EndpointFilter, fits: bool) -> None:
    assert wanted.wants("delivery.sent", "sms", ORDER) is fits


def test_what_tells_of_a_message_as_a_whole_is_on_no_channel() -> None:
    assert EndpointFilter(types=("*",)).wants("message.accepted", None, ORDER)
    assert not EndpointFilter(types=("*",), channels=("sms",)).wants("message.accepted", None, ORDER)
