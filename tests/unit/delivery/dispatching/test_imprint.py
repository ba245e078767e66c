"""Which postal address a reader is shown, and what is said of marketing e-mail that shows none."""

import asyncio
from pathlib import Path

from babel import Locale

from gateway.delivery.dispatching.imprint import ImprintCheck, PostalAddress, anonymous_marketing, choose_address
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.templates import Snapshot

EVERYWHERE = PostalAddress(lines=("Everywhere",))
IN_FRANCE = PostalAddress(lines=("France",), countries=frozenset({"FR"}))
IN_FRENCH = PostalAddress(lines=("Français",), locales=frozenset({"fr"}))
FRENCH_IN_FRANCE = PostalAddress(lines=("Both",), countries=frozenset({"FR"}), locales=frozenset({"fr"}))
TEMPLATE = """
description = "An offer"
category = "marketing"
topic = "offers"
channels = ["email"]
"""


def snapshot_of(root: Path, text: str, html: str) -> Snapshot:
    folder = root / "offer"
    (folder / "email").mkdir(parents=True)
    (folder / "template.toml").write_text(TEMPLATE)
    (folder / "email" / "subject.txt").write_text("An offer")
    (folder / "email" / "body.html").write_text(html)
    (folder / "email" / "body.txt").write_text(text)
    library = TemplateLibrary(root, default=Locale("en"))
    asyncio.run(library.refresh())
    assert not library.snapshot.broken
    return library.snapshot


def test_the_closest_address_is_shown_a_country_before_a_language() -> None:
    addresses = (EVERYWHERE, IN_FRENCH, IN_FRANCE, FRENCH_IN_FRANCE)

    assert choose_address(addresses, "FR", "fr-CA") == ("Both",)
    assert choose_address(addresses, "FR", "en") == ("France",)
    assert choose_address(addresses, "CA", "fr-CA") == ("Français",)
    assert choose_address(addresses, None, "ar") == ("Everywhere",)
    assert choose_address((IN_FRANCE,), "US", "en") == ()


def test_marketing_without_an_address_for_everybody_is_named(tmp_path: Path) -> None:
    shown = "{% for line in postal_address %}{{ line }}{% endfor %} {{ unsubscribe_url }}"
    snapshot = snapshot_of(tmp_path, f"Hello {shown}", f"<p>Hello {shown}</p>")

    (without,) = anonymous_marketing(snapshot, (IN_FRANCE,))
    assert "offer" in without
    assert "sender.postal_address" in without
    assert anonymous_marketing(snapshot, (EVERYWHERE,)) == ()


def test_a_body_that_leaves_the_address_out_is_named(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path, "Hello", "<p>Hello {{ postal_address|join }}</p>")

    (problem,) = anonymous_marketing(snapshot, (EVERYWHERE,))

    assert "template offer does not show" in problem


def test_what_reaches_mailboxes_only_needs_no_address(tmp_path: Path) -> None:
    snapshot = snapshot_of(tmp_path, "Hello", "<p>Hello</p>")

    assert ImprintCheck(lambda: snapshot, (), leaves=False).warnings() == ()
    assert len(ImprintCheck(lambda: snapshot, (), leaves=True).warnings()) == 1
