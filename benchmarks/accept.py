"""Durable accept against a bare echo: what a 202 that survives kill -9 costs beside decoding the same body.

Every round loads first the echo, then the gateway, with 64 connections that post as fast as they are answered;
servers and load generator are processes of their own.
"""

import json
import os
import statistics
import tempfile
from contextlib import ExitStack

from benchmarks.processes import CONNECTIONS, load, start

ROUNDS = 5
SECONDS = 3.0
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


def main() -> None:
    """Run the rounds and print the ratios."""
    ratios, rows = [], []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        echo = stack.enter_context(start("servers", "echo"))
        gateway = stack.enter_context(start("servers", "gateway", folder))
        for server in (echo, gateway):
            load(server, [BODY], 1.0)
        for _ in range(ROUNDS):
            reference, reference_cpu = load(echo, [BODY], SECONDS)
            subject, subject_cpu = load(gateway, [BODY], SECONDS)
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
