"""Delivered per second with two workers in two processes against one, over the same backlog."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import measure
from benchmarks.backlog import fill
from benchmarks.measure import Effort
from benchmarks.posts import bodies
from benchmarks.processes import PATIENCE_SECONDS, Server, load, start
from benchmarks.scaled import House, build, open_servers

GOAL = "as much more as two cores can show, which database, sink and workers share"
BACKLOG = 200_000


def main(effort: Effort) -> None:
    """Run the rounds and print the ratios."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-")))
        postgres, valkey = stack.enter_context(open_servers())
        sink = stack.enter_context(start("sink"))
        house = build(folder, postgres.create_database(), valkey.url(), sink.port)
        with house.serve() as gateway:
            load(gateway, bodies(), effort.seconds / 3)
        fill(house.database, effort.part(BACKLOG, least=5_000))
        rows = [[_rate(house, sink, number, effort.seconds) for number in (1, 2)] for _ in range(effort.rounds)]
    measure.print_heading("Delivered e-mails from a backlog, scaled", rounds=len(rows), goal=GOAL)
    one, two = measure.medians([[alone[0], both[0]] for alone, both in rows])
    cpu_one, cpu_two = measure.medians([[alone[1], both[1]] for alone, both in rows])
    table = {"one worker": (one, cpu_one), "two workers, two processes": (two, cpu_two)}
    measure.print_rows(("per second", "CPU µs"), table)
    measure.print_ratio("two / one", [both[0] / alone[0] for alone, both in rows])


def _rate(house: House, sink: Server, workers: int, seconds: float) -> tuple[float, float]:
    """Delivered in so many seconds from a second after the first, and the CPU microseconds of each."""
    with ExitStack() as stack:
        idle, began = sink.ask(), time.monotonic()
        at_work = [stack.enter_context(house.work()) for _ in range(workers)]
        while sink.ask() == idle:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise SystemExit("the workers stand still")
            time.sleep(0.02)
        time.sleep(1)
        before, cpu, began = sink.ask(), sum(worker.cpu_seconds() for worker in at_work), time.monotonic()
        time.sleep(seconds)
        delivered, elapsed = sink.ask() - before, time.monotonic() - began
        spent = sum(worker.cpu_seconds() for worker in at_work) - cpu
    if not delivered:
        raise SystemExit("the backlog ran dry")
    return delivered / elapsed, spent / delivered * 1e6
