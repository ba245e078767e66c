"""Pseudo-locales for preview."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.localization.locales import UnknownLocale, direction
from gateway.localization.placeholders import read_placeholders
from gateway.localization.pseudo import distort, is_pseudo, make_pseudo_catalog


def test_placeholders_tags_entities_and_addresses_stay_byte_for_byte_98() -> None:
    shown = distort("en-XA", 'Visit <a href="%(url)s">our shop</a> 100%% &amp; https://x.org/a help@x.org')

    for kept in ('<a href="%(url)s">', "</a>", "%%", "&amp;", "https://x.org/a", "help@x.org"):
        assert kept in shown
    assert "shop" not in shown
    assert shown.startswith("[")
    assert shown.endswith("~]")


def test_text_grows_by_a_third() -> None:
    assert len(distort("en-XA", "x" * 100)) >= 135


def test_arabic_pseudo_text_runs_from_right_to_left() -> None:
    shown = distort("ar-XB", "Hi %(name)s")

    assert shown == "\u200f\u202eHi\u202c\u200f %(name)s"


def test_white_space_at_the_ends_stays_where_it_is() -> None:
    assert distort("en-XA", "\n a ").startswith("\n [")
    assert distort("en-XA", "\n a ").endswith("] ")
    assert distort("ar-XB", "  ") == "  "


@pytest.mark.parametrize(("tag", "way"), [("en-XA", "ltr"), ("ar_xb", "rtl")])
def test_a_pseudo_catalog_has_every_message(tag: str, way: str) -> None:
    catalog = make_pseudo_catalog(tag)

    assert is_pseudo(tag)
    assert direction(catalog.locale) == way
    assert catalog.has("any", "thing", "things")
    assert catalog.gettext(None, "Hello") == distort(catalog.tag, "Hello")
    assert catalog.ngettext(None, "a", "b", 1) == distort(catalog.tag, "a")
    assert catalog.ngettext(None, "a", "b", 5) == distort(catalog.tag, "b")


def test_other_tags_are_no_pseudo_locales() -> None:
    assert not is_pseudo("en")
    with pytest.raises(UnknownLocale):
        make_pseudo_catalog("fr-XA")


@given(tag=st.sampled_from(["en-XA", "ar-XB"]), text=st.text(st.sampled_from("ab %()sn<>/&;."), max_size=30))
def test_what_rendered_before_renders_after(tag: str, text: str) -> None:
    before, after = read_placeholders(text), read_placeholders(distort(tag, text))

    if not before.stray:
        assert not after.stray
        assert after.names == before.names
