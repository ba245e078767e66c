"""What the commands on catalogs do: extract, update, check and count, over the files of both domains."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from babel import Locale

from gateway.errors import CatalogBroken
from gateway.localization.checks import check_catalog
from gateway.localization.editing import Stats, stats, update
from gateway.localization.extraction import extract
from gateway.localization.findings import Finding, Severity
from gateway.localization.locales import UnknownLocale, parse_locale, to_posix, to_tag
from gateway.localization.po import PoFile, dump_po
from gateway.localization.po_reader import parse_po
from gateway.localization.snapshots import CatalogFile, load_catalog, make_snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFinding:
    """A finding with the file that it is about, as a path below the translations folder."""

    path: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogStats:
    """How far the catalog of one locale and domain is."""

    domain: str
    tag: str
    stats: Stats


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """The translations folder and the templates of each domain."""

    translations: Path
    sources: Mapping[str, Sequence[Path]]
    """Domain → folders of templates."""
    default: Locale

    def extract(self) -> list[Path]:
        """Write the POT of each domain that has texts; the files that changed. TemplateBroken before any is written."""
        changed = []
        for domain, pot in self._extract_all().items():
            if pot.messages and _write(self._pot_path(domain), dump_po(pot)):
                changed.append(self._pot_path(domain))
        return changed

    def update(self, tags: Sequence[str] = ()) -> list[Path]:
        """Bring the catalogs of the given locales, or of every folder, in line with the POTs; the files that changed.

        New locales get a catalog with headers from CLDR. UnknownLocale or CatalogBroken before any file is written.
        """
        locales = {to_posix(parse_locale(tag)): parse_locale(tag) for tag in tags} or dict(self._locales())
        fresh: dict[Path, bytes] = {}
        for domain, pot in self._pots():
            for name, locale in locales.items():
                path = self._po_path(name, domain)
                old = _read(path) if path.exists() else None
                fresh[path] = dump_po(update(old, pot, locale))
        return [path for path, data in fresh.items() if _write(path, data)]

    def check(self) -> list[FileFinding]:
        """Everything that the checks say of every catalog, and whether POTs and catalogs are up to date."""
        findings: list[FileFinding] = []
        pots: dict[str, PoFile] = dict(self._pots())
        for domain, pot in self._extract_all().items():
            if _sources_of(pot) != _sources_of(pots.get(domain)):
                message = "the texts of the templates are not those of the POT; run `heliograph catalogs extract`"
                findings.append(self._file_finding(self._pot_path(domain), "pot-current", message))
        for folder in self._folders():
            findings += self._check_folder(folder, pots)
        return findings

    def stats(self) -> list[CatalogStats]:
        """The state of each catalog, by domain and locale."""
        counted = []
        for domain, pot in self._pots():
            files = {locale: _read(self._po_path(name, domain)) for name, locale in self._locales(domain)}
            served = [file for locale, po in files.items() if (file := _try_load(po, locale)) is not None]
            snapshot = make_snapshot(served, self.default, {})
            for locale, po in files.items():
                catalog = snapshot.catalogs.get(to_posix(locale))
                counted.append(
                    CatalogStats(domain=domain, tag=to_tag(locale), stats=stats(po, locale, pot.messages, catalog))
                )
        return counted

    def _check_folder(self, folder: Path, pots: Mapping[str, PoFile]) -> Iterator[FileFinding]:
        for domain in self.sources:
            path = self._po_path(folder.name, domain)
            if not path.exists():
                continue
            try:
                locale = parse_locale(folder.name)
                po = _read(path)
            except UnknownLocale as error:
                yield self._file_finding(path, "language-header", str(error))
                continue
            except CatalogBroken as broken:
                check = "encoding" if "UTF-8" in broken.message else "po-syntax"
                said = broken.message.removeprefix(f"{path}: ").removeprefix(f"line {broken.line}: ")
                yield self._file_finding(path, check, said, broken.line)
                continue
            if folder.name != to_posix(locale):
                yield self._file_finding(path, "language-header", f"the folder should be named {to_posix(locale)}")
            pot = pots.get(domain)
            for found in check_catalog(po, locale, pot):
                yield FileFinding(path=self._shown(path), finding=found)
            if pot is not None and {entry.key for entry in po.messages} != {entry.key for entry in pot.messages}:
                message = "its entries are not those of the POT; run `heliograph catalogs update`"
                yield self._file_finding(path, "catalog-current", message)

    def _extract_all(self) -> dict[str, PoFile]:
        return {domain: extract(*roots) for domain, roots in self.sources.items()}

    def _pots(self) -> Iterator[tuple[str, PoFile]]:
        for domain in self.sources:
            if self._pot_path(domain).exists():
                yield domain, _read(self._pot_path(domain))

    def _folders(self) -> list[Path]:
        if not self.translations.is_dir():
            return []
        return sorted(path for path in self.translations.iterdir() if (path / "LC_MESSAGES").is_dir())

    def _locales(self, domain: str = "") -> Iterator[tuple[str, Locale]]:
        for folder in self._folders():
            if not domain or self._po_path(folder.name, domain).exists():
                yield folder.name, parse_locale(folder.name)

    def _pot_path(self, domain: str) -> Path:
        return self.translations / f"{domain}.pot"

    def _po_path(self, name: str, domain: str) -> Path:
        return self.translations / name / "LC_MESSAGES" / f"{domain}.po"

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.translations).as_posix()

    def _file_finding(self, path: Path, check: str, message: str, line: int = 0) -> FileFinding:
        finding = Finding(check=check, severity=Severity.ERROR, message=message, line=line)
        return FileFinding(path=self._shown(path), finding=finding)


def _read(path: Path) -> PoFile:
    try:
        return parse_po(path.read_bytes())
    except CatalogBroken as broken:
        raise CatalogBroken(f"{path}: {broken.message}", line=broken.line) from broken


def _try_load(po: PoFile, locale: Locale) -> CatalogFile | None:
    try:
        return load_catalog(po, locale, "")
    except CatalogBroken:
        return None


def _sources_of(pot: PoFile | None) -> list[object]:
    """What a POT says, without its header."""
    return [] if pot is None else list(pot.messages)


def _write(path: Path, data: bytes) -> bool:
    """Put the bytes in place at once, so that a gateway that reads never sees half a file; False if they are there."""
    if path.exists() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return True
