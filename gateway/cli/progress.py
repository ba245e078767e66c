"""How far a command that takes long has come: bars on a terminal, a few plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.output import notes

_PLAIN_STEPS: Final = 4
"""How many lines a step takes where no bar can be drawn."""
Advance = Callable[[int], None]


class Steps:
    """Steps under way: bars on a terminal, a few plain lines elsewhere."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def begin(self, title: str, total: int) -> Advance:
        """A step of so many parts; call the answer with how many are done."""
        if self._progress is None:
            return _PlainStep(title, total).show
        progress, task = self._progress, self._progress.add_task(title, total=total)
        return lambda done: progress.update(task, completed=done)


class _PlainStep:
    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = max(total, 1)
        self._told = -1

    def show(self, done: int) -> None:
        step = done * _PLAIN_STEPS // self._total
        if step > self._told:
            self._told = step
            notes.print(f"{self._title}: {done} of {self._total}")


@contextmanager
def showing_steps() -> Iterator[Steps]:
    """Steps for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield Steps(None)
        return
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes) as progress:
        yield Steps(progress)
