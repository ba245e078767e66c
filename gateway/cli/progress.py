"""How far a command that takes long has come: bars on a terminal, a few plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.output import notes

_PLAIN_STEPS: Final = 4
"""How many lines a step takes where no bar can be drawn."""
_PLAIN_PARTS: Final = 10_000
"""How many parts make a line where nobody knows how many there are."""
Advance = Callable[[int], None]


class Steps:
    """Steps under way: bars on a terminal, a few plain lines elsewhere."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def begin(self, title: str, total: int | None) -> Advance:
        """A step of so many parts, if that is known; call the answer with how many are done."""
        if self._progress is None:
            return _PlainStep(title, total).show
        progress, task = self._progress, self._progress.add_task(title, total=total)
        return lambda done: progress.update(task, completed=done)


class _PlainStep:
    def __init__(self, title: str, total: int | None) -> None:
        self._title = title
        self._total = total
        self._told = -1

    def show(self, done: int) -> None:
        step = done // _PLAIN_PARTS if self._total is None else done * _PLAIN_STEPS // max(self._total, 1)
        if step > self._told:
            self._told = step
            notes.print(f"{self._title}: {done}" if self._total is None else f"{self._title}: {done} of {self._total}")


@contextmanager
def showing_steps() -> Iterator[Steps]:
    """Steps for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield Steps(None)
        return
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes) as progress:
        yield Steps(progress)
