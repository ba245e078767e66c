"""Signed links: they name a delivery, and nobody else can make one."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.dispatching.links import UnsubscribeLinks
from gateway.domain.ids import DeliveryId

LINKS = UnsubscribeLinks(b"0" * 32, "https://gateway.example/")
DELIVERY = DeliveryId("dlv_01m80fbdfycvac86bdazd88f1c")


def test_a_token_is_read_back_and_is_the_same_each_time() -> None:
    token = LINKS.token(DELIVERY)

    assert LINKS.read(token) == DELIVERY
    assert LINKS.token(DELIVERY) == token
    assert LINKS.unsubscribe_url(DELIVERY) == f"https://gateway.example/u/{token}"


def test_another_secret_reads_nothing() -> None:
    assert UnsubscribeLinks(b"1" * 32, "").read(LINKS.token(DELIVERY)) is None


@given(position=st.integers(0, 200), letter=st.characters(codec="ascii", categories=("L", "N")))
def test_a_changed_token_is_not_ours(position: int, letter: str) -> None:
    token = LINKS.token(DELIVERY)
    position %= len(token)

    changed = token[:position] + letter + token[position + 1 :]

    assert LINKS.read(changed) == (DELIVERY if changed == token else None)


@given(text=st.text(max_size=300))
def test_any_text_is_read_without_complaint(text: str) -> None:
    assert LINKS.read(text) is None
