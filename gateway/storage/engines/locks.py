"""How a SELECT keeps the rows that it found, where others write at the same time: on a server, but not in a file.

Rows are locked in the order of their ids, deliveries before messages, so that no two transactions wait for each
other. The locks leave room for whoever only refers to a row.
"""

from collections.abc import Mapping

from gateway.storage.engines.driver import Engine


def locked(select: str) -> Mapping[Engine, str]:
    """The SELECT of one table for each engine; its rows are the transaction's own until it ends."""
    return {Engine.SQLITE: select, Engine.POSTGRESQL: f"{select} ORDER BY id FOR NO KEY UPDATE"}


def skipping_locked(select: str) -> Mapping[Engine, str]:
    """The same, without the rows that another transaction has."""
    return {Engine.SQLITE: select, Engine.POSTGRESQL: f"{select} FOR NO KEY UPDATE SKIP LOCKED"}
