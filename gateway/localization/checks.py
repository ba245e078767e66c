"""The checks of a catalog: one implementation for hot reload, the command line, the API and the editor."""

from collections.abc import Iterator

from babel import Locale

from gateway.errors import CatalogBroken
from gateway.localization.error_checks import check_errors
from gateway.localization.findings import Finding, Severity, Subject
from gateway.localization.locales import UnknownLocale, parse_locale, to_tag
from gateway.localization.plurals import PluralForms, compare_with_cldr, parse_plural_forms
from gateway.localization.po import PoFile
from gateway.localization.warning_checks import check_warnings

__all__ = ["Finding", "Severity", "check_catalog", "check_errors", "check_file", "plural_forms_of"]


def check_catalog(po: PoFile, locale: Locale, pot: PoFile | None = None) -> list[Finding]:
    """Everything that can be said of a catalog, errors and warnings, in the order of the file.

    With the template file `pot`, also the source texts that the catalog lacks, as `untranslated`.
    """
    findings = list(check_file(po, locale))
    forms = plural_forms_of(po)
    for entry in po.messages:
        subject = Subject(entry=entry, locale=locale, forms=forms)
        if not entry.is_fuzzy:
            findings += check_errors(subject)
        findings += check_warnings(subject)
    if pot is not None:
        findings += _check_missing(po, pot)
    return sorted(findings, key=lambda item: (item.line, item.check))


def plural_forms_of(po: PoFile) -> PluralForms | None:
    """The plural forms that the file's header declares; None if it declares none that can be used."""
    try:
        return parse_plural_forms(po.header.get("Plural-Forms", ""))
    except CatalogBroken:
        return None


def check_file(po: PoFile, locale: Locale) -> Iterator[Finding]:
    """The errors for which a whole file is refused, and warnings on its header."""
    line = po.header_entry.line if po.header_entry else 0
    yield from _check_duplicates(po)
    yield from _check_language(po, locale, line)
    yield from _check_plurals(po, locale, line)


def _error(check: str, message: str, line: int) -> Finding:
    return Finding(check=check, severity=Severity.ERROR, message=message, line=line)


def _check_duplicates(po: PoFile) -> Iterator[Finding]:
    lines: dict[tuple[str | None, str], int] = {}
    for entry in po.entries:
        if entry.obsolete:
            continue
        first = lines.setdefault(entry.key, entry.line)
        if first != entry.line:
            yield Finding(
                check="duplicate-entry",
                severity=Severity.ERROR,
                message=f"the entry stands in line {first} already",
                entry=entry.msgid,
                context=entry.context,
                line=entry.line,
            )


def _check_language(po: PoFile, locale: Locale, line: int) -> Iterator[Finding]:
    language = po.header.get("Language", "")
    if not language:
        yield _error("language-header", f"the header lacks Language: {to_tag(locale)}", line)
        return
    try:
        declared = parse_locale(language)
    except UnknownLocale:
        declared = None
    if declared != locale:
        yield _error("language-header", f"the header says Language: {language}, the folder {to_tag(locale)}", line)


def _check_plurals(po: PoFile, locale: Locale, line: int) -> Iterator[Finding]:
    header = po.header.get("Plural-Forms", "")
    if not header:
        if any(entry.msgid_plural is not None for entry in po.messages):
            yield _error("plural-header", "the header lacks Plural-Forms", line)
        return
    try:
        forms = parse_plural_forms(header)
    except CatalogBroken as broken:
        yield _error("plural-header", broken.message, line)
        return
    mismatch = compare_with_cldr(forms, locale)
    if mismatch is not None:
        severity = Severity.ERROR if mismatch.is_coarser else Severity.WARNING
        yield Finding(check="plural-cldr", severity=severity, message=mismatch.message, line=line)


def _check_missing(po: PoFile, pot: PoFile) -> Iterator[Finding]:
    present = {entry.key for entry in po.messages}
    for entry in pot.messages:
        if entry.key not in present:
            yield Finding(
                check="untranslated",
                severity=Severity.WARNING,
                message="the entry is not in the catalog; update it",
                entry=entry.msgid,
                context=entry.context,
            )
