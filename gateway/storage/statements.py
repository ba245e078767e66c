"""Prepared SQL for the hot paths: whole batches in few steps of the driver.

The driver gives up the interpreter's lock at every step, and has to win it back from a busy event loop; so a
batch is written by one statement of many rows, in a few fixed sizes that stay in the driver's statement cache.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

Row = Sequence[Any]
_SIZES: Final = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)


def chunks(count: int) -> Iterator[tuple[int, int]]:
    """Cut `count` rows into (start, size) of the fixed sizes, largest first."""
    start = 0
    for size in _SIZES:
        while count - start >= size:
            yield start, size
            start += size


@cache
def _marks(columns: int, rows: int) -> str:
    row = f"({','.join('?' * columns)})"
    return ",".join([row] * rows)


def values(columns: int, rows: int) -> str:
    """`VALUES (?,?),(?,?),…` for that many rows."""
    return f"VALUES {_marks(columns, rows)}"


def flat(rows: Sequence[Row]) -> list[Any]:
    """The parameters of `values`."""
    return [value for row in rows for value in row]


class Insert:
    """`INSERT` of any number of rows into the named columns of a table."""

    def __init__(self, table: sa.Table, *, skip: frozenset[str] = frozenset(), suffix: str = "") -> None:
        self.columns: Final = tuple(column.name for column in table.columns if column.name not in skip)
        quoted = ",".join(f'"{name}"' for name in self.columns)
        self._head: Final = f"INSERT INTO {table.name} ({quoted}) "
        self._suffix: Final = suffix

    def __call__(self, driver: sqlite3.Connection, rows: Sequence[Row]) -> list[Row]:
        """Insert them; what the suffix's RETURNING gives, if there is one."""
        returned: list[Row] = []
        for start, size in chunks(len(rows)):
            statement = self._head + values(len(self.columns), size) + self._suffix
            returned += driver.execute(statement, flat(rows[start : start + size])).fetchall()
        return returned


def select_in(driver: sqlite3.Connection, statement: str, keys: Sequence[Row]) -> list[Row]:
    """Run a SELECT whose `{keys}` stands for a VALUES list of all these keys; the rows of all chunks."""
    found: list[Row] = []
    for start, size in chunks(len(keys)):
        part = keys[start : start + size]
        found += driver.execute(statement.format(keys=values(len(part[0]), size)), flat(part)).fetchall()
    return found
