"""What the demo tells: progress on standard error, outcomes as tables on standard output."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.demo.posting import Posted
from gateway.cli.output import notes, print_table
from gateway.domain.lifecycle import DeliveryStatus

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


def print_outcomes(posted: Sequence[Posted], messages: Mapping[str, Mapping[str, Any]]) -> None:
    """Tables of what became of every delivery, by template, channel and locale, and of every refused message."""
    by_template: dict[str, Counter[str]] = {}
    by_channel: dict[str, Counter[str]] = {}
    by_locale: dict[str, Counter[str]] = {}
    for message in messages.values():
        locale = message["locale"] or message["metadata"].get("locale", "")
        for delivery in message["deliveries"]:
            for table, name in (
                (by_template, message["template"]),
                (by_channel, delivery["channel"]),
                (by_locale, locale),
            ):
                table.setdefault(name, Counter())[delivery["status"]] += 1
    refused = Counter(one.planned.refused for one in posted if one.planned.refused and one.message_id is None)
    for title, table in (("template", by_template), ("channel", by_channel), ("locale", by_locale)):
        _print(title, table)
    print_table(
        "Refused at once (422), nothing stored",
        ("wrong field", "messages"),
        sorted((pointer or "", number) for pointer, number in refused.items()),
    )


def _print(title: str, outcomes: Mapping[str, Counter[str]]) -> None:
    seen = [status for status in DeliveryStatus if any(counts[status] for counts in outcomes.values())]
    rows = [
        (name, sum(counts.values()), *(counts[status] or "" for status in seen))
        for name, counts in sorted(outcomes.items())
    ]
    total: Counter[str] = sum(outcomes.values(), Counter())
    rows.append(("all", total.total(), *(total[status] for status in seen)))
    print_table(f"Deliveries by {title}", (title, "deliveries", *seen), rows)
