"""The commands on catalogs, over real folders and through the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.catalogs import app
from gateway.errors import CatalogBroken, TemplateBroken
from gateway.localization.locales import UnknownLocale, parse_locale
from gateway.localization.workbench import Workbench
from tests.po_texts import entry, po_bytes

TEMPLATE = "{% trans %}Hello{% endtrans %}{% trans n=n %}{{ n }} a{% pluralize n %}{{ n }} b{% endtrans %}"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    templates = tmp_path / "templates"
    (templates / "hello" / "sms").mkdir(parents=True)
    (templates / "hello" / "sms" / "body.txt").write_text(TEMPLATE)
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "log.html").write_text("{% trans %}Delivery log{% endtrans %}")
    return Workbench(
        translations=tmp_path / "translations",
        sources={"messages": [templates], "console": [pages]},
        default=parse_locale("en"),
    )


def shown(paths: list[Path], bench: Workbench) -> list[str]:
    return [path.relative_to(bench.translations).as_posix() for path in paths]


def test_extract_update_check_and_stats_serve_both_domains(bench: Workbench) -> None:
    assert shown(bench.extract(), bench) == ["messages.pot", "console.pot"]
    assert shown(bench.update(["fr", "zh-TW"]), bench) == [
        "fr/LC_MESSAGES/messages.po",
        "zh_Hant_TW/LC_MESSAGES/messages.po",
        "fr/LC_MESSAGES/console.po",
        "zh_Hant_TW/LC_MESSAGES/console.po",
    ]
    assert {item.finding.check for item in bench.check()} == {"untranslated"}
    assert [(item.domain, item.tag, item.stats.untranslated) for item in bench.stats()] == [
        ("messages", "fr", 2),
        ("messages", "zh-Hant-TW", 2),
        ("console", "fr", 1),
        ("console", "zh-Hant-TW", 1),
    ]


def test_nothing_is_written_where_nothing_changed(bench: Workbench) -> None:
    bench.extract()
    bench.update(["fr"])

    assert bench.extract() == []
    assert bench.update() == []


def test_a_template_that_does_not_parse_writes_nothing(bench: Workbench) -> None:
    (bench.sources["console"][0] / "log.html").write_text("{% trans %}")

    with pytest.raises(TemplateBroken):
        bench.extract()

    assert not bench.translations.exists()


def test_a_locale_that_is_none_writes_nothing(bench: Workbench) -> None:
    bench.extract()

    with pytest.raises(UnknownLocale):
        bench.update(["fr", "xx"])

    assert not (bench.translations / "fr").exists()


def test_a_broken_catalog_is_not_updated_and_named(bench: Workbench) -> None:
    bench.extract()
    bench.update(["fr"])
    path = bench.translations / "fr" / "LC_MESSAGES" / "messages.po"
    path.write_bytes(b"<html>")

    with pytest.raises(CatalogBroken, match=r"messages\.po"):
        bench.update()

    assert path.read_bytes() == b"<html>"


def test_a_text_changed_in_a_template_is_found_by_check(bench: Workbench) -> None:
    bench.extract()
    bench.update(["fr"])
    (bench.sources["messages"][0] / "hello" / "sms" / "body.txt").write_text("{% trans %}Hello you{% endtrans %}")

    assert ("messages.pot", "pot-current") in {(item.path, item.finding.check) for item in bench.check()}
    bench.extract()
    assert {(item.path, item.finding.check) for item in bench.check()} >= {
        ("fr/LC_MESSAGES/messages.po", "catalog-current")
    }
    bench.update()
    assert {item.finding.check for item in bench.check()} == {"untranslated"}


@pytest.mark.parametrize(
    ("folder", "data", "check"),
    [
        ("fr", b"<html>", "po-syntax"),
        ("fr", b'msgid "\xff"', "encoding"),
        ("klingon", po_bytes("fr"), "language-header"),
        ("zh_TW", po_bytes("zh_Hant_TW", plural_forms=""), "language-header"),
        ("fr", po_bytes("fr", entry("Hello", "Salut %(x)s")), "placeholder-unknown"),
    ],
)
def test_check_names_the_file_and_what_is_wrong(bench: Workbench, folder: str, data: bytes, check: str) -> None:
    bench.extract()
    path = bench.translations / folder / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)

    found = {(item.path, item.finding.check) for item in bench.check()}

    assert (f"{folder}/LC_MESSAGES/messages.po", check) in found


def test_a_file_that_is_not_whole_is_told_by_its_line_and_not_by_its_place_twice(bench: Workbench) -> None:
    bench.extract()
    path = bench.translations / "fr" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    path.write_bytes(po_bytes("fr") + b'msgid "open')

    broken = next(item.finding for item in bench.check() if item.finding.check == "po-syntax")

    assert broken.line > 1
    assert "line" not in broken.message
    assert str(path) not in broken.message


def test_stats_of_a_catalog_that_cannot_serve_still_count(bench: Workbench) -> None:
    bench.extract()
    path = bench.translations / "fr" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    path.write_bytes(po_bytes("fr", entry("Hello", "Salut"), "nplurals=1; plural=0;"))

    [counted] = [item for item in bench.stats() if item.domain == "messages"]

    assert (counted.stats.translated, counted.stats.untranslated) == (1, 1)


@pytest.fixture
def configured(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HELIOGRAPH_CONTENT_TEMPLATES", str(bench.sources["messages"][0]))
    monkeypatch.setenv("HELIOGRAPH_CONTENT_TRANSLATIONS", str(bench.translations))
    monkeypatch.chdir(bench.translations.parent)
    return bench


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout


def test_the_command_line_speaks_json_and_tells_by_its_status(configured: Workbench) -> None:
    status, output = run("extract", "--json")
    assert status == 0
    assert str(configured.translations / "messages.pot") in json.loads(output)["written"]

    status, output = run("update", "fr", "fr-CA", "--json")
    assert status == 0
    assert len(json.loads(output)["written"]) >= 2

    status, output = run("stats", "--json")
    rows = [row for row in json.loads(output) if row["domain"] == "messages"]
    assert [(row["locale"], row["untranslated"]) for row in rows] == [("fr", 2), ("fr-CA", 2)]

    status, output = run("check", "--json")
    assert status == 0
    assert {row["severity"] for row in json.loads(output)} == {"warning"}


def test_the_command_line_fails_with_a_reason(configured: Workbench) -> None:
    run("extract")
    run("update", "fr")
    path = configured.translations / "fr" / "LC_MESSAGES" / "messages.po"
    path.write_text(path.read_text().replace('msgid "Hello"\nmsgstr ""', 'msgid "Hello"\nmsgstr "100% sûr"'))

    status, output = run("check")

    assert status == 1
    assert "percent-literal" in output
    assert run("update", "xx")[0] == 1
    assert run("check", "--warnings")[1].count("untranslated") >= 1
    assert "0 %" in run("stats")[1]
    (configured.sources["messages"][0] / "hello" / "sms" / "body.txt").write_text("{% trans %}")
    assert run("extract")[0] == 1


def test_the_shipped_catalogs_have_no_errors_and_are_complete() -> None:
    root = Path(__file__).parents[3]
    shipped = Workbench(
        translations=root / "translations",
        sources={"messages": [root / "templates"]},
        default=parse_locale("en"),
    )

    errors = [item for item in shipped.check() if item.finding.severity == "error"]

    assert errors == []
    for item in shipped.stats():
        assert item.stats.untranslated == item.stats.fuzzy == item.stats.failing == 0, item
