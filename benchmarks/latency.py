"""How long an accept takes while the dispatcher has all that it can do.

A backlog keeps the dispatcher busy throughout. What the gateway accepts meanwhile from 64 connections is its saturated
rate; then every round posts at half of that rate, at fixed instants, first to a bare echo, then to the gateway.
"""

import tempfile
from contextlib import ExitStack

from benchmarks import measure
from benchmarks.backlog import fill
from benchmarks.measure import Effort
from benchmarks.posts import bodies
from benchmarks.processes import load, start

GOAL = "p99 at most 5 times the echo's at the same rate (stretch 3)"
BACKLOG = 150_000
BURSTS = 3
"""A paced burst lasts so many times as long as others: its slowest hundredth should be many."""


def main(effort: Effort) -> None:
    """Run the rounds and print the ratios."""
    posts = bodies()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        with start("servers", "gateway", folder) as paused:
            key, _ = paused.key, load(paused, posts, effort.seconds / 3)
        fill(f"sqlite:///{folder}/store.db", effort.part(BACKLOG))
        sink = stack.enter_context(start("sink"))
        echo = stack.enter_context(start("servers", "echo"))
        gateway = stack.enter_context(start("servers", "gateway", folder, sink.port, key=key))
        saturated, _ = load(gateway, posts, effort.seconds)
        load(echo, posts, effort.seconds / 3)
        rate, seconds = saturated["per_second"] / 2, effort.seconds * BURSTS
        rows = []
        for _ in range(effort.rounds):
            reference, _ = load(echo, posts, seconds, rate=rate)
            before = sink.ask()
            subject, _ = load(gateway, posts, seconds, rate=rate)
            rows.append((reference, subject, (sink.ask() - before) / (1.2 * seconds)))
    assert all(set(row[1]["statuses"]) == {"202"} for row in rows), rows
    title = f"Accept at {rate:.0f} a second, half of what is accepted at most, with dispatch running flat out"
    measure.print_heading(title, rounds=len(rows), goal=GOAL)
    table = {
        "bare echo": measure.medians((row[0]["p50_ms"], row[0]["p99_ms"]) for row in rows),
        "accept, committed": measure.medians((row[1]["p50_ms"], row[1]["p99_ms"], row[2]) for row in rows),
    }
    measure.print_rows(("p50 ms", "p99 ms", "sent a second"), table)
    measure.print_ratio("p99 of accept / of the echo", [row[1]["p99_ms"] / row[0]["p99_ms"] for row in rows])
