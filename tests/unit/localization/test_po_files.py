"""Reading PO files strictly and writing them without loss; polib is the independent reader."""

import resource
from pathlib import Path
from typing import Any

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CatalogBroken
from gateway.localization.po import PoEntry, PoFile, Previous, dump_po
from gateway.localization.po_reader import MAX_BYTES, MAX_HEADER, parse_po
from tests.po_texts import entry, po_bytes, po_text
from tests.stopwatch import cpu_seconds

FULL = po_text(
    "ru",
    """# the translator's note
#
#. NOTE of the author
#: templates/order/sms/body.txt:3
#: \u2068templates/a file.txt\u2069:4 templates/b.txt
#, fuzzy, python-format
#| msgctxt "old"
#| msgid "Old %(n)s\\n"
#| "thing"
#| msgid_plural "Old things"
msgctxt ""
msgid ""
"New %(n)s\\n"
"thing"
msgid_plural "New \\"things\\"\\t\\\\"
msgstr[0] "\u0430"
msgstr[1] "\u0431"
msgstr[2] ""
"\u0432\\n"
"\u0433"

msgid "plain"
msgstr "\u043f\u0440\u043e\u0441\u0442\u043e"

#~| msgid "oo"
#~ msgctxt "menu"
#~ msgid "o"
#~ msgstr "\u043e"

# trailing words
""",
)


def test_every_part_of_an_entry_is_read() -> None:
    po = parse_po(FULL.encode())

    found = po.messages[0]
    assert (found.context, found.msgid, found.msgid_plural) == ("", "New %(n)s\nthing", 'New "things"\t\\')
    assert found.msgstr == ("а", "б", "в\nг")
    assert found.comments == ("the translator's note", "")
    assert found.extracted == ("NOTE of the author",)
    assert found.locations == (
        "templates/order/sms/body.txt:3",
        "\u2068templates/a file.txt\u2069:4",
        "templates/b.txt",
    )
    assert found.flags == ("fuzzy", "python-format")
    assert found.previous == Previous(context="old", msgid="Old %(n)s\nthing", msgid_plural="Old things")
    assert found.is_fuzzy
    assert not found.is_translated
    assert po.header["Language"] == "ru"
    assert po.trailing.endswith("# trailing words\n")


def test_a_live_entry_is_kept_before_a_bare_previous_line_of_an_obsolete_one_25() -> None:
    po = parse_po(FULL.encode())

    live, gone = po.messages[1], po.entries[-1]
    assert live.msgid == "plain"
    assert not live.obsolete
    assert gone.obsolete
    assert (gone.context, gone.msgid, gone.previous) == ("menu", "o", Previous(msgid="oo"))


def test_a_byte_order_mark_is_no_text_24() -> None:
    po = parse_po(b"\xef\xbb\xbf" + po_bytes("fr", entry("A", "a")))

    assert po.header["Language"] == "fr"
    assert [found.msgid for found in po.messages] == ["A"]


def test_an_empty_context_is_not_no_context_33() -> None:
    po = parse_po(po_bytes("fr", 'msgctxt ""\nmsgid "A"\nmsgstr "1"\n\n' + entry("A", "2")))

    assert [found.key for found in po.messages] == [("", "A"), (None, "A")]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_is_written_back_byte_for_byte(newline: str) -> None:
    data = FULL.replace("\n", newline).encode()

    assert dump_po(parse_po(data)) == data


def test_only_the_changed_entry_differs_after_poedit_wrapped_the_file_31() -> None:
    text = FULL.replace('"MIME-Version: 1.0\\n"', '"X-Generator: Poedit 3.4\\n"\n"MIME-Version: 1.0\\n"')
    po = parse_po(text.encode())
    changed = tuple(found.changed(msgstr=("иначе",)) if found.msgid == "plain" else found for found in po.entries)

    written = dump_po(PoFile(entries=changed, trailing=po.trailing)).decode()

    assert written == text.replace('"просто"', '"иначе"')


def test_what_was_not_changed_is_the_same_entry() -> None:
    found = parse_po(FULL.encode()).messages[1]

    assert found.changed(flags=()) is found
    assert found.changed(flags=("fuzzy",)) is not found


def test_characters_that_other_tools_take_for_line_ends_stay_inside_the_text() -> None:
    text = "a\u2028b\u0085c\x0bd\x0ce\x1cf"
    po = PoFile(entries=(PoEntry(msgid="", msgstr=("Language: fr\n",)), PoEntry(msgid=text, msgstr=(text,))))

    assert parse_po(dump_po(po)).messages[0].msgstr == (text,)


@pytest.mark.parametrize(
    ("escaped", "meant"),
    [(r"\a\b\f\v\r\t\n", "\a\b\f\v\r\t\n"), (r"\101\x41", "AA"), (r"\\n", "\\n"), (r"\"", '"')],
)
def test_escapes_mean_what_c_means(escaped: str, meant: str) -> None:
    assert parse_po(po_bytes("fr", entry("x", escaped))).messages[0].msgstr == (meant,)


BROKEN = {
    "conflict markers": ('<<<<<<< HEAD\nmsgid "A"\nmsgstr "a"\n', "merge conflict", 9),
    "a conflict's middle": ('msgid "A"\nmsgstr "a"\n=======\n', "merge conflict", 11),
    "an error page": ("<!DOCTYPE html>\n<html>\n", "markup", 9),
    "an unknown keyword": ('msgfoo "A"\n', "neither", 9),
    "a keyword without text": ("msgid\n", "neither", 9),
    "an open string": ('msgid "A\nmsgstr "a"\n', "quotes", 9),
    "words after a string": ('msgid "A" B\n', "quotes", 9),
    "an unknown escape": ('msgid "A\\q"\n', "escape", 9),
    "an escape of no octal digit": ('msgid "A\\8"\n', "escape", 9),
    "an escape of a digit that is none to C": ('msgid "A²\\²"\n', "escape", 9),
    "an escape that is NUL": ('msgid "A\\0"\n', "escape", 9),
    "an escape beyond ASCII": ('msgid "A\\xff"\n', "escape", 9),
    "no msgstr at the end": ('msgid "A"\n', "ends inside", 9),
    "no msgstr before the next": ('msgid "A"\nmsgid "B"\nmsgstr "b"\n', "out of place", 10),
    "no msgstr before a comment": ('msgid "A"\n# hm\nmsgstr "a"\n', "no msgstr", 10),
    "msgstr alone": ('# new\nmsgstr "a"\n', "without a msgid", 10),
    "a plural without forms": ('msgid "A"\nmsgid_plural "As"\nmsgstr "a"\n', "go together", 11),
    "forms without a plural": ('msgid "A"\nmsgstr[0] "a"\n', "go together", 10),
    "a form left out": ('msgid "A"\nmsgid_plural "B"\nmsgstr[0] "a"\nmsgstr[2] "b"\n', "msgstr[1]", 12),
    "a form out of all bounds": ('msgid "A"\nmsgid_plural "B"\nmsgstr[99999999999] "a"\n', "neither", 11),
    "too many forms": (
        'msgid "A"\nmsgid_plural "B"\n' + "".join(f'msgstr[{n}] "a"\n' for n in range(7)),
        "more than 6",
        17,
    ),
    "a plural before its msgid": ('msgid_plural "B"\n', "out of place", 9),
    "a context after the msgid": ('msgid "A"\nmsgctxt "c"\nmsgstr "a"\n', "out of place", 10),
    "a text without a keyword": ('# new\n"A"\n', "without a keyword", 10),
    "a previous text without a keyword": ('#| "A"\nmsgid "A"\nmsgstr "a"\n', "without a keyword", 9),
    "a previous translation": ('#| msgstr "A"\nmsgid "A"\nmsgstr "a"\n', "previous", 9),
    "half an obsolete entry": ('msgid "A"\n#~ msgstr "a"\n', "half obsolete", 10),
    "an obsolete continuation": ('msgid "A"\n#~ "B"\nmsgstr "a"\n', "without a keyword", 10),
}


@pytest.mark.parametrize(("body", "problem", "line"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_a_po_file_is_refused_with_its_line(body: str, problem: str, line: int) -> None:
    with pytest.raises(CatalogBroken, match=problem.replace("[", r"\[")) as refused:
        parse_po(po_bytes("fr", body))

    assert refused.value.line == line


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(CatalogBroken, match="UTF-8") as refused:
        parse_po(po_bytes("fr", "# ok\n") + b'msgid "H\xe9"\nmsgstr ""\n')

    assert refused.value.line == 10


def test_places_that_never_close_take_linear_time() -> None:
    comment = "#: " + "\u2068 " * 100_000

    po = f'{comment}\nmsgid "A"\nmsgstr ""\n'.encode()

    assert cpu_seconds(lambda: parse_po(po)) < 1
    assert len(parse_po(po).entries[0].locations) == 100_000


def test_a_huge_text_takes_little_more_memory_than_itself() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    po = parse_po(f'msgid "x"\nmsgstr "{"a" * 4_900_000}"\n'.encode())

    assert len(po.entries[0].msgstr[0]) == 4_900_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_nul_and_other_charsets_are_refused() -> None:
    with pytest.raises(CatalogBroken, match="NUL"):
        parse_po(po_bytes("fr", 'msgid "a\x00b"\nmsgstr ""\n'))
    with pytest.raises(CatalogBroken, match="KOI8-R"):
        parse_po(po_bytes("fr").replace(b"charset=UTF-8", b"charset=KOI8-R"))


def test_sizes_are_limited_before_work_is_done() -> None:
    with pytest.raises(CatalogBroken, match="bytes"):
        parse_po(b"#" * (MAX_BYTES + 1))
    with pytest.raises(CatalogBroken, match="nplurals"):
        parse_po(po_bytes("fr", plural_forms="nplurals=1000000000; plural=0;"))
    with pytest.raises(CatalogBroken, match="the header has more than"):
        parse_po(b'msgid ""\nmsgstr "' + b"\\n" * (MAX_HEADER + 1) + b'"\n')
    with pytest.raises(CatalogBroken, match="entries"):
        parse_po(b'msgid "a"\nmsgstr ""\n' * 50_001)


def test_a_cut_file_never_reads_as_if_it_were_whole_27() -> None:
    whole = po_bytes("fr", entry("A b", "a b") + entry("%(n)s x", "%(n)s y", "%(n)s z", plural="%(n)s xs"))
    complete = parse_po(whole).entries

    for length in range(len(whole)):
        try:
            read = parse_po(whole[:length]).entries
        except CatalogBroken:
            continue
        # What is read of a cut file is a beginning of the whole; the library refuses that (test_catalogs).
        assert all(found.msgid == full.msgid for found, full in zip(read, complete, strict=False))
        assert len(read) <= len(complete)


def texts(*, allow_empty: bool = True) -> st.SearchStrategy[str]:
    # Surrogates are no text, NUL is refused, and polib reads CR, FF and the like otherwise than gettext writes them.
    alphabet = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from('"\\\n\t%{}#~')
    return st.text(alphabet, min_size=0 if allow_empty else 1, max_size=30)


words = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=8)
lines = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@st.composite
def entries(draw: st.DrawFn) -> PoEntry:
    is_plural = draw(st.booleans())
    return PoEntry(
        context=draw(st.none() | texts(allow_empty=False)),
        msgid=draw(texts(allow_empty=False)),
        msgid_plural=draw(texts(allow_empty=False)) if is_plural else None,
        msgstr=tuple(draw(st.lists(texts(), min_size=2, max_size=2))) if is_plural else (draw(texts()),),
        comments=tuple(draw(st.lists(lines.filter(lambda line: line[0] not in ".:,|~="), max_size=2))),
        extracted=tuple(draw(st.lists(lines, max_size=2))),
        locations=tuple(draw(st.lists(words.filter(lambda word: ":" not in word), max_size=2))),
        flags=tuple(draw(st.lists(st.sampled_from(["fuzzy", "python-format"]), max_size=2, unique=True))),
        obsolete=draw(st.booleans()),
    )


def files() -> st.SearchStrategy[PoFile]:
    header = PoEntry(msgid="", msgstr=("Language: fr\nContent-Type: text/plain; charset=UTF-8\n",))
    unique = st.lists(entries(), max_size=5, unique_by=lambda found: found.key)
    return unique.map(lambda found: PoFile(entries=(header, *sorted(found, key=lambda item: item.obsolete))))


@given(po=files())
def test_what_we_write_we_read_back_and_write_again_alike(po: PoFile) -> None:
    written = dump_po(po)

    read = parse_po(written)

    assert read.entries == po.entries
    assert dump_po(read) == written
    assert dump_po(PoFile(entries=tuple(PoEntry(**_fields(found)) for found in read.entries))) == written


def _fields(found: PoEntry) -> dict[str, Any]:
    names = ("context", "msgid", "msgid_plural", "msgstr", "comments", "extracted", "locations", "flags", "obsolete")
    return {name: getattr(found, name) for name in names} | {"previous": found.previous}


@given(po=files())
def test_polib_reads_what_we_write_as_we_meant_it(po: PoFile) -> None:
    read = polib.pofile(dump_po(po).decode())

    assert len(read) == len(po.entries) - 1
    for ours, theirs in zip(po.entries[1:], read, strict=True):
        assert (ours.msgid, ours.context) == (theirs.msgid, theirs.msgctxt)
        assert (ours.msgid_plural or "") == theirs.msgid_plural
        forms = tuple(theirs.msgstr_plural[index] for index in sorted(theirs.msgstr_plural)) or (theirs.msgstr,)
        assert ours.msgstr == forms
        assert ours.obsolete == bool(theirs.obsolete)
        assert list(ours.flags) == theirs.flags


def test_the_shipped_catalogs_are_written_back_byte_for_byte() -> None:
    shipped = Path(__file__).parents[3] / "translations"

    for path in [*shipped.glob("*.pot"), *shipped.rglob("*.po")]:
        assert dump_po(parse_po(path.read_bytes())) == path.read_bytes()
