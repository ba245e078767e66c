"""Catalogs on disk, inherited, and taken up while the gateway runs."""

import asyncio
import os
from pathlib import Path

import pytest
from babel import Locale

from gateway.errors import CatalogBroken, NotFound
from gateway.localization.catalogs import Catalog, CatalogLibrary
from gateway.localization.locales import parse_locale, to_tag
from gateway.localization.po_reader import parse_po
from gateway.localization.snapshots import load_catalog
from tests.po_texts import entry, po_bytes

EN = parse_locale("en")
HELLO = entry("Hi %(name)s", "Salut %(name)s")
ITEMS = {"msgid": "%(n)s item", "plural": "%(n)s items"}


class Folder:
    """A translations folder with a library that reads it."""

    def __init__(self, root: Path, default: Locale = EN) -> None:
        self.root = root
        self.library = CatalogLibrary(root, default=default)

    def write(self, name: str, data: bytes) -> Path:
        path = self.root / name / "LC_MESSAGES" / "messages.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    async def catalog(self, tag: str) -> Catalog:
        await self.library.refresh()
        return self.library.snapshot.catalog(parse_locale(tag))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


async def test_a_translation_is_found_by_context_and_msgid(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", HELLO + entry("Guide", "Le guide", context="menu")))

    french = await folder.catalog("fr")

    assert french.gettext(None, "Hi %(name)s") == "Salut %(name)s"
    assert french.gettext("menu", "Guide") == "Le guide"
    assert french.gettext(None, "Guide") is None
    assert not french.has(None, "Guide")
    assert french.has("menu", "Guide")


async def test_a_plural_is_chosen_by_the_rule_of_its_file_1(folder: Folder) -> None:
    forms = ("%(n)s вещь", "%(n)s вещи", "%(n)s вещей")
    folder.write("ru", po_bytes("ru", entry("%(n)s item", *forms, plural="%(n)s items")))

    russian = await folder.catalog("ru")

    chosen = [russian.ngettext(None, "%(n)s item", "%(n)s items", n) for n in (1, 2, 5, 11, 21, 111)]
    assert chosen == [forms[0], forms[1], forms[2], forms[2], forms[0], forms[2]]
    assert russian.gettext(None, "%(n)s item") == forms[0]
    assert russian.has(None, "%(n)s item", "%(n)s items")


async def test_a_language_with_one_form_serves_it_for_every_count_3(folder: Folder) -> None:
    folder.write("ja", po_bytes("ja", entry("%(n)s item", "%(n)s個", plural="%(n)s items")))

    japanese = await folder.catalog("ja")

    assert [japanese.ngettext(None, "%(n)s item", "%(n)s items", n) for n in (0, 1, 2)] == ["%(n)s個"] * 3


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(entry("Hi %(name)s", ""), id="untranslated"),
        pytest.param(entry("Hi %(name)s", "Falsch %(name)s", flags="fuzzy"), id="26 fuzzy"),
        pytest.param(entry("Hi %(name)s", "Salut %(nom)s"), id="37 an unknown placeholder"),
        pytest.param(entry("Hi %(name)s", "Salut"), id="a missing placeholder"),
        pytest.param(entry("Hi %(name)s", "100% sûr %(name)s"), id="38 a bare percent sign"),
        pytest.param(entry("Hi %(name)s", "<b>%(name)s</b>"), id="45 markup that the source has not"),
        pytest.param(
            "#~ " + entry("Hi %(name)s", "Salut %(name)s").strip().replace("\n", "\n#~ ") + "\n", id="obsolete"
        ),
        pytest.param("", id="absent"),
    ],
)
async def test_a_text_that_must_not_be_sent_is_missing(folder: Folder, body: str) -> None:
    folder.write("fr", po_bytes("fr", body))

    french = await folder.catalog("fr")

    assert french.gettext(None, "Hi %(name)s") is None
    assert not french.has(None, "Hi %(name)s")


async def test_a_plural_with_an_empty_form_is_missing_as_a_whole_14(folder: Folder) -> None:
    folder.write("ru", po_bytes("ru", entry("%(n)s item", "%(n)s вещь", "%(n)s вещи", "", plural="%(n)s items")))

    russian = await folder.catalog("ru")

    assert [russian.ngettext(None, "%(n)s item", "%(n)s items", n) for n in (1, 2, 5)] == [None] * 3
    assert not russian.has(None, "%(n)s item", "%(n)s items")


async def test_a_plural_whose_source_plural_changed_is_missing(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", entry("%(n)s item", "%(n)s a", "%(n)s b", plural="%(n)s items")))

    french = await folder.catalog("fr")

    assert french.ngettext(None, "%(n)s item", "%(n)s things", 2) is None
    assert not french.has(None, "%(n)s item", "%(n)s things")


async def test_a_regional_catalog_inherits_string_by_string_13(folder: Folder) -> None:
    folder.write(
        "pt", po_bytes("pt", entry("A", "a") + entry("%(n)s x", "%(n)s artigo", "%(n)s artigos", plural="%(n)s y"))
    )
    folder.write("pt_BR", po_bytes("pt_BR", entry("A", "A!") + entry("%(n)s x", "", "", plural="%(n)s y")))

    brazilian = await folder.catalog("pt-BR")

    assert brazilian.gettext(None, "A") == "A!"
    assert brazilian.ngettext(None, "%(n)s x", "%(n)s y", 5) == "%(n)s artigos"


async def test_mexican_texts_come_from_latin_america_before_spain_15(folder: Folder) -> None:
    folder.write("es", po_bytes("es", entry("A", "es") + entry("B", "es")))
    folder.write("es_419", po_bytes("es_419", entry("A", "419")))
    folder.write("es_MX", po_bytes("es_MX", entry("C", "MX")))

    mexican = await folder.catalog("es-MX")

    assert [mexican.gettext(None, text) for text in "ABC"] == ["419", "es", "MX"]


async def test_a_broken_regional_text_is_inherited_too(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", HELLO))
    folder.write("fr_CA", po_bytes("fr_CA", entry("Hi %(name)s", "Allô %(nom)s")))

    assert (await folder.catalog("fr-CA")).gettext(None, "Hi %(name)s") == "Salut %(name)s"


async def test_nothing_is_inherited_across_scripts_16(folder: Folder) -> None:
    folder.write("zh", po_bytes("zh", entry("A", "简")))
    folder.write("zh_Hant", po_bytes("zh_Hant", entry("B", "繁")))

    assert (await folder.catalog("zh-Hant")).gettext(None, "A") is None


async def test_the_default_language_needs_no_catalog(folder: Folder) -> None:
    english = await folder.catalog("en")

    assert english.gettext(None, "Hello") == "Hello"
    assert [english.ngettext(None, "%(n)s a", "%(n)s b", n) for n in (0, 1, 2, -1)] == [
        "%(n)s b",
        "%(n)s a",
        "%(n)s b",
        "%(n)s a",
    ]
    assert english.has(None, "anything", "at all")
    assert folder.library.snapshot.offered == (EN,)


async def test_a_variant_of_the_default_language_falls_to_the_msgid(folder: Folder) -> None:
    folder.write("en_GB", po_bytes("en_GB", entry("Color", "Colour")))

    british = await folder.catalog("en-GB")

    assert british.gettext(None, "Color") == "Colour"
    assert british.gettext(None, "Hello") == "Hello"


async def test_every_locale_with_a_catalog_is_offered_the_default_first(folder: Folder) -> None:
    for name in ("zh_Hant", "de", "fr_CA"):
        folder.write(name, po_bytes(name, plural_forms=""))

    await folder.library.refresh()

    assert [to_tag(locale) for locale in folder.library.snapshot.offered] == ["en", "de", "fr-CA", "zh-Hant"]
    with pytest.raises(NotFound):
        folder.library.snapshot.catalog(parse_locale("it"))


async def test_a_same_sized_edit_within_one_tick_is_taken_up_30(folder: Folder) -> None:
    path = folder.write("fr", po_bytes("fr", entry("A", "un")))
    before = path.stat()
    await folder.library.refresh()
    pinned = folder.library.snapshot

    folder.write("fr", po_bytes("fr", entry("A", "de")))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = await folder.library.refresh()

    assert changed
    assert (await folder.catalog("fr")).gettext(None, "A") == "de"
    assert pinned.catalog(parse_locale("fr")).gettext(None, "A") == "un"
    assert pinned.version != folder.library.snapshot.version


async def test_what_did_not_change_is_no_change(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", HELLO))
    await folder.library.refresh()
    snapshot = folder.library.snapshot

    assert not await folder.library.refresh()
    assert folder.library.snapshot is snapshot


async def test_the_version_of_a_variant_follows_its_parents_file(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", entry("A", "un")))
    folder.write("fr_CA", po_bytes("fr_CA"))
    before = (await folder.catalog("fr-CA")).version

    folder.write("fr", po_bytes("fr", entry("A", "deux")))

    assert (await folder.catalog("fr-CA")).version != before


REFUSED = {
    "conflict markers": b'<<<<<<< HEAD\nmsgid "A"\n',
    "9 a header of placeholders": po_bytes("fr", plural_forms="nplurals=INTEGER; plural=EXPRESSION;"),
    "10 division by zero": po_bytes("fr", plural_forms="nplurals=2; plural=n/0;"),
    "8 another language's plurals": po_bytes("fr", plural_forms="nplurals=1; plural=0;"),
    "no plural header but plurals": po_bytes("fr", entry("a", "b", "c", plural="d"), plural_forms=""),
    "another language": po_bytes("de", entry("A", "a")),
    "no language": po_bytes("fr").replace(b'"Language: fr\\n"\n', b""),
    "an unknown language": po_bytes("xx", plural_forms=""),
    "duplicates": po_bytes("fr", entry("A", "a") + entry("A", "b")),
    "no header": entry("A", "a").encode(),
    "nothing": b"",
    "a new text that would break": po_bytes("fr", entry("Hi %(name)s", "Salut %(nom)s")),
    "a plural with too few forms": po_bytes("fr", entry("%(n)s a", "%(n)s b", plural="%(n)s c")),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
async def test_a_broken_file_never_replaces_the_version_that_serves(folder: Folder, data: bytes) -> None:
    good = po_bytes("fr", HELLO)
    folder.write("fr", good)
    await folder.library.refresh()

    folder.write("fr", data)
    french = await folder.catalog("fr")

    assert french.gettext(None, "Hi %(name)s") == "Salut %(name)s"
    assert set(folder.library.snapshot.broken) == {"fr"}
    assert not await folder.library.refresh()
    folder.write("fr", good)
    assert await folder.library.refresh()
    assert folder.library.snapshot.broken == {}


async def test_a_file_cut_at_any_byte_never_replaces_the_version_that_serves_27(folder: Folder) -> None:
    whole = po_bytes("fr", HELLO + entry("%(n)s a", "%(n)s b", "%(n)s c", plural="%(n)s d") + entry("B", "b"))
    folder.write("fr", whole)
    await folder.library.refresh()

    for length in range(0, len(whole) - 2, 3):
        folder.write("fr", whole[:length])
        french = await folder.catalog("fr")

        assert french.gettext(None, "B") == "b", length
        assert french.has(None, "%(n)s a", "%(n)s d")


async def test_a_text_may_be_taken_back_or_doubted_while_running(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", HELLO + entry("B", "b")))
    await folder.library.refresh()

    folder.write("fr", po_bytes("fr", entry("Hi %(name)s", "Salut %(name)s", flags="fuzzy") + entry("B", "b")))
    french = await folder.catalog("fr")

    assert french.gettext(None, "Hi %(name)s") is None
    assert folder.library.snapshot.broken == {}


async def test_an_entry_that_was_broken_before_does_not_block_better_ones(folder: Folder) -> None:
    broken = entry("Hi %(name)s", "Salut %(nom)s")
    folder.write("fr", po_bytes("fr", broken + entry("B", "b")))
    await folder.library.refresh()

    folder.write("fr", po_bytes("fr", broken + entry("B", "c")))

    assert (await folder.catalog("fr")).gettext(None, "B") == "c"


async def test_a_catalog_broken_at_the_start_is_left_out_and_named(folder: Folder) -> None:
    folder.write("fr", b"<html>")
    folder.write("de", po_bytes("de", entry("A", "a")))

    await folder.library.refresh()

    snapshot = folder.library.snapshot
    assert [to_tag(locale) for locale in snapshot.offered] == ["en", "de"]
    assert "markup" in snapshot.broken["fr"]


async def test_a_folder_that_is_no_locale_is_named(folder: Folder) -> None:
    folder.write("klingon", po_bytes("fr"))
    folder.write("zh_TW", po_bytes("zh_TW"))
    folder.write("zh_Hant_TW", po_bytes("zh_Hant_TW"))

    await folder.library.refresh()

    broken = folder.library.snapshot.broken
    assert "no locale" in broken["klingon"]
    assert "same locale" in broken["zh_TW"]


async def test_a_catalog_that_is_removed_is_no_longer_offered(folder: Folder) -> None:
    path = folder.write("fr", po_bytes("fr", HELLO))
    await folder.library.refresh()

    path.unlink()

    assert await folder.library.refresh()
    assert folder.library.snapshot.offered == (EN,)


async def test_a_missing_folder_of_translations_offers_the_default(tmp_path: Path) -> None:
    library = CatalogLibrary(tmp_path / "nowhere", default=EN)

    assert not await library.refresh()
    assert library.snapshot.offered == (EN,)


async def test_domains_do_not_mix(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", HELLO))
    console = CatalogLibrary(folder.root, "console", default=EN)

    await console.refresh()

    assert console.snapshot.offered == (EN,)


async def test_a_pinned_snapshot_is_one_version_through_sixty_reloads_28(folder: Folder) -> None:
    folder.write("fr", po_bytes("fr", entry("Subject", "0") + entry("Body", "0")))
    await folder.library.refresh()
    mixed = 0

    async def edit() -> None:
        for number in range(1, 61):
            folder.write("fr", po_bytes("fr", entry("Subject", str(number)) + entry("Body", str(number))))
            await folder.library.refresh()

    editing = asyncio.create_task(edit())
    while not editing.done():
        pinned = folder.library.snapshot.catalog(parse_locale("fr"))
        subject = pinned.gettext(None, "Subject")
        await asyncio.sleep(0)
        mixed += subject != pinned.gettext(None, "Body")
    await editing

    assert mixed == 0
    assert (await folder.catalog("fr")).gettext(None, "Body") == "60"


def test_an_entry_that_would_not_render_is_listed_as_failing() -> None:
    po = parse_po(po_bytes("fr", HELLO + entry("B %(x)s", "b")))

    file = load_catalog(po, parse_locale("fr"), "1")

    assert [found.check for found in file.failing] == ["placeholder-missing"]
    assert (None, "B %(x)s") not in file.texts


def test_a_file_without_a_header_is_refused() -> None:
    with pytest.raises(CatalogBroken, match="header"):
        load_catalog(parse_po(entry("A", "a").encode()), parse_locale("fr"), "1")
