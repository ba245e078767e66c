"""What was wrong with rows: the first few for people to read, all of them in a file."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

from gateway.cli.bulk.checkpoint import Checkpoint
from gateway.cli.bulk.rows import Format, RowProblem, format_of
from gateway.cli.output import notes

_SHOWN: Final = 20
"""Problems that are printed; a file may have a million."""
_COLUMNS: Final = ("line", "field", "code", "message")


class Problems:
    """Where problems are told."""

    def __init__(self, file: TextIO | None, write: Callable[[RowProblem], None]) -> None:
        self._file = file
        self._write = write
        self._told = 0

    def tell(self, problem: RowProblem) -> None:
        """One more."""
        self._write(problem)
        self._told += 1
        if self._told <= _SHOWN:
            where = f"line {problem.line}" + (f", {problem.field}" if problem.field else "")
            notes.print(f"{where}: {problem.message}")
        elif self._told == _SHOWN + 1:
            notes.print("… and more; --errors FILE keeps them all" if self._file is None else "… and more, in the file")

    def flush(self, checkpoint: Checkpoint) -> None:
        """Have all of them in the file, and remember how much that is."""
        if self._file is not None:
            self._file.flush()
            checkpoint.errors_bytes = self._file.tell()


@contextmanager
def telling_problems(name: str | None, checkpoint: Checkpoint) -> Iterator[Problems]:
    """The file of errors is open meanwhile, cut to what belongs to the rows that are behind."""
    if name is None:
        yield Problems(None, lambda _: None)
        return
    is_csv = format_of(name, None) is Format.CSV
    path = Path(name)
    with suppress(FileNotFoundError):
        if path.stat().st_size > checkpoint.errors_bytes:
            with path.open("rb+") as file:
                file.truncate(checkpoint.errors_bytes)
    with path.open("a", encoding="utf-8", newline="") as file:
        if is_csv and not file.tell():
            csv.writer(file).writerow(_COLUMNS)
        yield Problems(file, _csv_writer(file) if is_csv else _ndjson_writer(file))


def _members(problem: RowProblem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in _COLUMNS}


def _csv_writer(file: TextIO) -> Callable[[RowProblem], None]:
    writer = csv.writer(file)
    return lambda problem: writer.writerow(_members(problem).values())


def _ndjson_writer(file: TextIO) -> Callable[[RowProblem], None]:
    return lambda problem: print(json.dumps(_members(problem), ensure_ascii=False), file=file)
