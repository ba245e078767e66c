"""Monthly partitions on PostgreSQL: which there are, making those of the months to come, dropping whole months.

A month is told by ids, which begin with their time. What belongs to no month that was made in time lies in the
default partition, so that nothing is ever refused.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from gateway.domain.ids import DELIVERY, MESSAGE, make_id

KEYS: Final = {
    "messages": ("id", MESSAGE),
    "message_tags": ("message_id", MESSAGE),
    "attachments": ("message_id", MESSAGE),
    "events": ("message_id", MESSAGE),
    "contents": ("delivery_id", DELIVERY),
    "attempts": ("delivery_id", DELIVERY),
}
"""The partitioned tables, with the column that says the month and the prefix of its ids."""

AHEAD: Final = 2
"""So many months beyond the present one are ready: a store that nobody sweeps for weeks still has them."""
_TIME_DIGITS: Final = 10
_REST: Final = "rest"
_LOCK: Final = "SELECT pg_advisory_xact_lock(7235428014431237492)"
_PATIENCE: Final = "SET LOCAL lock_timeout = '2s'"
_NAMES: Final = sa.text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass(:parent) ORDER BY c.relname"
)


def first_id(prefix: str, at: datetime) -> str:
    """What sorts before every id made at this instant or later, and after every one made before."""
    return make_id(prefix, at, entropy=0)[: len(prefix) + 1 + _TIME_DIGITS]


def month_of(at: datetime) -> datetime:
    """The first instant of its month, in UTC."""
    return datetime(at.year, at.month, 1, tzinfo=UTC)


def next_month(month: datetime) -> datetime:
    """The first instant of the month after."""
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def months_ahead(now: datetime, since: datetime | None = None) -> Sequence[datetime]:
    """The months that should be ready now: the present one and those to come, or every one from `since` on."""
    last = month_of(now)
    for _ in range(AHEAD):
        last = next_month(last)
    months = [month_of(now if since is None else min(since, now))]
    while months[-1] < last:
        months.append(next_month(months[-1]))
    return months


def bounds(prefix: str, month: datetime) -> tuple[str, str]:
    """The ids of a month: at least the first of these and below the second."""
    return first_id(prefix, month), first_id(prefix, next_month(month))


def partition_months(connection: sa.Connection, table: str = "messages") -> Sequence[datetime]:
    """The months that a table has partitions of, the oldest first."""
    names = connection.scalars(_NAMES, {"parent": table})
    digits = (name.removeprefix(f"{table}_") for name in names)
    return [datetime.strptime(text, "%Y_%m").replace(tzinfo=UTC) for text in digits if text != _REST]


def make_partitions(connection: sa.Connection, months: Iterable[datetime]) -> int:
    """Make those that are missing, in the caller's transaction, and say of how many months; several take turns.

    Rows of such a month that went to the default partition meanwhile move out of it.
    """
    if connection.dialect.name != "postgresql" or not (wanted := set(months) - set(partition_months(connection))):
        return 0
    connection.exec_driver_sql(_LOCK)
    connection.exec_driver_sql(_PATIENCE)
    missing = sorted(wanted - set(partition_months(connection)))
    for month in missing:
        for table, (key, prefix) in KEYS.items():
            _make_partition(connection, table, key, bounds(prefix, month), _name(table, month))
    return len(missing)


def _make_partition(connection: sa.Connection, table: str, key: str, span: tuple[str, str], name: str) -> None:
    # Attached rather than created in place, which would shut the whole table to everybody; the lock on the default
    # partition is one that attaching takes anyway.
    rest, inside = f"{table}_{_REST}", f"{key} >= '{span[0]}' AND {key} < '{span[1]}'"
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        f"LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE",
        f"WITH moved AS (DELETE FROM {rest} WHERE {inside} RETURNING *) INSERT INTO {name} SELECT * FROM moved",  # noqa: S608 - our own names
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{span[0]}') TO ('{span[1]}')",
    ):
        connection.exec_driver_sql(statement)


def shut_messages(connection: sa.Connection, month: datetime) -> None:
    """Let nobody else at the messages of a month, for the caller's transaction; waits for nobody for long."""
    connection.exec_driver_sql(_PATIENCE)
    if month in partition_months(connection):
        connection.exec_driver_sql(f"LOCK TABLE {_name('messages', month)} IN ACCESS EXCLUSIVE MODE")


def drop_partitions(connection: sa.Connection, month: datetime, tables: Iterable[str] = tuple(KEYS)) -> None:
    """Drop what these tables hold of a month, in the caller's transaction; waits for nobody for long."""
    connection.exec_driver_sql(_PATIENCE)
    for table in tables:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_name(table, month)}")


def _name(table: str, month: datetime) -> str:
    return f"{table}_{month:%Y_%m}"
