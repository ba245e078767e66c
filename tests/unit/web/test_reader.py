"""Accept-Language is read as RFC 9110 §12.5.4 means it, whatever a client sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.pages.reader import accepted_languages


@pytest.mark.parametrize(
    ("header", "wishes"),
    [
        ("", ()),
        ("de", ("de",)),
        ("da, en-gb;q=0.8, en;q=0.7", ("da", "en-gb", "en")),
        ("en;q=0.7, en-gb;q=0.8, da", ("da", "en-gb", "en")),
        ("fr;q=0, de", ("de",)),
        ("*", ()),
        ("de;q=much, fr", ("fr",)),
        ("de ; q = 0.2 , fr;q=0.9", ("fr", "de")),
        (",".join(["xx"] * 50), ("xx",) * 10),
    ],
)
def test_the_most_wanted_language_comes_first(header: str, wishes: tuple[str, ...]) -> None:
    assert accepted_languages(header) == wishes


@given(st.text(max_size=600))
def test_no_header_is_too_odd_to_be_read(header: str) -> None:
    wishes = accepted_languages(header)

    assert len(wishes) <= 10
    assert all(wish and wish in header for wish in wishes)
