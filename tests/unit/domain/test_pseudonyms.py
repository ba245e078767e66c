import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.pseudonyms import Pseudonyms

SECRET = b"s" * 32
parts = st.lists(st.text(), min_size=1, max_size=3)


def test_a_name_is_an_hmac_under_a_key_of_its_own() -> None:
    key = hmac.new(SECRET, b"heliograph pseudonyms 1", hashlib.sha256).digest()
    expected = hmac.new(key, b"7:address3:sms12:+33612345678", hashlib.sha256).hexdigest()[:32]

    name = Pseudonyms(SECRET).of_address("sms", "+33612345678")

    assert name == expected


def test_another_secret_gives_other_names_and_another_check() -> None:
    one, other = Pseudonyms(SECRET), Pseudonyms(b"t" * 32)

    assert one.of_person("svc", "ann") != other.of_person("svc", "ann")
    assert one.check != other.check


@given(parts, parts)
def test_two_lists_of_parts_share_a_name_only_when_they_are_the_same(left: list[str], right: list[str]) -> None:
    names = Pseudonyms(SECRET)

    assert (names.of(*left) == names.of(*right)) == (left == right)
