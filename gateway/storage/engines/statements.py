"""SQL for whole batches: the same statement over many rows, as each engine takes it best."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

Row = Sequence[Any]
_SIZES: Final = (64, 48, 32, 24, 16, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1)
_POSTGRESQL: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


def chunks(rows: int) -> Iterator[tuple[int, int]]:
    """Cut that many rows into (start, size) of a few fixed sizes, largest first."""
    start = 0
    for size in _SIZES:
        while rows - start >= size:
            yield start, size
            start += size


@cache
def _values(columns: int, rows: int) -> str:
    """`VALUES (?,?),(?,?),…` for that many rows."""
    row = f"({','.join('?' * columns)})"
    return f"VALUES {','.join([row] * rows)}"


def flat(rows: Sequence[Row]) -> list[Any]:
    """The parameters of a VALUES list."""
    return [value for row in rows for value in row]


@cache
def keys_of_values(statement: str, columns: int, rows: int) -> str:
    """The statement with a VALUES list for its `{keys}`."""
    return statement.format(keys=_values(columns, rows))


@cache
def keys_of_arrays(statement: str, columns: int) -> str:
    """The statement with one array of texts a column for its `{keys}`."""
    named = ",".join(f"column{number}" for number in range(1, columns + 1))
    arrays = ",".join("CAST(? AS TEXT[])" for _ in range(columns))
    return statement.format(keys=f"SELECT {named} FROM unnest({arrays}) AS k({named})")  # noqa: S608 - our own names


@cache
def numbered(statement: str) -> str:
    """The statement with its parameters as PostgreSQL writes them: `$1`, `$2`, …"""
    head, *tail = statement.split("?")
    return head + "".join(f"${number}{part}" for number, part in zip(count(1), tail, strict=False))


def _type(column: "sa.Column[Any]") -> str:
    return column.type.compile(_POSTGRESQL).partition(" COLLATE")[0]


class Insert:
    """`INSERT` of any number of rows into the named columns of a table."""

    def __init__(self, table: sa.Table, *, skip: frozenset[str] = frozenset(), suffix: str = "") -> None:
        columns = [column for column in table.columns if column.name not in skip]
        quoted = ",".join(f'"{column.name}"' for column in columns)
        arrays = ",".join(f"CAST(? AS {_type(column)}[])" for column in columns)
        self._head: Final = f'INSERT INTO "{table.name}" ({quoted}) '
        self._suffix: Final = suffix
        self._width: Final = len(columns)
        self.returns: Final = "RETURNING" in suffix
        self.of_arrays: Final = f"{self._head}SELECT * FROM unnest({arrays}) AS k({quoted}) {suffix}"  # noqa: S608 - our own
        """The statement over arrays, one a column."""

    @cache  # noqa: B019 - there are a dozen of them, and they live as long as the process
    def of_values(self, rows: int) -> str:
        """The statement over a VALUES list of that many rows."""
        return self._head + _values(self._width, rows) + self._suffix


@cache
def all_of_arrays(inserts: tuple[Insert, ...], then: str | None = None) -> str:
    """One statement over arrays for several inserts into different tables, none of which sees another's rows; nor does
    `then`, the SELECT that it ends with."""
    texts = [insert.of_arrays for insert in inserts]
    *others, last = texts if then is None else [*texts, then]
    named = ", ".join(f"i{number} AS ({text})" for number, text in enumerate(others))
    return f"WITH {named} {last}" if others else last
