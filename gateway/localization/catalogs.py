"""The catalogs on disk, taken up while the gateway runs; a broken file never replaces one that works."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from babel import Locale

from gateway.errors import CatalogBroken
from gateway.localization.locales import UnknownLocale, parse_locale
from gateway.localization.po import PoEntry, PoFile, dump_po
from gateway.localization.po_reader import parse_po
from gateway.localization.snapshots import Catalog, CatalogFile, Snapshot, load_catalog, make_snapshot

__all__ = ["Catalog", "CatalogLibrary", "PoEntry", "PoFile", "Snapshot", "dump_po", "parse_po"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is held of one folder: the version that serves, and the bytes last refused."""

    data: bytes = field(default=b"", repr=False)
    file: CatalogFile | None = None
    refused: str = ""
    problem: str = ""


class CatalogLibrary:
    """The catalogs of one domain below `root`, as an immutable snapshot that refresh() swaps.

    Files are told apart by their hash, never by their time: two edits may fall into one tick of the clock.
    """

    def __init__(self, root: Path, domain: str = "messages", *, default: Locale) -> None:
        self._root = root
        self._domain = domain
        self._default = default
        self._known: dict[str, _Known] = {}
        self._lock = asyncio.Lock()
        self.snapshot: Snapshot = make_snapshot((), default, {})
        """What serves now; whoever renders takes it once and keeps it."""

    async def refresh(self) -> bool:
        """Take up what changed on disk, off the event loop; True if the snapshot is another one now."""
        async with self._lock:
            known, snapshot = await asyncio.to_thread(self._read)
            changed = snapshot.version != self.snapshot.version or snapshot.broken != self.snapshot.broken
            self._report(known)
            self._known = known
            if changed:
                self.snapshot = snapshot
            return changed

    def _read(self) -> tuple[dict[str, _Known], Snapshot]:
        known: dict[str, _Known] = {}
        taken: dict[Locale, str] = {}
        for name, path in self._find():
            held = known[name] = self._examine(name, path, taken)
            if held.file is not None:
                taken[held.file.locale] = name
        files = [held.file for held in known.values() if held.file is not None]
        broken = {name: held.problem for name, held in known.items() if held.problem}
        return known, make_snapshot(files, self._default, broken)

    def _find(self) -> Iterator[tuple[str, Path]]:
        if not self._root.is_dir():
            return
        for folder in sorted(self._root.iterdir()):
            path = folder / "LC_MESSAGES" / f"{self._domain}.po"
            if path.is_file():
                yield folder.name, path

    def _examine(self, name: str, path: Path, taken: dict[Locale, str]) -> _Known:
        """The state of one folder: as held if the bytes are, else the new version or the reason to refuse it."""
        held = self._known.get(name, _Known())
        try:
            data = path.read_bytes()
        except OSError as error:
            return _Known(data=held.data, file=held.file, problem=f"cannot be read: {error.strerror}")
        digest = hashlib.sha256(data).hexdigest()
        if held.file is not None and digest == held.file.version:
            return _Known(data=held.data, file=held.file)
        if digest == held.refused:
            return held
        try:
            file = self._load(name, data, digest, held, taken)
        except CatalogBroken as broken:
            return _Known(data=held.data, file=held.file, refused=digest, problem=broken.message)
        return _Known(data=data, file=file)

    def _load(self, name: str, data: bytes, digest: str, held: _Known, taken: dict[Locale, str]) -> CatalogFile:
        try:
            locale = parse_locale(name)
        except UnknownLocale as error:
            raise CatalogBroken(f"the folder's name is no locale: {name}") from error
        if locale in taken:
            raise CatalogBroken(f"{taken[locale]} is the same locale")
        file = load_catalog(parse_po(data), locale, digest)
        if held.file is not None:
            _check_successor(file, data, held.file, held.data)
        return file

    def _report(self, known: dict[str, _Known]) -> None:
        is_first = not self._known
        say = _log.debug if is_first else _log.info
        for name, held in known.items():
            before = self._known.get(name, _Known())
            if held.problem and held.problem != before.problem:
                _log.warning("catalog.refused", domain=self._domain, locale=name, problem=held.problem)
            elif held.file is not None and held.file != before.file:
                say("catalog.loaded", domain=self._domain, locale=name, failing=len(held.file.failing))
        if is_first:
            loaded = [name for name, held in known.items() if held.file is not None]
            _log.info("catalogs.loaded", domain=self._domain, count=len(loaded), locales=" ".join(loaded))


def _check_successor(file: CatalogFile, data: bytes, served: CatalogFile, served_data: bytes) -> None:
    """Refuse what is worse than the version that serves: new errors, or a file that was cut off while being written."""
    known = {(found.context, found.entry) for found in served.failing}
    for found in file.failing:
        if (found.context, found.entry) not in known:
            raise CatalogBroken(f"line {found.line}: {found.check}: {found.message}", line=found.line)
    if served_data.startswith(data) and file.texts != served.texts:
        raise CatalogBroken("the file is only the beginning of the version that serves; it seems to be cut off")
