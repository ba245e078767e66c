"""Collecting the texts of templates."""

from pathlib import Path

import polib
import pytest

from gateway.errors import TemplateBroken
from gateway.localization.extraction import extract
from gateway.localization.po import PoEntry, dump_po


def texts(root: Path, **files: str) -> list[PoEntry]:
    for name, text in files.items():
        path = root / "templates" / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(extract(root / "templates").messages)


def test_blocks_and_calls_are_found_with_context_and_plural(tmp_path: Path) -> None:
    found = texts(
        tmp_path,
        a__sms_txt='{% trans %}Plain{% endtrans %}{{ _("Call") }}{{ pgettext("menu", "Guide") }}'
        "{% trans count=n %}{{ count }} item{% pluralize count %}{{ count }} items{% endtrans %}"
        '{{ ngettext("one", "many", n) }}{{ npgettext("ctx", "a", "b", n) }}',
    )

    assert {(entry.context, entry.msgid, entry.msgid_plural) for entry in found} == {
        (None, "Plain", None),
        (None, "Call", None),
        ("menu", "Guide", None),
        (None, "%(count)s item", "%(count)s items"),
        (None, "one", "many"),
        ("ctx", "a", "b"),
    }
    assert all(entry.locations == ("templates/a/sms.txt",) for entry in found)


def test_a_block_over_several_lines_is_one_trimmed_text_35(tmp_path: Path) -> None:
    found = texts(tmp_path, a_txt="{% trans %}\n  Two\n  lines\n{% endtrans %}")

    assert [entry.msgid for entry in found] == ["Two lines"]


def test_a_percent_sign_in_a_block_is_doubled_as_the_run_time_wants_it_39(tmp_path: Path) -> None:
    found = texts(tmp_path, a_txt="{% trans %}50% off{% endtrans %}")

    assert [(entry.msgid, entry.flags) for entry in found] == [("50%% off", ("python-format",))]


BROKEN = {
    "34 a syntax error": ("line\n{% trans %}Hi{% endtran %}", 2),
    "36 an expression in a block": ("{% trans %}Hi {{ user.name }}{% endtrans %}", 1),
    "39 a bare percent sign": ('\n\n{{ _("50% off") }}', 3),
    "a positional placeholder": ('{{ _("Hi %s") }}', 1),
    "an unnamed one": ('{{ _("Hi %d", 1) }}', 1),
    "a text that is computed": ("{{ _(name) }}", 1),
    "a context that is computed": ('{{ pgettext(name, "Hi") }}', 1),
    "a plural that is missing": ('{{ ngettext("Hi") }}', 1),
    "no text": ("{{ _() }}", 1),
    "an empty text": ('{{ _("") }}', 1),
    "two plurals for one text": ('{{ ngettext("a", "b", n) }}\n{{ ngettext("a", "c", n) }}', 2),
}


@pytest.mark.parametrize(("source", "line"), BROKEN.values(), ids=BROKEN.keys())
def test_extraction_stops_at_the_file_and_line_of_a_mistake(tmp_path: Path, source: str, line: int) -> None:
    with pytest.raises(TemplateBroken) as broken:
        texts(tmp_path, a__body_txt=source)

    assert broken.value.part == "templates/a/body.txt"
    assert broken.value.line == line
    assert broken.value.message.startswith(f"templates/a/body.txt:{line}: ")


def test_extraction_stops_at_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff")

    with pytest.raises(TemplateBroken, match="UTF-8"):
        extract(tmp_path)


def test_notes_reach_the_text_that_follows_them_closely(tmp_path: Path) -> None:
    found = texts(
        tmp_path,
        a_txt="{# NOTE: far away #}\nsomething\n{% trans %}A{% endtrans %}\n"
        "{# NOTE: first #}\n{#- Translators: second,\n   on two lines -#}\n\n"
        "{% trans %}B{% endtrans %}{% trans %}C{% endtrans %}\n"
        "{# no note #}\n{% trans %}D{% endtrans %}{# NOTE: same line #}{% trans %}E{% endtrans %}",
    )

    notes = {entry.msgid: entry.extracted for entry in found}
    assert notes["A"] == ()
    assert notes["B"] == ("first", "second, on two lines")
    assert notes["C"] == ()
    assert "same line" in str(notes["D"] + notes["E"])


def test_a_text_in_several_places_is_one_entry(tmp_path: Path) -> None:
    found = texts(
        tmp_path,
        a__body_txt="{# NOTE: x #}{% trans %}Hi{% endtrans %}",
        b__body_html="{# NOTE: y #}{% trans %}Hi{% endtrans %}",
        c__body_txt='{{ ngettext("Hi", "His", 2) }}',
    )

    assert len(found) == 1
    assert found[0].locations == ("templates/a/body.txt", "templates/b/body.html", "templates/c/body.txt")
    assert found[0].extracted == ("x", "y")
    assert found[0].msgid_plural == "His"
    assert found[0].msgstr == ("", "")


def test_only_parts_of_templates_are_read(tmp_path: Path) -> None:
    (tmp_path / "template.toml").write_text('x = "{% trans %}"')
    (tmp_path / "picture.png").write_bytes(b"\xff")

    assert extract(tmp_path).messages == ()


def test_the_same_texts_give_the_same_bytes_whatever_lines_they_stand_on(tmp_path: Path) -> None:
    texts(tmp_path, b_txt="{% trans %}B{% endtrans %}", a_txt="{% trans %}A{% endtrans %}")
    before = dump_po(extract(tmp_path / "templates"))

    texts(tmp_path, a_txt="\n\n{% trans %}A{% endtrans %}")

    assert dump_po(extract(tmp_path / "templates")) == before
    assert [entry.msgid for entry in polib.pofile(before.decode())] == ["A", "B"]


def test_several_roots_make_one_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").write_text("{% trans %}Hi{% endtrans %}")

    found = extract(tmp_path / "one", tmp_path / "two").messages

    assert [entry.locations for entry in found] == [("one/page.html", "two/page.html")]


def test_the_shipped_pot_is_current() -> None:
    root = Path(__file__).parents[3]

    assert dump_po(extract(root / "templates")) == (root / "translations" / "messages.pot").read_bytes()
