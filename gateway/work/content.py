"""Taking up templates and catalogs that change on disk, within seconds and without a restart."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from gateway.metrics import Metrics

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_FULL_LOOK_EVERY: Final = 10
"""So many looks at the files' times, then one at their content whatever the times say: clocks and copies lie."""


class Library(Protocol):
    """Templates or catalogs: an immutable snapshot that `refresh` swaps."""

    async def refresh(self) -> bool:
        """Take up what changed; True if the snapshot is another one now."""


class Watched:
    """One folder and the library that serves it."""

    def __init__(
        self, kind: str, root: Path, library: Library, broken: Callable[[], Mapping[str, str]], metrics: Metrics
    ) -> None:
        self._kind = kind
        self._root = root
        self._library = library
        self._broken = broken
        self._metrics = metrics
        self._seen: frozenset[tuple[str, int, int]] | None = None
        self._looks = 0

    async def look(self) -> None:
        """Refresh the library if a file came, went, or has another time or size."""
        files = await asyncio.to_thread(lambda: frozenset(_stamps(self._root)))
        self._looks += 1
        if files == self._seen and self._looks % _FULL_LOOK_EVERY:
            return
        before = self._broken()
        changed = await self._library.refresh()
        refused = [name for name, why in self._broken().items() if before.get(name) != why]
        self._metrics.refresh_failures.labels(self._kind).inc(len(refused))
        if changed and self._seen is not None:
            _log.info("content.changed", kind=self._kind, refused=refused)
        self._seen = files


class ContentWatcher:
    """Looks at the folders every so often while its block is open; entering it loads them for the first time."""

    def __init__(self, watched: tuple[Watched, ...], every: timedelta) -> None:
        self._watched = watched
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for one in self._watched:
            await one.look()
        self._task = asyncio.create_task(self._watch(), name="content")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every.total_seconds())
            for one in self._watched:
                try:
                    await one.look()
                except Exception as error:  # the job wrapper: the last good content serves on
                    _log.error("content.look_failed", error=type(error).__name__)


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Path, time and size of every file below a folder; files that vanish while we look are left out."""
    for path, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(path, name)
            try:
                stat = os.stat(full)
            except OSError:
                continue
            yield full, stat.st_mtime_ns, stat.st_size
