"""Segments and alphabets, held against an independent count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rendering.sms import compose, count, prepare
from tests.unit.rendering.workbench import Workbench

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "^{}\\[~]|€\f"


def count_by_packing(text: str) -> tuple[str, int]:
    """Another way to count: write the units out, cut them into parts, and step back where a pair would be torn."""
    if all(letter in GSM + GSM_EXTENSION for letter in text):
        units = [unit for letter in text for unit in (["ESC", letter] if letter in GSM_EXTENSION else [letter])]
        encoding, alone, part = "gsm-7", 160, 153
    else:
        data = text.encode("utf-16-be")
        units = [data[index : index + 2].hex() for index in range(0, len(data), 2)]
        encoding, alone, part = "ucs-2", 70, 67
    if len(units) <= alone:
        return encoding, 1
    segments = start = 0
    while start < len(units):
        end = min(start + part, len(units))
        last = units[end - 1]
        if end < len(units) and (last == "ESC" or (encoding == "ucs-2" and last.startswith(("d8", "d9", "da", "db")))):
            end -= 1
        segments, start = segments + 1, end
    return encoding, segments


@given(st.text(alphabet=st.sampled_from(GSM + GSM_EXTENSION * 3), max_size=700))
def test_gsm_segments_agree_with_an_independent_count(text: str) -> None:
    found = count(text)

    assert (found.encoding, found.segments) == count_by_packing(text)


@given(st.text(alphabet=st.sampled_from("aж😀👩é"), max_size=300))
def test_ucs2_segments_agree_with_an_independent_count(text: str) -> None:
    found = count(text)

    assert (found.encoding, found.segments) == count_by_packing(text)


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("a" * 159 + "€", 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 66 + "😀" + "a" * 66, 3),
        ("ç" * 160, 3),
        ("Ç" * 160, 1),
        ("я" * 70, 1),
        ("я" * 71, 2),
    ],
)
def test_known_texts_cost_what_carriers_charge(text: str, segments: int) -> None:
    assert count(text).segments == segments


def test_units_are_septets_or_utf16_code_units() -> None:
    assert (count("a€").units, count("я😀").units) == (3, 3)
    assert (count("a" * 159 + "€").units, count("я" * 71).units) == (161, 71)


def test_accents_are_composed_and_blanks_are_plain() -> None:
    assert prepare("e\u0301 1\u202f234,50\u00a0€\r\nx\ry\u00ad") == "é 1 234,50 €\nx\ny"


def test_look_alikes_are_put_in_only_where_they_save_segments() -> None:
    typographic, cyrillic = "“Hi” it’s… " * 10, "Привет — “мир”"

    assert prepare(typographic, substitute=True) == '"Hi" it\'s... ' * 10
    assert prepare(typographic) == typographic
    assert prepare(cyrillic, substitute=True) == cyrillic
    assert prepare("it’s", substitute=True) == "it’s"


def test_the_content_carries_its_cost() -> None:
    content = compose("5:05\u202fPM", "en")

    assert (content.text, content.encoding, content.units, content.segments) == ("5:05 PM", "gsm-7", 7, 1)
    assert content.locale == "en"
    assert compose("“Hi” " * 40, "en").encoding == "ucs-2"


def test_formats_in_a_text_message_use_plain_characters(bench: Workbench) -> None:
    body = '{{ total|money }} {{ at|time("short") }}'
    sample = 'total = {amount = "-1234.50", currency = "EUR"}\nat = "2026-11-22T17:05:00Z"'
    bench.sms(body, 'total = {type = "money"}\nat = {type = "datetime"}', sample)
    bench.translate("fr", {})

    content = bench.render(None, "fr")

    assert content.text == "-1 234,50 € 17:05"  # type: ignore[union-attr]
    assert content.encoding == "gsm-7"  # type: ignore[union-attr]


def test_a_template_can_ask_for_substitution(bench: Workbench) -> None:
    bench.sms("“Hi” " * 20, more="[sms]\nsubstitute = true\nmax_segments = 1")

    content = bench.render({})

    assert content.encoding == "gsm-7"  # type: ignore[union-attr]
