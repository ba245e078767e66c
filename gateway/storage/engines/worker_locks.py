"""Signs of life in a file's folder: a file lock per worker, beside the database.

The kernel drops the lock when a process dies however it dies, so a restart need not wait for a lease to run out.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from gateway.domain.ids import WorkerId

_MARK: Final = ".worker-"
_ENDING: Final = ".lock"


class WorkerLocks:
    """`SignsOfLife` on SQLite: the locks of this process's workers, and a look at those of others on the same file."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._held: dict[WorkerId, int] = {}

    def _path(self, worker: WorkerId) -> Path:
        return self._database.with_name(f"{self._database.name}{_MARK}{worker}{_ENDING}")

    async def show(self, worker: WorkerId) -> None:
        """Take the worker's lock for as long as this process lives; anew if others took its file away."""
        self._let_go(worker)
        descriptor = os.open(self._path(worker), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._held[worker] = descriptor
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    async def missing(self) -> frozenset[WorkerId]:
        """Workers whose process has surely ended: their lock's file is there, and nobody holds it."""
        prefix = f"{self._database.name}{_MARK}"
        names = [path.name for path in self._database.parent.glob(f"{prefix}*{_ENDING}")]
        workers = [WorkerId(name.removeprefix(prefix).removesuffix(_ENDING)) for name in names]
        return frozenset(worker for worker in workers if self._is_free(worker))

    def _is_free(self, worker: WorkerId) -> bool:
        try:
            descriptor = os.open(self._path(worker), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    async def hide(self, worker: WorkerId) -> None:
        """Let go of the lock and take its file away."""
        self._path(worker).unlink(missing_ok=True)
        self._let_go(worker)

    async def aclose(self) -> None:
        """Let go of every lock held here; the files stay, so that others see at once that their workers ended."""
        for worker in tuple(self._held):
            self._let_go(worker)

    def _let_go(self, worker: WorkerId) -> None:
        descriptor = self._held.pop(worker, None)
        if descriptor is not None:
            os.close(descriptor)
