"""One server process: started, asked whether it answers, stopped, killed, frozen; it never outlives who started it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0
_DIE_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


class ServerProcess:
    """A program that serves until it is told to end."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        answers: Callable[[], bool],
        end: signal.Signals,
        **popen: Any,
    ) -> None:
        self._command = [str(word) for word in command]
        self._log, self._answers, self._end, self._popen = log, answers, end, popen
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id. Raises AssertionError while it does not run."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers. Raises AssertionError with its log when it ends or does not."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_bind(self._end),  # noqa: PLW1509 - one call of the C library
                **self._popen,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                raise AssertionError(f"the server did not start:\n{self._log.read_text(errors='replace')[-4_000:]}")
            time.sleep(0.01)

    def stop(self, by: signal.Signals | None = None) -> None:
        """End it with the signal given, by default its gentle one; nothing happens where it does not run."""
        if self._process is None:
            return
        self.thaw()
        process, self._process = self._process, None
        process.send_signal(by or self._end)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Stop it where it stands, its children too: connections stay open and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, which: signal.Signals) -> None:
        # The parent first: a frozen one has no further children.
        for pid in (self.pid, *_children(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)


def _children(pid: int) -> list[int]:
    if sys.platform == "linux":
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            return []
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def _bind(end: signal.Signals) -> Callable[[], object] | None:
    """What makes the kernel end the server when the thread that started it dies; only Linux has it."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_DIE_WITH_PARENT, int(end), 0, 0, 0)


def inherited(**variables: str) -> Mapping[str, str]:
    """An environment with nothing of the caller's but the way to programs."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **variables}
