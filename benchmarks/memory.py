"""Whether the memory of a gateway at work stays as it is, over hundreds of thousands of messages."""

import tempfile
from contextlib import ExitStack

from benchmarks import measure
from benchmarks.measure import Effort
from benchmarks.posts import bodies
from benchmarks.processes import deliver, start

GOAL = "at most 1.10 times what it was after the first tenth"
MESSAGES = 200_000
CONNECTIONS = 16
BURST = 3
"""Bursts last so many times as long as others."""


def main(effort: Effort) -> None:
    """Deliver them all in bursts and print what was resident after each tenth."""
    posts, wanted = bodies(), effort.part(MESSAGES)
    marks: list[float] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        sink = stack.enter_context(start("sink"))
        gateway = stack.enter_context(start("servers", "gateway", folder, sink.port))
        while (taken := sink.ask()) < wanted:
            burst = deliver(gateway, sink, posts, effort.seconds * BURST, CONNECTIONS)
            if taken >= wanted * len(marks) / 10:
                marks.append(burst.memory_bytes / 2**20)
    measure.print_heading(f"Resident memory over {taken:,} delivered e-mails, embedded", goal=GOAL)
    print("  MiB (PSS) after each tenth: " + " ".join(f"{mark:.0f}" for mark in marks))
    print(f"\n  most / after the first tenth: {max(marks) / marks[0]:.2f}")
