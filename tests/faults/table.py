"""The table that the rig prints: one line for each row and mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.house import Mode
from tests.faults.judge import Verdict
from tests.faults.rig import Row

_COLUMNS: Final = ("trials", "promised", "accepted", "lost", "duplicate", "ghost", "late", "stuck", "unknown")
_HEADS: Final = ("n", "202", "accepts", "lost", "dup", "ghost", "late", "stuck", "unkn", "95 %", "s")
_WIDTHS: Final = (5, 8, 8, 5, 5, 6, 5, 6, 5, 9, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row in one mode, played."""

    row: Row
    mode: Mode
    verdict: Verdict
    seconds: float


def head() -> str:
    """The first line of the table."""
    return f"{'row':<32}{'mode':<10}" + "".join(f"{name:>{w}}" for name, w in zip(_HEADS, _WIDTHS, strict=True))


def print_line(line: Line) -> str:
    """One line of the table, and below it what did not hold."""
    verdict = line.verdict
    cells = [*[getattr(verdict, name) for name in _COLUMNS], verdict.bound, f"{line.seconds:.1f}"]
    text = f"{line.row.name:<32}{line.mode:<10}"
    text += "".join(f"{cell:>{w}}" for cell, w in zip(cells, _WIDTHS, strict=True))
    figures = {"slowest_s": round(verdict.slowest, 1), **verdict.figures}
    text += "  " + " ".join(f"{name}={value}" for name, value in figures.items())
    return "\n".join([text, *[f"    BROKEN: {problem}" for problem in verdict.problems]])


def summary(lines: Sequence[Line]) -> str:
    """The sum over all rows of each mode."""
    parts = []
    for mode in Mode:
        trials = sum(line.verdict.trials for line in lines if line.mode is mode)
        broken = sum(bool(line.verdict.problems) for line in lines if line.mode is mode)
        if trials:
            parts.append(f"{mode}: {trials} faults, {broken} rows broken, rule of three < {min(3 / trials, 1):.2%}")
    return "; ".join(parts)
