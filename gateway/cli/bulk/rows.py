"""Rows of CSV and NDJSON files as JSON objects, each with the line that it stands on; a bad row is told, not raised."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final, NoReturn, TextIO

from gateway.cli.output import fail


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    """A header with the names of the columns, then a record a row (RFC 4180); UTF-8."""
    NDJSON = "ndjson"
    """A JSON object a line."""


class Cell(StrEnum):
    """What stands in a column's cell."""

    TEXT = "text"
    """The value itself."""
    JSON = "json"
    """A list or an object as JSON; a member may also have a column of its own, as in `attributes.tier`."""


Columns = Mapping[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """What is wrong with a row: where, which field, and how to mend it."""

    line: int
    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a file: what it says, or why it says nothing."""

    line: int
    value: Mapping[str, Any] | None = None
    problem: RowProblem | None = None


BOTH_WAYS: Final = "-"
"""The name of standard input and of standard output."""
_FORMATS: Final = {".csv": Format.CSV, ".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON}
_DELIMITERS: Final = ",;\t"
_CELL_CHARACTERS: Final = 1_000_000


def format_of(name: str, given: Format | None) -> Format:
    """The format that was asked for, else what the name's ending says; wrong use ends with status 2."""
    if given is not None:
        return given
    found = _FORMATS.get(PurePath(name).suffix.lower())
    if found is None:
        raise fail(f"{name}: which format? Give --format csv or --format ndjson.", 2)
    return found


def read_rows(file: TextIO, written: Format, columns: Columns) -> Iterator[Row]:
    """Every row in the file's order, blank lines left out; a header that is wrong ends with status 2."""
    return _read_csv(file, columns) if written is Format.CSV else _read_ndjson(file)


def write_rows(file: TextIO, written: Format, columns: Columns) -> Callable[[Iterable[Mapping[str, Any]]], None]:
    """What writes rows to a file, beneath a header where there is one; members that are no column are left out."""
    if written is Format.NDJSON:

        def write_lines(values: Iterable[Mapping[str, Any]]) -> None:
            for value in values:
                known = {name: value[name] for name in columns if value.get(name) is not None}
                file.write(json.dumps(known, ensure_ascii=False) + "\n")

        return write_lines
    writer = csv.writer(file)
    writer.writerow(columns)

    def write_records(values: Iterable[Mapping[str, Any]]) -> None:
        writer.writerows([_cell(value.get(name)) for name in columns] for value in values)

    return write_records


def _cell(value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read_ndjson(file: TextIO) -> Iterator[Row]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            _check_text(text)
            value = _read_json(text)
        except (ValueError, RecursionError) as error:
            yield _bad(line, "malformed_json", f"Write one JSON object a line, in UTF-8: {error}")
            continue
        if isinstance(value, dict):
            yield Row(line=line, value=value)
        else:
            yield _bad(line, "wrong_type", "Write a JSON object.")


def _read_csv(file: TextIO, columns: Columns) -> Iterator[Row]:
    head = file.readline()
    # As spreadsheets write it where a comma stands in numbers.
    delimiter = max(_DELIMITERS, key=head.count)
    csv.field_size_limit(_CELL_CHARACTERS)
    try:
        # Strictly: a quote that nobody closes takes in all rows after it, and that is no cell.
        header = [name.strip() for name in next(csv.reader([head], delimiter=delimiter, strict=True), [])]
    except csv.Error as error:
        raise fail(f"line 1: this is no record: {error}.", 2) from error
    _check_header(header, columns)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        line = 2 + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _bad(line, "malformed_csv", f"This is no record: {error}.")
            continue
        if any(cells):
            yield _row_of(line, header, cells, columns)


def _check_header(header: Sequence[str], columns: Columns) -> None:
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise fail(f"line 1: the column {repeated[0]!r} stands there twice", 2)
    if unknown := [name for name in header if name not in columns and _owner(name, columns) is None]:
        known = ", ".join(columns)
        raise fail(f"line 1: there is no column {unknown[0]!r}; the first line names some of: {known}", 2)


def _owner(name: str, columns: Columns) -> str | None:
    """The column whose member `name` is."""
    owner, dot, member = name.partition(".")
    return owner if dot and member and columns.get(owner) is Cell.JSON else None


def _row_of(line: int, header: Sequence[str], cells: Sequence[str], columns: Columns) -> Row:
    if len(cells) > len(header):
        return _bad(
            line, "too_long", f"There are {len(cells)} cells for {len(header)} columns: quote a cell with commas."
        )
    value: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        if not cell:
            continue
        try:
            _check_text(cell)
            if (owner := _owner(name, columns)) is not None:
                value.setdefault(owner, {})[name.removeprefix(f"{owner}.")] = cell
            else:
                value[name] = cell if columns[name] is Cell.TEXT else _joined(_read_json(cell), value.get(name))
        except UnicodeError as error:
            return _bad(line, "wrong_encoding", f"Save the file as UTF-8: {error}.", name)
        except (ValueError, RecursionError, TypeError) as error:
            return _bad(line, "malformed_json", f"Write JSON in this cell: {error}.", name)
    return Row(line=line, value=value)


def _joined(whole: Any, members: Mapping[str, Any] | None) -> Any:
    """A column's value with what columns of its members said before it."""
    return whole if members is None else {**whole, **members}


def _read_json(text: str) -> Any:
    """Strictly, as the gateway reads: what one parser would take and another refuse is refused. Raises ValueError."""
    return json.loads(text, object_pairs_hook=_members, parse_constant=_refuse_constant)


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_text(text: str) -> None:
    """Raises UnicodeEncodeError for bytes that were no UTF-8, which reading let through."""
    text.encode()


def _bad(line: int, code: str, message: str, field: str = "") -> Row:
    return Row(line=line, problem=RowProblem(line=line, field=field, code=code, message=message))
