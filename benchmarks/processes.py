"""Servers and load generators as processes of their own, with the CPU time that each server used."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECTIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server process: where it listens, and the key that it takes."""

    process: subprocess.Popen[str]
    port: str
    key: str

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self) -> int:
        """The number that it answers to a line on its standard input."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def start(module: str, *arguments: str) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port, _, key = (
            next(line for line in process.stdout if line[0].isdigit() and "[" not in line).strip().partition(" ")
        )
        yield Server(process=process, port=port, key=key)
    finally:
        process.communicate()


def load(
    server: Server, bodies: Sequence[bytes], seconds: float, connections: int = CONNECTIONS
) -> tuple[dict[str, Any], float]:
    """One burst of these bodies in turn: the generator's figures, and the server's CPU microseconds per answer."""
    command = [sys.executable, "-m", "benchmarks.load", "127.0.0.1", server.port, "/v1/messages"]
    command += [str(connections), str(seconds), server.key or "none"]
    before = server.cpu_seconds()
    done = subprocess.run(command, input=b"\n".join(bodies), capture_output=True, check=True)
    figures = json.loads(done.stdout)
    # The warm-up and the tail are served too, but not counted.
    return figures, (server.cpu_seconds() - before) / figures["answered"] * 1e6
