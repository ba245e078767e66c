"""How we measure: subjects take turns in every round, and what counts is the median of the rounds' ratios."""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much of it: in full for figures, short to see that it runs."""

    rounds: int
    seconds: float
    """Of one burst of load."""
    share: float
    """Of the sizes that a benchmark works through: messages, backlogs, operations."""

    def part(self, size: int, *, least: int = 1) -> int:
        """This effort's share of a size."""
        return max(int(size * self.share), least)


IN_FULL: Final = Effort(rounds=5, seconds=3.0, share=1.0)
SHORT: Final = Effort(rounds=1, seconds=0.5, share=0.002)


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
    subjects: Mapping[str, Callable[[int], object]], *, operations: int, rounds: int
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


def interleave(once: Callable[[], T], *, rounds: int, reference: Callable[[T], float]) -> list[T]:
    """The undisturbed rounds: each measures the reference right before the subjects.

    A round whose reference came to less than half of the best one is dropped, said so, and run again, up to twice as
    many in all: something else was using the machine.
    """
    done: list[T] = []
    for _ in range(2 * rounds):
        done.append(once())
        best = max(map(reference, done))
        kept = [one for one in done if reference(one) >= best / 2]
        if len(kept) == rounds:
            break
    for number, one in enumerate(done, 1):
        if one not in kept:
            print(f"  round {number} dropped: its reference came to {reference(one) / best:.2f} of the best")
    return kept


def medians(rows: Iterable[Sequence[float]]) -> list[float]:
    """The median of each column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def print_heading(title: str, *, rounds: int = 0, goal: str = "") -> None:
    """What follows, of how many rounds if it has any, on which machine, with how much else at work on it."""
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    how = f"{rounds} interleaved rounds, medians; " if rounds else ""
    print(f"\n{title}\n{how}{_machine()}; load average {load}")
    print(f"goal: {goal}\n" if goal else "")


def _machine() -> str:
    names = {line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")}
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    processor = names.pop() if names else platform.processor() or platform.machine()
    return f"{os.cpu_count()} × {processor}, {memory / 2**20:.0f} GiB, CPython {platform.python_version()}"


def _lines(path: str) -> Sequence[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else ()


def print_rows(columns: Sequence[str], rows: Mapping[str, Sequence[float | str]]) -> None:
    """A table for people; a number gets as many places as tell something."""
    print(f"  {'':34}" + "".join(f"{column:>17}" for column in columns))
    for name, values in rows.items():
        print(f"  {name:34}" + "".join(f"{_show(value):>17}" for value in values))


def _show(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def print_ratio(name: str, ratios: Sequence[float]) -> None:
    """One ratio: its median, and what the rounds gave."""
    shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"\n  {name}: {statistics.median(ratios):.2f} (rounds: {shown})")


def print_table(title: str, rows: Sequence[Row], *, rounds: int, goal: str = "") -> None:
    """Subjects of one process beside each other."""
    print_heading(title, rounds=rounds, goal=goal)
    table = {row.name: (row.microseconds, row.ratio, f"{row.lowest:.2f} to {row.highest:.2f}") for row in rows}
    print_rows(("CPU µs", "times faster", "from … to"), table)
