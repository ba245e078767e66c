"""Servers and load generators as processes of their own, with the CPU time and the memory that each server takes."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECTIONS = 64
PATIENCE_SECONDS = 300.0
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server, be it several processes: where it listens, and the key that it takes."""

    processes: tuple[subprocess.Popen[str], ...]
    port: str
    key: str

    def cpu_seconds(self) -> float:
        """User and system time of all its processes, with those that have ended."""
        ticks = sum(sum(map(int, _stat(pid)[11:15])) for pid in self._pids())
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Proportional set size of all its processes: what is shared between them counts once."""
        return sum(_pss(pid) for pid in self._pids())

    def ask(self) -> int:
        """The number that it answers to a line on its standard input."""
        process = self.processes[0]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    def _pids(self) -> set[int]:
        """Its processes and what they started."""
        parents = {int(path.name): int(_stat(int(path.name))[1]) for path in Path("/proc").glob("[0-9]*")}
        family = {process.pid for process in self.processes}
        while younger := {pid for pid, parent in parents.items() if parent in family and pid not in family}:
            family |= younger
        return family


def _stat(pid: int) -> Sequence[str]:
    """Fields of proc_pid_stat(5) from the third on; zeros once it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 50


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def together(servers: Sequence[Server]) -> Server:
    """Several servers as one: posts go to the first, CPU and memory are those of all."""
    processes = tuple(process for server in servers for process in server.processes)
    return Server(processes=processes, port=servers[0].port, key=servers[0].key)


@contextmanager
def start(module: str, *arguments: str, key: str = "") -> Iterator[Server]:
    """A server of ours for as long as the block lasts; it prints its port, and its key unless that is known."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port, _, told = (
            next(line for line in process.stdout if line[0].isdigit() and "[" not in line).strip().partition(" ")
        )
        yield Server(processes=(process,), port=port, key=key or told)
    finally:
        process.communicate()


@contextmanager
def running(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that is told to end when the block does."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def await_answer(port: str) -> None:
    """Return once somebody listens there. Ends the program when nobody does in time."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", int(port)), timeout=1):
                return
        except OSError:
            if time.monotonic() > until:
                raise SystemExit(f"nobody came to listen on port {port}") from None
            time.sleep(0.05)


def await_ready(port: str) -> None:
    """Return once a process of ours at that port is ready; what answers before only says what it waits for.
    Ends the program when it is not in time."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nobody got ready on port {port}")


def load(
    server: Server, bodies: Sequence[bytes], seconds: float, connections: int = CONNECTIONS, *, rate: float = 0.0
) -> tuple[dict[str, Any], float]:
    """One burst of these bodies in turn: the generator's figures, and the server's CPU microseconds per answer.

    Each connection posts as soon as it was answered, unless a rate is given.
    """
    command = [sys.executable, "-m", "benchmarks.load", "127.0.0.1", server.port, "/v1/messages"]
    command += [str(connections), str(seconds), server.key or "none", "--rate", str(rate)]
    before = server.cpu_seconds()
    done = subprocess.run(command, input=b"\n".join(bodies), capture_output=True, check=True)
    figures = json.loads(done.stdout)
    # The warm-up and the tail are served too, but not counted.
    return figures, (server.cpu_seconds() - before) / figures["answered"] * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One burst of posts, until the sink had every message that was answered with 202."""

    per_second: float
    """From the first post to the last arrival."""
    cpu_microseconds: float
    """The server's own, for each message."""
    posted_per_second: float
    memory_bytes: int
    """Right after the last arrival."""


def deliver(server: Server, sink: Server, posts: Sequence[bytes], seconds: float, connections: int) -> Delivered:
    """Post for so long, then wait for the messages. Ends the program when some never arrive."""
    before, cpu, began = sink.ask(), server.cpu_seconds(), time.monotonic()
    figures, _ = load(server, posts, seconds, connections)
    assert set(figures["statuses"]) == {"202"}, figures
    accepted = figures["answered"]
    while (taken := sink.ask() - before) < accepted:
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise SystemExit(f"only {taken} of {accepted} messages arrived")
        time.sleep(0.02)
    elapsed = time.monotonic() - began
    return Delivered(
        per_second=accepted / elapsed,
        cpu_microseconds=(server.cpu_seconds() - cpu) / accepted * 1e6,
        posted_per_second=figures["per_second"],
        memory_bytes=server.memory_bytes(),
    )
