"""How we measure: subjects take turns in every round, and what counts is the median of the rounds' ratios."""

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One subject's figures over all rounds."""

    name: str
    microseconds: float
    """Median CPU time of one operation."""
    ratio: float
    """Median over the rounds of the reference's time divided by this one's: how many times faster it is."""
    lowest: float
    highest: float


def time_rounds(
    subjects: Mapping[str, Callable[[int], object]], *, operations: int, rounds: int = ROUNDS
) -> Mapping[str, Sequence[float]]:
    """CPU seconds for each operation, round by round; the subjects take turns within a round.

    A subject is called with a number that never repeats, so that it can make values that no cache has seen.
    """
    times: dict[str, list[float]] = {name: [] for name in subjects}
    number = 0
    for subject in subjects.values():
        for _ in range(max(2, operations // 10)):
            number += 1
            subject(number)
    for _ in range(rounds):
        for name, subject in subjects.items():
            gc.collect()
            started = time.process_time()
            for _ in range(operations):
                number += 1
                subject(number)
            times[name].append((time.process_time() - started) / operations)
    return times


def compare(times: Mapping[str, Sequence[float]], reference: str) -> list[Row]:
    """Each subject held against the reference in its own round."""
    rows = []
    for name, seconds in times.items():
        ratios = [theirs / ours for theirs, ours in zip(times[reference], seconds, strict=True)]
        rows.append(
            Row(
                name=name,
                microseconds=statistics.median(seconds) * 1e6,
                ratio=statistics.median(ratios),
                lowest=min(ratios),
                highest=max(ratios),
            )
        )
    return rows


def print_table(title: str, rows: Sequence[Row], *, rounds: int = ROUNDS, goal: str = "") -> None:
    """One table for people, with the machine's load beside it."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"\n{title}\n{rounds} interleaved rounds, medians; load average {load}{'; goal ' + goal if goal else ''}\n")
    print(f"  {'':44} {'CPU µs':>10} {'times faster':>13}   lowest to highest")
    for row in rows:
        print(f"  {row.name:44} {row.microseconds:>10.1f} {row.ratio:>13.2f}   {row.lowest:.2f} to {row.highest:.2f}")
