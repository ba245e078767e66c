"""Wake-ups between the processes of one machine that share a SQLite file: a named pipe beside it for each worker.

A ring is one byte; who hears many at once looks once. A pipe that nobody reads is what a dead worker left, and is
removed.
"""

import asyncio
import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gateway.ports import Wake

_GAP_SECONDS: Final = 0.005
"""The shortest time between two rings: what is accepted meanwhile shares one."""
_LOOK_SECONDS: Final = 1.0
"""How often a bell looks for workers that came."""
_MOST_BYTES: Final = 65_536


def _pattern(database: Path) -> str:
    return f"{database.name}.bell-*"


class PipeBell:
    """`gateway.ports.Wake` of a process that accepts: rings every worker beside it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._pipes: dict[Path, int] = {}
        self._looked_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for pipe in tuple(self._pipes):
            self._close(pipe)

    def ring(self) -> None:
        """Say that something may be due; the rings of one moment are one."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GAP_SECONDS, self._ring_all)

    def _ring_all(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            self._look()
        for pipe, descriptor in tuple(self._pipes.items()):
            try:
                os.write(descriptor, b".")
            except BlockingIOError:
                pass  # It is full of rings that nobody heard yet.
            except OSError:
                self._close(pipe)

    def _look(self) -> None:
        for pipe in self._database.parent.glob(_pattern(self._database)):
            if pipe in self._pipes:
                continue
            try:
                self._pipes[pipe] = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    pipe.unlink(missing_ok=True)

    def _close(self, pipe: Path) -> None:
        os.close(self._pipes.pop(pipe))


class PipeListener:
    """A worker's pipe: rings from other processes ring its own bell, while the block is open."""

    def __init__(self, database: Path, bell: Wake) -> None:
        self._path = database.with_name(f"{database.name}.bell-{os.getpid()}-{id(self):x}")
        self._bell = bell
        self._descriptor = -1

    async def __aenter__(self) -> Self:
        # Opened under another name: a bell would take a pipe that nobody reads yet for a dead worker's.
        new = self._path.with_name(f".{self._path.name}")
        os.mkfifo(new, 0o600)
        # Open for both, so that it never ends when the last who rang goes away.
        self._descriptor = os.open(new, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        new.rename(self._path)
        asyncio.get_running_loop().add_reader(self._descriptor, self._hear)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _hear(self) -> None:
        os.read(self._descriptor, _MOST_BYTES)
        self._bell.ring()
