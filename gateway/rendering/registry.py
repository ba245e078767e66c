"""Templates on disk, taken up while the gateway runs; a broken one never replaces one that works."""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import structlog
from babel import Locale

from gateway.errors import ContentError, TemplateBroken
from gateway.rendering.layouts import FOLDER
from gateway.rendering.loading import Files, load_template
from gateway.rendering.manifest import FILE
from gateway.rendering.templates import Snapshot, Template
from gateway.rendering.trials import try_samples

MAX_FILE: Final = 500_000
"""Bytes of one file; a larger one is no template."""
_LONGEST_PROBLEM: Final = 500
"""Characters of a complaint."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is held of one folder: the version that serves, and the files last looked at."""

    digest: str = ""
    template: Template | None = None
    problem: str = ""


class TemplateLibrary:
    """The templates below `root`, as an immutable snapshot that refresh() swaps.

    Files are told apart by their hash, never by their time. A template whose files do not pass their checks is
    refused and named in `snapshot.broken`; its last good version serves on.
    """

    def __init__(self, root: Path, *, default: Locale) -> None:
        self._root = root
        self._default = default
        self._known: dict[str, _Known] = {}
        self._lock = asyncio.Lock()
        self.snapshot = _snapshot({})
        """What serves now; whoever renders takes it once and keeps it."""

    async def refresh(self) -> bool:
        """Take up what changed on disk, off the event loop; True if the snapshot is another one now."""
        async with self._lock:
            known = await asyncio.to_thread(self._read)
            snapshot = _snapshot(known)
            changed = snapshot.version != self.snapshot.version or snapshot.broken != self.snapshot.broken
            self._report(known)
            self._known = known
            if changed:
                self.snapshot = snapshot
            return changed

    def _read(self) -> dict[str, _Known]:
        layouts = self._read_files(self._root / FOLDER, f"{FOLDER}/")
        return {name: self._examine(name, layouts) for name in self._names()}

    def _names(self) -> Iterator[str]:
        if not self._root.is_dir():
            return
        for folder in sorted(self._root.iterdir()):
            if (folder / FILE).is_file() and not folder.name.startswith((".", "_")):
                yield folder.name

    def _examine(self, name: str, layouts: Files | TemplateBroken) -> _Known:
        """The state of one folder: as held if the files are, else the new version or the reason to refuse it."""
        held = self._known.get(name, _Known())
        files = self._read_files(self._root / name, "")
        if isinstance(files, TemplateBroken) or isinstance(layouts, TemplateBroken):
            broken = files if isinstance(files, TemplateBroken) else layouts
            assert isinstance(broken, TemplateBroken)
            return _Known(template=held.template, problem=broken.message)
        digest = _digest({**files, **layouts})
        if digest == held.digest:
            return held
        try:
            template = self._load(name, files, layouts)
        except ContentError as error:
            return _Known(digest=digest, template=held.template, problem=_shortened(error.message))
        return _Known(digest=digest, template=template)

    def _load(self, name: str, files: Files, layouts: Files) -> Template:
        if not _NAME.fullmatch(name):
            raise TemplateBroken(f"{name[:64]!r}: a template's name has lower-case letters, digits and -")
        template = load_template(name, files, layouts)
        try_samples(template, self._default)
        return template

    def _read_files(self, folder: Path, prefix: str) -> Files | TemplateBroken:
        """The files below a folder by their path in it; links that lead out of the root are refused."""
        files: dict[str, bytes] = {}
        root = self._root.resolve()
        try:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                inside = path.relative_to(folder).as_posix()
                if any(step.startswith(".") or step.endswith("~") for step in inside.split("/")) or not path.is_file():
                    continue
                if not path.resolve().is_relative_to(root):
                    return TemplateBroken(f"{prefix}{inside}: leads out of the templates' folder", part=inside)
                if path.stat().st_size > MAX_FILE:
                    return TemplateBroken(f"{prefix}{inside}: is larger than {MAX_FILE} bytes", part=inside)
                files[f"{prefix}{inside}"] = path.read_bytes()
        except OSError as error:
            return TemplateBroken(f"{prefix or folder.name}: cannot be read: {error.strerror}")
        return files

    def _report(self, known: Mapping[str, _Known]) -> None:
        is_first = not self._known
        say = _log.debug if is_first else _log.info
        for name, held in known.items():
            before = self._known.get(name, _Known())
            if held.problem and held.problem != before.problem:
                _log.warning("template.refused", template=name, problem=held.problem, serving=held.template is not None)
            elif held.template is not None and held.template is not before.template:
                say("template.loaded", template=name, version=held.template.version)
        if is_first:
            _log.info("templates.loaded", count=sum(held.template is not None for held in known.values()))


def _snapshot(known: Mapping[str, _Known]) -> Snapshot:
    templates = {name: held.template for name, held in known.items() if held.template is not None}
    versions = "".join(f"{name}={template.version};" for name, template in sorted(templates.items()))
    return Snapshot(
        version=hashlib.sha256(versions.encode()).hexdigest()[:16],
        templates=MappingProxyType(templates),
        broken=MappingProxyType({name: held.problem for name, held in known.items() if held.problem}),
    )


def _shortened(problem: str) -> str:
    """A complaint may quote a whole file; both its ends say what is wrong."""
    half = _LONGEST_PROBLEM // 2
    return problem if len(problem) <= _LONGEST_PROBLEM else f"{problem[:half]} … {problem[-half:]}"


def _digest(files: Files) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{len(files[path])}\0".encode())
        digest.update(files[path])
    return digest.hexdigest()
