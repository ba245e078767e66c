"""Columns by name for the driver's SELECTs, and instants that may be absent, for those who read and write rows."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.storage.tables import Instant, from_micros, to_micros


def names(table: sa.Table, prefix: str = "") -> str:
    """The table's columns for a SELECT, in the order that the functions here expect."""
    return ",".join(f'{prefix}"{column.name}"' for column in table.columns)


def stored(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The same for a Core SELECT, each value as the driver gives it: instants as integers, JSON as text."""
    return [
        sa.type_coerce(column, raw).label(column.name) if (raw := _raw_type(column)) else column
        for column in table.columns
    ]


def _raw_type(column: sa.Column[Any]) -> type[sa.BigInteger] | type[sa.Text] | None:
    match column.type:
        case Instant():
            return sa.BigInteger
        case sa.JSON():
            return sa.Text
        case _:
            return None


def micros_or_none(instant: datetime | None) -> int | None:
    """`to_micros` of what may be absent."""
    return None if instant is None else to_micros(instant)


def instant_or_none(micros: int | None) -> datetime | None:
    """`from_micros` of what may be absent."""
    return None if micros is None else from_micros(micros)
