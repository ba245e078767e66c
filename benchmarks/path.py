"""The whole path: from HTTP POST over the store, policy, localized text and MIME to an SMTP server that took it.

Every round loads first a bare echo, then the gateway, and waits until the sink has every message that was
answered with 202. The gateway is one process on its embedded default: one store, `synchronous=FULL`, its own worker.
"""

import tempfile
from contextlib import ExitStack

from benchmarks import measure
from benchmarks.measure import Effort
from benchmarks.posts import PLACES, bodies
from benchmarks.processes import deliver, load, start

CONNECTIONS = 16
GOAL = "at most 10 times the echo's CPU (stretch 6)"


def main(effort: Effort) -> None:
    """Run the rounds and print the figures."""
    posts = bodies()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        sink = stack.enter_context(start("sink"))
        echo = stack.enter_context(start("servers", "echo"))
        gateway = stack.enter_context(start("servers", "gateway", folder, sink.port))
        load(echo, posts, effort.seconds / 3, CONNECTIONS)
        deliver(gateway, sink, posts, effort.seconds, CONNECTIONS)
        rows = measure.interleave(
            lambda: (
                load(echo, posts, effort.seconds, CONNECTIONS),
                deliver(gateway, sink, posts, effort.seconds, CONNECTIONS),
            ),
            rounds=effort.rounds,
            reference=lambda row: row[0][0]["per_second"],
        )
    title = (
        f"Whole path to an SMTP sink, receipts and shipped orders in {len(PLACES)} locales, {CONNECTIONS} connections"
    )
    measure.print_heading(title, rounds=len(rows), goal=GOAL)
    echoed = measure.medians((row[0][0]["per_second"], row[0][1]) for row in rows)
    mailed = measure.medians((row[1].per_second, row[1].cpu_microseconds, row[1].posted_per_second) for row in rows)
    measure.print_rows(("per second", "CPU µs", "posted a second"), {"bare echo": echoed, "delivered e-mail": mailed})
    measure.print_ratio("CPU of a delivered e-mail / of an echo", [row[1].cpu_microseconds / row[0][1] for row in rows])
