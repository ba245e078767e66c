"""How long an accept takes while the dispatcher has all that it can do.

A backlog keeps the dispatcher busy throughout. What the gateway accepts meanwhile from 64 connections is its saturated
rate; then every round posts at half of that rate, at fixed instants, first to a bare echo, then to the gateway.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import measure
from benchmarks.backlog import fill
from benchmarks.measure import Effort
from benchmarks.posts import bodies
from benchmarks.processes import Server, load, start
from benchmarks.scaled import build, open_servers

GOAL = "p99 at most 5 times the echo's at the same rate (stretch 3)"
BACKLOG = 150_000
BURSTS = 3
"""A paced burst lasts so many times as long as others: its slowest hundredth should be many."""


def main(effort: Effort) -> None:
    """Run the rounds in each mode and print the ratios."""
    for mode, opened in (("embedded", _embedded), ("scaled", _scaled)):
        with start("sink") as sink, start("servers", "echo") as echo, opened(effort, sink.port) as gateway:
            _measure(mode, effort, gateway, echo, sink)


@contextmanager
def _embedded(effort: Effort, relay_port: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="heliograph-bench-") as folder:
        with start("servers", "gateway", folder) as paused:
            load(paused, bodies(), effort.seconds / 3)
        fill(f"sqlite:///{folder}/store.db", effort.part(BACKLOG))
        with start("servers", "gateway", folder, relay_port, key=paused.key) as gateway:
            yield gateway


@contextmanager
def _scaled(effort: Effort, relay_port: str) -> Iterator[Server]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        postgres, valkey = stack.enter_context(open_servers())
        house = build(Path(folder), postgres.create_database(), valkey.url(), relay_port)
        with house.serve() as paused:
            load(paused, bodies(), effort.seconds / 3)
        fill(house.database, effort.part(BACKLOG))
        gateway = stack.enter_context(house.serve())
        stack.enter_context(house.work())
        yield gateway


def _measure(mode: str, effort: Effort, gateway: Server, echo: Server, sink: Server) -> None:
    posts = bodies()
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
    title = f"Accept, {mode}, at {rate:.0f} a second, half of what is accepted at most, with dispatch running flat out"
    measure.print_heading(title, rounds=len(rows), goal=GOAL)
    table = {
        "bare echo": measure.medians((row[0]["p50_ms"], row[0]["p99_ms"]) for row in rows),
        "accept, committed": measure.medians((row[1]["p50_ms"], row[1]["p99_ms"], row[2]) for row in rows),
    }
    measure.print_rows(("p50 ms", "p99 ms", "sent a second"), table)
    measure.print_ratio("p99 of accept / of the echo", [row[1]["p99_ms"] / row[0]["p99_ms"] for row in rows])
