"""Durable accept against a bare echo: what a 202 that survives kill -9 costs beside decoding the same body.

Every round loads first the echo, then a gateway on SQLite, then one on PostgreSQL and Valkey, with 64 connections that
post as fast as they are answered; servers and load generator are processes of their own. Nobody dispatches meanwhile.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.measure import Effort
from benchmarks.posts import BODY
from benchmarks.processes import CONNECTIONS, load, start
from benchmarks.scaled import build, open_servers

GOAL = "at least 0.35 of the echo embedded (stretch 0.50), 0.45 scaled (stretch 0.60)"


def main(effort: Effort) -> None:
    """Run the rounds and print the ratios."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        echo = stack.enter_context(start("servers", "echo"))
        gateway = stack.enter_context(start("servers", "gateway", folder))
        postgres, valkey = stack.enter_context(open_servers())
        house = build(Path(folder), postgres.create_database(), valkey.url(), "1")
        servers = {
            "bare echo": echo,
            "embedded, on SQLite": gateway,
            "scaled, on PostgreSQL": stack.enter_context(house.serve()),
        }
        for server in servers.values():
            load(server, [BODY], effort.seconds / 3)
        rows = measure.interleave(
            lambda: [load(server, [BODY], effort.seconds) for server in servers.values()],
            rounds=effort.rounds,
            reference=lambda row: row[0][0]["per_second"],
        )
    assert all(set(answered["statuses"]) == {"202"} for row in rows for answered, _ in row), rows
    title = f"Durable accept, one process, dispatch paused, {CONNECTIONS} connections"
    measure.print_heading(title, rounds=len(rows), goal=GOAL)
    table = {name: measure.medians(_figures(*row[place]) for row in rows) for place, name in enumerate(servers)}
    measure.print_rows(("per second", "p50 ms", "p99 ms", "CPU µs"), table)
    for place, name in enumerate(servers):
        if place:
            ratios = [row[place][0]["per_second"] / row[0][0]["per_second"] for row in rows]
            measure.print_ratio(f"{name} / echo", ratios)


def _figures(answered: Mapping[str, Any], cpu_microseconds: float) -> Sequence[float]:
    return answered["per_second"], answered["p50_ms"], answered["p99_ms"], cpu_microseconds
