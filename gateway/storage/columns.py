"""Columns by name for the driver's SELECTs, and instants that may be absent, for those who read and write rows."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.domain.instants import from_micros, to_micros
from gateway.storage.tables import Instant


def names(table: sa.Table, prefix: str = "") -> str:
    """The table's columns for a SELECT, in the order that the functions here expect."""
    return ",".join(f'{prefix}"{column.name}"' for column in table.columns)


def stored(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The same for a Core SELECT, each value as the driver gives it: instants as integers, JSON as text."""
    return [_stored(column).label(column.name) for column in table.columns]


def _stored(column: "sa.Column[Any]") -> sa.ColumnElement[Any]:
    match column.type:
        case Instant():
            return sa.type_coerce(column, sa.BigInteger)
        case sa.JSON():
            # asyncpg, as SQLAlchemy sets it up, would read JSON before we see it.
            return sa.cast(column, sa.Text)
        case _:
            return column


def micros_or_none(instant: datetime | None) -> int | None:
    """`to_micros` of what may be absent."""
    return None if instant is None else to_micros(instant)


def instant_or_none(micros: int | None) -> datetime | None:
    """`from_micros` of what may be absent."""
    return None if micros is None else from_micros(micros)
