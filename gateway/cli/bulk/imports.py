"""Rows of a file to the gateway, a few hundred in a call and a few calls at once, and what became of each.

Answers are taken in the order of the rows, so that what is behind is always the beginning of the file.
"""

import asyncio
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import typer

from gateway.cli.bulk.checkpoint import Checkpoint, Keeper
from gateway.cli.bulk.problems import Problems, telling_problems
from gateway.cli.bulk.rows import BOTH_WAYS, Columns, Format, Row, RowProblem, format_of, read_rows
from gateway.cli.client import Client
from gateway.cli.output import fail, notes, print_json
from gateway.cli.progress import showing_steps

SOME_REFUSED: Final = 3
"""The exit status of an import that came to its end and had rows refused."""
_ROWS: Final = 500
"""In one call; the gateway takes a thousand."""
_CHARACTERS: Final = 1_000_000
"""Of rows in one call, about."""
_CALLS: Final = 4
"""Under way at once."""
_REFUSED: Final = "refused"
_REFUSALS: Final = (400, 413, 422)
"""A call that is refused as a whole, for what one of its rows says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is imported: into which call its rows go, and what they may hold."""

    title: str
    path: str
    """A batch call: it takes a list of up to 1,000 and answers `items`, each with its `status`."""
    member: str
    """The list in its body."""
    columns: Columns
    key: str | None = None
    """The column by which a later row replaces an earlier one: two with one key are never under way at once."""
    remark: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    """What else to count of an answered row."""


@dataclass(slots=True, kw_only=True)
class _Batch:
    rows: list[Row] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    characters: int = 0
    answer: "asyncio.Task[Sequence[Mapping[str, Any]]] | None" = None


async def run_import(
    client: Client,
    plan: Import,
    source: str,
    written: Format | None,
    *,
    errors: str | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Import a file, or standard input for `-`; ends with status 3 where rows were refused."""
    chosen = Format.NDJSON if source == BOTH_WAYS and written is None else format_of(source, written)
    path = None if source == BOTH_WAYS else Path(source)
    try:
        keeper = Keeper(path)
        checkpoint = keeper.begin(resume=resume)
        with _opened(path) as file, telling_problems(errors, checkpoint) as problems, showing_steps() as steps:
            advance = steps.begin(plan.title, None if path is None else _count_lines(path, chosen))
            rows = read_rows(file, chosen, plan.columns)
            for _ in zip(range(checkpoint.rows), rows, strict=False):
                pass
            async for batch in _answered(client, plan, rows):
                _take(checkpoint, plan, batch, problems)
                problems.flush(checkpoint)
                keeper.save(checkpoint)
                advance(checkpoint.rows)
    except OSError as error:
        raise fail(f"{error.filename or source}: {error.strerror}", 2) from error
    keeper.forget()
    _report(checkpoint, plan, as_json)


def _report(checkpoint: Checkpoint, plan: Import, as_json: bool) -> None:
    counts = dict(sorted(checkpoint.counts.items()))
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    notes.print(f"{plan.title}: {checkpoint.rows} rows; {told or 'nothing to do'}")
    if as_json:
        print_json({"rows": checkpoint.rows, **counts})
    if counts.get(_REFUSED):
        raise typer.Exit(SOME_REFUSED)


def _take(checkpoint: Checkpoint, plan: Import, batch: _Batch, problems: "Problems") -> None:
    """Count what became of every row of a batch, and tell what is wrong with those that were refused."""
    assert batch.answer is not None
    results = iter(batch.answer.result())
    for row in batch.rows:
        words: list[str | None] = [_REFUSED]
        if row.problem is not None:
            problems.tell(row.problem)
        elif (result := next(results))["status"] == _REFUSED:
            for problem in _problems_of(row.line, result):
                problems.tell(problem)
        else:
            words = [result["status"], plan.remark(result)]
        for word in words:
            if word is not None:
                checkpoint.counts[word] = checkpoint.counts.get(word, 0) + 1
    checkpoint.rows += len(batch.rows)


def _problems_of(line: int, result: Mapping[str, Any]) -> Iterator[RowProblem]:
    for problem in result.get("errors") or [{"pointer": "", "code": result["code"], "message": result["detail"]}]:
        name = problem["pointer"].removeprefix("/").replace("/", ".")
        yield RowProblem(line=line, field=name, code=problem["code"], message=problem["message"])


async def _answered(client: Client, plan: Import, rows: Iterator[Row]) -> AsyncIterator[_Batch]:
    """Batches with their answers, in the order of the rows."""
    under_way: deque[_Batch] = deque()
    try:
        for batch in _batches(plan, rows):
            while under_way and (len(under_way) == _CALLS or any(batch.keys & other.keys for other in under_way)):
                yield await _finished(under_way)
            batch.answer = asyncio.create_task(_send(client, plan, batch))
            under_way.append(batch)
            # Reading a file never waits: without this no call would begin before the next one has to wait.
            await asyncio.sleep(0)
        while under_way:
            yield await _finished(under_way)
    finally:
        for left in under_way:
            if left.answer is not None:
                left.answer.cancel()
        await asyncio.gather(*[left.answer for left in under_way if left.answer], return_exceptions=True)


async def _finished(under_way: "deque[_Batch]") -> _Batch:
    first = under_way[0]
    assert first.answer is not None
    await first.answer
    return under_way.popleft()


def _batches(plan: Import, rows: Iterator[Row]) -> Iterator[_Batch]:
    batch = _Batch()
    for row in rows:
        batch.rows.append(row)
        if row.value is not None:
            batch.characters += len(str(row.value))
            if plan.key is not None:
                batch.keys.add(str(row.value.get(plan.key)))
        if len(batch.rows) == _ROWS or batch.characters >= _CHARACTERS:
            yield batch
            batch = _Batch()
    if batch.rows:
        yield batch


async def _send(client: Client, plan: Import, batch: _Batch) -> Sequence[Mapping[str, Any]]:
    values = [row.value for row in batch.rows if row.value is not None]
    if not values:
        return ()
    return await _results(client, plan, values)


async def _results(client: Client, plan: Import, values: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What became of each value. Where one of them has the whole call refused, the others go without it."""
    answer = await client.call_patiently("POST", plan.path, body={plan.member: values}, refusals=_REFUSALS)
    if answer.status not in _REFUSALS:
        items: Sequence[Mapping[str, Any]] = answer.body["items"]
        return items
    refused = _refused_by_name(answer.body, plan.member)
    if not refused and len(values) > 1:
        middle = len(values) // 2
        return [
            *await _results(client, plan, values[:middle]),
            *await _results(client, plan, values[middle:]),
        ]
    refused = refused or {0: {"status": _REFUSED, "code": answer.body["code"], "detail": answer.body["detail"]}}
    others = [value for index, value in enumerate(values) if index not in refused]
    kept = iter(await _results(client, plan, others) if others else ())
    return [refused[index] if index in refused else next(kept) for index in range(len(values))]


def _refused_by_name(problem: Mapping[str, Any], member: str) -> Mapping[int, Mapping[str, Any]]:
    """The items of a call that its refusal names, each as if it had been refused alone."""
    refused: dict[int, dict[str, Any]] = {}
    for error in problem.get("errors", ()):
        if found := re.fullmatch(rf"/{member}/(\d+)(/.*)?", error["pointer"]):
            item = refused.setdefault(int(found[1]), {"status": _REFUSED, "errors": []})
            item["errors"].append({**error, "pointer": found[2] or ""})
    return refused


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape", newline="")  # type: ignore[union-attr]
        yield sys.stdin
        return
    # Bytes that are no UTF-8 are the fault of their row, not of the file.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield file


def _count_lines(path: Path, written: Format) -> int:
    """How many rows there are about: a cell may hold line breaks."""
    with path.open("rb") as file:
        lines = sum(1 for line in file if line.strip())
    return lines - 1 if written is Format.CSV and lines else lines
