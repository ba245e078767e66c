"""Durable accept against a bare echo: what a 202 that survives kill -9 costs beside decoding the same body.

Every round loads first the echo, then the gateway, with 64 connections that post as fast as they are answered;
servers and load generator are processes of their own.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUNDS = 5
SECONDS = 3.0
CONNECTIONS = 64
GOAL = 0.35
BODY = json.dumps(
    {
        "template": "order-shipped",
        "to": {"id": "user-42", "email": "amina@example.org", "locale": "fr-CA", "timezone": "America/Toronto"},
        "channels": ["email"],
        "data": {"order": "A-1009", "total": {"amount": "129.90", "currency": "CAD"}, "eta": "2026-12-01"},
        "tags": ["checkout"],
        "metadata": {"order_id": "A-1009"},
    }
).encode()


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


@contextmanager
def start(*arguments: str) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.servers", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port, _, key = (
            next(line for line in process.stdout if line[0].isdigit() and "[" not in line).strip().partition(" ")
        )
        yield Server(process=process, port=port, key=key)
    finally:
        process.communicate()


def load(server: Server, seconds: float) -> tuple[dict[str, Any], float]:
    """One burst: the generator's figures, and the server's CPU time for each answer in microseconds."""
    command = [sys.executable, "-m", "benchmarks.load", "127.0.0.1", server.port, "/v1/messages"]
    command += [str(CONNECTIONS), str(seconds), server.key or "none"]
    before = server.cpu_seconds()
    done = subprocess.run(command, input=BODY, capture_output=True, check=True)
    figures = json.loads(done.stdout)
    # The warm-up and the tail are served too, but not counted.
    return figures, (server.cpu_seconds() - before) / figures["answered"] * 1e6


def main() -> None:
    """Run the rounds and print the ratios."""
    ratios, rows = [], []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        echo = stack.enter_context(start("echo"))
        gateway = stack.enter_context(start("gateway", folder))
        for server in (echo, gateway):
            load(server, 1.0)
        for _ in range(ROUNDS):
            reference, reference_cpu = load(echo, SECONDS)
            subject, subject_cpu = load(gateway, SECONDS)
            assert set(subject["statuses"]) == {"202"}, subject
            ratios.append(subject["per_second"] / reference["per_second"])
            rows.append((reference, reference_cpu, subject, subject_cpu))
    average = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(
        f"\nDurable accept, dispatch paused, {CONNECTIONS} connections\n{ROUNDS} interleaved rounds, medians; "
        f"load average {average}; goal at least {GOAL} of the echo\n"
    )
    print(f"  {'':24} {'per second':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs':>8}")
    for name, first in (("bare echo", 0), ("accept, committed", 2)):
        middle = {key: statistics.median(row[first][key] for row in rows) for key in ("per_second", "p50_ms", "p99_ms")}
        cpu = statistics.median(row[first + 1] for row in rows)
        print(
            f"  {name:24} {middle['per_second']:>11.0f} {middle['p50_ms']:>8.1f} {middle['p99_ms']:>8.1f} {cpu:>8.0f}"
        )
    shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"\n  accept / echo: {statistics.median(ratios):.2f} (rounds: {shown})")


if __name__ == "__main__":
    main()
