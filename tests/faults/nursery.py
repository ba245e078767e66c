"""Where the gateway's processes are born: everything is imported once, and each start is a fork of that.

    python -m tests.faults.nursery

A rig that kills hundreds of times would spend nine tenths of its time on imports. What a child then runs is the
command itself, from its arguments, environment and folder, with a process, descriptors and signals of its own.
Each line of JSON on standard input asks for one child; standard output tells its pid, and later its exit status.
"""

import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from typing import Any, Final

import gateway.bootstrap
import gateway.cli.main
import gateway.cli.serve
import gateway.cli.worker
import tests.faults.clocked

_HEIR: Final = {"command": gateway.cli.main.main, "clocked": tests.faults.clocked.main}


def bear(wish: dict[str, Any]) -> int:
    """Fork a child that runs what is wished for; its pid."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    status = 1
    try:
        _settle(wish)
        _HEIR[wish["run"]]()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stderr.flush()
        # No handler of the nursery's may run in its child.
        os._exit(status)


def _settle(wish: dict[str, Any]) -> None:
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor, target in ((nothing, 0), (nothing, 1), (log, 2)):
        os.dup2(descriptor, target)
    os.environ.clear()
    os.environ.update(wish["environment"])
    os.chdir(wish["folder"])
    sys.argv[:] = wish["arguments"]


def main() -> None:
    """Bear children until standard input closes; those that are left then are killed."""
    living: set[int] = set()
    ends, told = os.pipe()
    os.set_blocking(told, False)
    # Ends are looked into between wishes: a handler that wrote by itself might do so in the middle of an answer.
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for wish in _wishes(ends, living):
        pid = bear(wish)
        living.add(pid)
        print(json.dumps({"born": pid}), flush=True)
    for pid in living:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _wishes(ends: int, living: set[int]) -> Iterator[dict[str, Any]]:
    """Each line of standard input; meanwhile it is told who ended."""
    asked = b""
    while True:
        ready, _, _ = select.select([0, ends], [], [])
        if ends in ready:
            os.read(ends, 4096)
            _bury(living)
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                return
            *lines, asked = (asked + more).split(b"\n")
            yield from map(json.loads, lines)


def _bury(living: set[int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            living.discard(found[0])
            print(json.dumps({"pid": found[0], "status": os.waitstatus_to_exitcode(found[1])}), flush=True)


if __name__ == "__main__":
    main()
