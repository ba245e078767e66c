"""What columns are made of, alike in SQLite and PostgreSQL.

Instants are integers of UTC microseconds, so that both engines compare and index them alike. Times that come
from callers become whole microseconds once, here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gateway.domain.instants import from_micros, to_micros


class Instant(sa.TypeDecorator[datetime]):
    """An aware datetime, kept as a BIGINT of UTC microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """To the column."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """From the column."""
        return None if value is None else from_micros(value)


Text: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared byte by byte on either engine, whatever locale a PostgreSQL was set up with: ids sort by their time."""
Json: Final = sa.JSON(none_as_null=True)
"""JSON on either engine and never JSONB, which forgets the order that a caller's keys came in and refuses U+0000."""
RowNumber: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An ever-growing row number; SQLite numbers only INTEGER keys by itself."""

metadata: Final = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def by_month(key: str) -> Mapping[str, Any]:
    """On PostgreSQL a table of monthly partitions, over ids that sort by time."""
    return {"postgresql_partition_by": f"RANGE ({key})"}


def belongs_to(column: str, owner: str) -> sa.Constraint:
    """Rows that are gone with their owner. Only on SQLite: on PostgreSQL whole months go at once, and a check of
    each row against a partitioned table would cost more than the row."""
    key = sa.ForeignKeyConstraint([column], [f"{owner}.id"], ondelete="CASCADE")
    return key.ddl_if(dialect="sqlite")


def message_id_column() -> sa.Column[str]:
    """Of which message a row is."""
    return sa.Column("message_id", Text, nullable=False)
