"""Each documented check, with an entry that it must find and one that it must let pass."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.localization.checks import Finding, Severity, check_catalog
from gateway.localization.locales import parse_locale
from gateway.localization.placeholders import read_placeholders
from gateway.localization.po_reader import parse_po
from tests.po_texts import entry, po_bytes

TEXT, HTML = "templates/a/sms/body.txt", "templates/a/email/body.html"
SUBJECT = "templates/a/email/subject.txt"


def check(language: str, body: str, plural_forms: str | None = None) -> list[Finding]:
    return check_catalog(parse_po(po_bytes(language, body, plural_forms)), parse_locale(language))


def ids(findings: list[Finding], severity: Severity) -> set[str]:
    return {found.check for found in findings if found.severity is severity}


ERRORS = {
    "placeholder-missing": ("de", entry("Hi %(name)s", "Hallo")),
    "placeholder-unknown": ("de", entry("Hi %(name)s", "Hallo %(name)s %(nmae)s")),
    "placeholder-unknown where the source has none": ("de", entry("Hi", "Hallo %(name)s")),
    "placeholder-type": ("de", entry("Hi %(name)s", "Hallo %(name)d")),
    "placeholder-format a width that asks for a gigabyte": ("de", entry("Hi %(name)s", "Hallo %(name)999999999s")),
    "placeholder-format a star": ("de", entry("Hi %(name)s", "Hallo %(name)*s")),
    "percent-literal 38": ("de", entry("100%% sure", "100% sicher")),
    "percent-literal at the end": ("de", entry("A", "100 %")),
    "percent-literal positional": ("de", entry("A", "%s")),
    "plural-number-missing also 21": ("ru", entry("%(n)s a", "один", "%(n)s б", "%(n)s в", plural="%(n)s b")),
    "placeholder-missing in a plural": (
        "fr",
        entry("%(name)s: %(n)s a", "%(n)s b", "%(n)s c", plural="%(name)s: %(n)s d"),
    ),
    "plural-count": ("ru", entry("%(n)s a", "%(n)s б", "%(n)s в", plural="%(n)s b")),
    "plural-empty-form": ("ru", entry("%(n)s a", "%(n)s б", "%(n)s в", "", plural="%(n)s b")),
    "template-syntax": ("de", entry("A", "{{ config }}")),
    "template-syntax of a block": ("de", entry("A", "{% raw %}")),
    "html-tags one that stays open": ("de", entry("<b>Hi</b>", "<b>Hi", place=HTML)),
    "html-tags one that is new": ("de", entry("Hi", "<i>Hallo</i>", place=HTML)),
    "html-tags another link": (
        "de",
        entry('<a href=\\"%(url)s\\">x</a>', '<a href=\\"https://evil.com\\">%(url)s</a>', place=HTML),
    ),
    "html-tags crossed": ("de", entry("<b><i>x</i></b>", "<b><i>x</b></i>", place=HTML)),
    "html-tags without a place": ("de", entry("<b>Hi</b>", "Hallo")),
    "html-unsafe a script": ("de", entry("Hi", "<script>x</script>", place=HTML)),
    "html-unsafe a handler": ("de", entry("<b>Hi</b>", "<b onclick=x>Hi</b>", place=HTML)),
    "html-unsafe a scheme": ("de", entry("Hi", "javascript:alert(1)", place=HTML)),
    "html-in-text a tag": ("de", entry("Hi", "<b>Hallo</b>", place=TEXT)),
    "html-in-text an entity": ("de", entry("Fish & chips", "Fish &amp; chips", place=TEXT)),
    "url": ("de", entry("See https://example.com/help", "Siehe https://evil.com/help")),
    "url left out": ("de", entry("See https://example.com/help.", "Siehe Hilfe.")),
    "email": ("de", entry("Write to help@example.com", "An helf@example.co")),
    "newline-edge": ("de", entry("\\nHi", "Hallo")),
    "newline-edge at the end": ("de", entry("Hi", "Hallo\\n")),
    "header-control-char": ("de", entry("Your code", "Dein\\nBcc: x@y.z", place=SUBJECT)),
    "header-control-char U+2028": ("de", entry("Your code", "Dein\u2028Code", place="t/push/title.txt")),
    "max-length": ("de", entry("A", "a" * 10_001)),
    "html-tags by the hundred": ("de", entry("A", "<b></b>" * 101, place=HTML)),
    "bidi-control an override": ("he", entry("A", "\u202eא")),
    "bidi-control an open isolate": ("he", entry("%(n)s", "\u2068%(n)s")),
    "bidi-control a closed one that was not open": ("he", entry("%(n)s", "%(n)s\u2069\u2068")),
}


@pytest.mark.parametrize(("name", "case"), ERRORS.items(), ids=ERRORS.keys())
def test_an_error_is_found(name: str, case: tuple[str, str]) -> None:
    expected = name.split(maxsplit=1)[0]

    assert expected in ids(check(*case), Severity.ERROR)


GOOD = {
    "the same placeholders in another order": ("de", entry("%(a)s and %(b)s", "%(b)s und %(a)s")),
    "a doubled percent sign": ("fr", entry("100%% sure", "sûr à 100\u00a0%%")),
    "a number left out where only one count is meant": (
        "ar",
        entry("%(n)s a", "صفر", "واحد", "اثنان", "%(n)s ج", "%(n)s د", "%(n)s ه", plural="%(n)s b"),
    ),
    "a number left out in a singular that means one": ("de", entry("One a", "Ein a", "%(n)s b", plural="%(n)s b")),
    "a number shown where English says one": ("fr", entry("One a", "%(n)s b", "%(n)s c", plural="%(n)s d")),
    "tags moved": ("de", entry("<b>Hi</b> <i>you</i>", "<i>du</i> <b>hallo</b>", place=HTML)),
    "a line break": ("de", entry("a<br>b<br/>c", "d<br>e<br/>f", place=HTML)),
    "tags of the plural": (
        "fr",
        entry("one", "<b>%(n)s</b> u", "<b>%(n)s</b> d", plural="<b>%(n)s</b> many", place=HTML),
    ),
    "a smaller sign in text": ("de", entry("I <3 you", "Ich <3 dich", place=TEXT)),
    "a link kept": ("de", entry("See https://example.com/a.", "Siehe https://example.com/a!")),
    "a link with Chinese punctuation behind": ("zh", entry("See https://example.com/a.", "请看https://example.com/a。")),
    "an address changed on purpose": (
        "de",
        entry("See https://example.com", "Siehe https://example.de", flags="ignore-url"),
    ),
    "isolates in balance": ("he", entry("%(n)s", "\u2068%(n)s\u2069 א")),
    "a fuzzy entry is not judged": ("de", entry("Hi %(name)s", "Hallo", flags="fuzzy")),
    "an empty entry is not judged": ("de", entry("Hi %(name)s", "")),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD.keys())
def test_a_good_translation_has_no_error(case: tuple[str, str]) -> None:
    assert [found for found in check(*case) if found.severity is Severity.ERROR] == []


FILES = {
    "duplicate-entry": ("fr", entry("A", "a") + entry("A", "b"), None),
    "plural-header unparsable": ("fr", "", "nplurals=2; plural=n;"),
    "plural-header absent": ("fr", entry("a", "b", "c", plural="d"), ""),
    "plural-cldr 8": ("pl", "", "nplurals=2; plural=(n != 1);"),
}


@pytest.mark.parametrize(("name", "case"), FILES.items(), ids=FILES.keys())
def test_an_error_of_the_file_is_found(name: str, case: tuple[str, str, str | None]) -> None:
    assert ids(check(*case), Severity.ERROR) == {name.split(maxsplit=1)[0]}


@pytest.mark.parametrize("declared", ["de", "xx", ""])
def test_the_language_header_must_be_the_folders(declared: str) -> None:
    po = parse_po(po_bytes("fr").replace(b"Language: fr", f"Language: {declared}".encode()))

    assert ids(check_catalog(po, parse_locale("fr")), Severity.ERROR) == {"language-header"}


def test_the_language_header_may_be_an_alias() -> None:
    po = parse_po(po_bytes("iw", plural_forms=""))

    assert check_catalog(po, parse_locale("he")) == []


WARNINGS = {
    "untranslated": ("de", entry("Hi", "")),
    "fuzzy": ("de", entry("Hi", "Hallo", flags="fuzzy")),
    "stale": ("de", '#| msgid "Ho"\n' + entry("Hi", "Hallo")),
    "unchanged": ("de", entry("Your order has shipped", "Your order has shipped")),
    "same-plurals": ("ru", entry("%(n)s a", "%(n)s а", "%(n)s а", "%(n)s а", plural="%(n)s b")),
    "space-edge": ("de", entry("Hi ", "Hallo")),
    "double-space": ("de", entry("Hi you", "Hallo  du")),
    "end-punctuation": ("de", entry("Hi!", "Hallo.")),
    "end-punctuation none": ("ja", entry("Hi.", "やあ")),
    "punctuation-spacing": ("fr", entry("Pay!", "Payez !", place=HTML)),
    "punctuation-spacing of a colon": ("fr", entry("Total: %(n)s", "Total : %(n)s", place=HTML)),
    "numbers": ("de", entry("24 hours", "42 Stunden")),
    "double-word": ("es", entry("the end", "la la fin")),
    "brackets": ("de", entry("a (b)", "a (b")),
    "invisible-char": ("de", entry("Hello", "Ha\u200bllo")),
    "mixed-script": ("ru", entry("Pay", "P\u0430y")),
    "wrong-script": ("ru", entry("Your order has shipped", "Vash zakaz otpravlen")),
    "plural-cldr": ("lt", ""),
}


@pytest.mark.parametrize(("name", "case"), WARNINGS.items(), ids=WARNINGS.keys())
def test_a_warning_is_given(name: str, case: tuple[str, str]) -> None:
    kde = "nplurals=4; plural=(n==1 ? 0 : n%10>=2 && (n%100<11 || n%100>19) ? 1 : n%10==1 && n%100!=11 ? 3 : 2);"

    findings = check(*case, plural_forms=kde if case[0] == "lt" else None)

    assert ids(findings, Severity.WARNING) == {name.split(maxsplit=1)[0]}
    assert ids(findings, Severity.ERROR) == set()


SILENT = {
    "a word that is the same in both languages": ("de", entry("Name", "Name")),
    "a hyphenated word that is the same in both languages": ("fr", entry("E-mail", "E-mail")),
    "punctuation of the language": ("zh", entry("Really?", "真的？")),
    "Arabic question marks": ("ar", entry("Really?", "حقًا؟")),
    "an ellipsis in three dots": ("de", entry("Wait…", "Warte...")),
    "a mark before a closing quote": ("de", entry("Say “yes.”", "Sag „ja.“")),
    "no mark in Thai": ("th", entry("Thanks.", "ขอบคุณ")),
    "a plain space in a French SMS": ("fr", entry("Pay!", "Payez !", place=TEXT)),
    "a no-break space in French": ("fr", entry("Pay!", "Payez\u00a0!", place=HTML)),
    "numbers in other digits": ("ar", entry("24 hours", "\u0662\u0664 \u0633\u0627\u0639\u0629")),
    "nous nous": ("fr", entry("we rest", "nous nous reposons")),
    "a joiner of Persian": ("fa", entry("a", "می\u200cشود")),
    "one form in a language that has one": ("ja", entry("%(n)s a", "%(n)s個", plural="%(n)s b")),
    "brand names in Cyrillic text": ("ru", entry("By Visa or Mastercard", "Картой Visa или Mastercard")),
    "a silenced check": ("de", entry("Hi!", "Hallo.", flags="ignore-end-punctuation")),
}


@pytest.mark.parametrize("case", SILENT.values(), ids=SILENT.keys())
def test_no_warning_is_given_for(case: tuple[str, str]) -> None:
    assert [found.check for found in check(*case, plural_forms="" if case[0] in {"th", "fa"} else None)] == []


def test_what_the_pot_has_and_the_catalog_lacks_is_untranslated() -> None:
    pot = parse_po(entry("A", "").encode() + entry("B", "").encode())

    findings = check_catalog(parse_po(po_bytes("de", entry("A", "a"))), parse_locale("de"), pot)

    assert [(found.check, found.entry) for found in findings] == [("untranslated", "B")]


def test_a_finding_names_entry_context_and_line() -> None:
    [found] = check("de", entry("Hi %(name)s", "Hallo", context="menu"))

    assert (found.entry, found.context, found.line) == ("Hi %(name)s", "menu", 9)
    assert "%(name)s" in found.message


@pytest.mark.parametrize("piece", ["a", "a@", "<", "<!--", "&", "%(", "%", "é ", "\u2068", "a.b@c.", "https://", "{{"])
def test_checks_take_linear_time_on_hostile_texts(piece: str) -> None:
    assert _seconds_to_check((piece * 10_000)[:10_000]) < 5


@pytest.mark.parametrize("opening", ["<", "</", "on", "javascript", "data:", "a "])
def test_checks_take_linear_time_on_endless_spaces(opening: str) -> None:
    assert _seconds_to_check(opening + " " * 9_000) < 5


def _seconds_to_check(text: str) -> float:
    body = "".join(entry(f"A{number}", text, place=HTML) for number in range(20))
    started = time.process_time()
    check("de", body)
    return time.process_time() - started


@given(text=st.text(st.sampled_from("%()sdn0.*# a"), max_size=12))
def test_a_text_without_findings_formats_with_any_values(text: str) -> None:
    found = read_placeholders(text)

    if not found.stray and not found.formats:
        values = {name: 1 if kind in {"integer", "decimal", "character"} else "x" for name, kind in found.names.items()}
        assert isinstance(text % values, str)


@given(name=st.text(max_size=5), after=st.text(max_size=5))
def test_reading_placeholders_never_fails(name: str, after: str) -> None:
    text = f"%({name})s{after}%"

    assert read_placeholders(text) == read_placeholders(text)
