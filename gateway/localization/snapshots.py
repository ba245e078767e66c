"""Catalogs as messages read them: immutable, with inheritance folded in, and without a text that would not render."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from babel import Locale

from gateway.errors import CatalogBroken, NotFound
from gateway.localization.checks import check_errors, check_file, plural_forms_of
from gateway.localization.findings import Finding, Severity, Subject
from gateway.localization.locales import parents, to_posix, to_tag
from gateway.localization.plurals import PluralForms, form_of
from gateway.localization.po import PoFile

Key = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluralText:
    """The forms of one plural entry, with the rule of the file they stand in."""

    msgid_plural: str
    texts: tuple[str, ...]
    forms: PluralForms

    def choose(self, count: int) -> str:
        """The form for a count."""
        return self.texts[form_of(self.forms, count)]


Texts = Mapping[Key, str | PluralText]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The texts of one locale, its parents' among them where it has none of its own."""

    locale: Locale
    tag: str
    version: str
    """Hash over the files that the texts come from."""
    is_source: bool
    """True if what the catalog lacks is the msgid itself: the default locale and its regional variants."""
    texts: Texts = field(repr=False)

    def gettext(self, context: str | None, msgid: str) -> str | None:
        """The text for a message; None if it is missing, fuzzy or would not render."""
        text = self.texts.get((context, msgid))
        if text is None:
            return msgid if self.is_source else None
        return text if isinstance(text, str) else text.choose(1)

    def ngettext(self, context: str | None, singular: str, plural: str, n: int) -> str | None:
        """The text for a message that counts something; None if missing, fuzzy, incomplete or not renderable."""
        text = self.texts.get((context, singular))
        if isinstance(text, PluralText) and text.msgid_plural == plural:
            return text.choose(n)
        if self.is_source:
            return singular if self.locale.plural_form(abs(n)) == "one" else plural
        return None

    def has(self, context: str | None, msgid: str, msgid_plural: str | None = None) -> bool:
        """True if the message can be sent in this locale."""
        if self.is_source:
            return True
        text = self.texts.get((context, msgid))
        if msgid_plural is None:
            return text is not None
        return isinstance(text, PluralText) and text.msgid_plural == msgid_plural


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFile:
    """One PO file that was found sound: its own texts, without those that would not render."""

    locale: Locale
    version: str
    texts: Texts = field(repr=False)
    failing: tuple[Finding, ...] = ()
    """The errors for which entries were left out."""


def load_catalog(po: PoFile, locale: Locale, version: str) -> CatalogFile:
    """Make the texts of a file ready to serve.

    CatalogBroken if the file as a whole is unsound: no header, duplicates, another language, wrong plural rules.
    An entry that would not render is left out, as if it were not translated.
    """
    if po.header_entry is None:
        raise CatalogBroken("the file has no header entry", line=1)
    for found in check_file(po, locale):
        if found.severity is Severity.ERROR:
            raise CatalogBroken(f"line {found.line}: {found.check}: {found.message}", line=found.line)
    forms = plural_forms_of(po)
    texts: dict[Key, str | PluralText] = {}
    failing: list[Finding] = []
    for entry in po.messages:
        if not any(entry.msgstr) or entry.is_fuzzy:
            continue
        errors = list(check_errors(Subject(entry=entry, locale=locale, forms=forms)))
        failing += errors
        if errors:
            continue
        if entry.msgid_plural is None:
            texts[entry.key] = entry.msgstr[0]
        elif forms is not None:
            texts[entry.key] = PluralText(msgid_plural=entry.msgid_plural, texts=entry.msgstr, forms=forms)
    return CatalogFile(locale=locale, version=version, texts=MappingProxyType(texts), failing=tuple(failing))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All catalogs of one instant; a message is rendered from one snapshot."""

    version: str
    default: Locale
    offered: tuple[Locale, ...]
    """The default first, then every locale with a catalog, by name."""
    broken: Mapping[str, str]
    """Folder name → why its file is not served, or why the last good version still is."""
    catalogs: Mapping[str, Catalog] = field(repr=False)

    def catalog(self, locale: Locale) -> Catalog:
        """The catalog of an offered locale; NotFound for any other."""
        try:
            return self.catalogs[to_posix(locale)]
        except KeyError as error:
            raise NotFound(f"there is no catalog for {to_tag(locale)}") from error


def make_snapshot(files: Iterable[CatalogFile], default: Locale, broken: Mapping[str, str]) -> Snapshot:
    """Fold each file with those of its parents and put all together."""
    by_name = {to_posix(file.locale): file for file in files}
    offered = (default, *(by_name[name].locale for name in sorted(by_name) if by_name[name].locale != default))
    catalogs = {to_posix(locale): _fold(locale, by_name, default) for locale in offered}
    version = _short_hash("".join(f"{name}={catalog.version};" for name, catalog in catalogs.items()))
    return Snapshot(
        version=version,
        default=default,
        offered=offered,
        broken=MappingProxyType(dict(broken)),
        catalogs=MappingProxyType(catalogs),
    )


def _fold(locale: Locale, files: Mapping[str, CatalogFile], default: Locale) -> Catalog:
    lineage = [locale, *parents(locale)]
    own_first = [files[to_posix(member)] for member in lineage if to_posix(member) in files]
    texts: dict[Key, str | PluralText] = {}
    for file in reversed(own_first):
        texts.update(file.texts)
    return Catalog(
        locale=locale,
        tag=to_tag(locale),
        version=_short_hash(",".join(file.version for file in own_first)),
        is_source=default in lineage,
        texts=MappingProxyType(texts),
    )


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
