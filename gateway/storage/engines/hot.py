"""Hot work on a SQLite file: on the event loop, and in a thread as soon as it may have to wait.

The statements take microseconds, and a second thread that fights with the loop for the interpreter's lock costs more
than they do. What can wait for the disk or for another process - the commit, and the way to a lock that is taken -
is done in the thread.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from gateway.storage.engines.driver import SqliteDriver, Work, finish

T = TypeVar("T")

_IMPATIENCE: Final = "PRAGMA busy_timeout = 0"


class Thread:
    """One thread for what may wait; whatever was begun in it is carried through, even if its caller is cancelled."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, function: Callable[[], T]) -> T:
        """Call it there."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, function)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            # Its failure has nobody left to tell it to.
            future.exception()
            raise

    def close(self) -> None:
        """Let it end; it is done with its work."""
        self._executor.shutdown(wait=False)


class Hot:
    """A connection for hot work: used on the event loop, and in the thread when it may have to wait."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], thread: Thread, patience_seconds: float) -> None:
        self._connect = connect
        self._thread = thread
        self._patience = f"PRAGMA busy_timeout = {int(patience_seconds * 1000)}"
        self._connection: sqlite3.Connection | None = None
        self._driver: SqliteDriver | None = None

    def _open(self) -> tuple[sqlite3.Connection, SqliteDriver]:
        if self._connection is None or self._driver is None:
            self._connection = self._connect()
            self._connection.execute(_IMPATIENCE)
            self._driver = SqliteDriver(self._connection)
        return self._connection, self._driver

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one write transaction; durable on return."""
        connection, driver = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            return await self._thread.run(lambda: self._patiently(connection, lambda: _write(connection, driver, work)))
        try:
            result = finish(work(driver))
        except BaseException:
            _roll_back(connection)
            raise
        await self._thread.run(lambda: _commit(connection))
        return result

    async def read(self, work: Work[T]) -> T:
        """Run `work` without a transaction of its own."""
        connection, driver = self._open()
        try:
            return finish(work(driver))
        except sqlite3.OperationalError as error:
            # Readers wait for nobody but one who recovers or closes the file.
            if not _is_busy(error):
                raise
            return await self._thread.run(lambda: self._patiently(connection, lambda: finish(work(driver))))

    def _patiently(self, connection: sqlite3.Connection, function: Callable[[], T]) -> T:
        connection.execute(self._patience)
        try:
            return function()
        finally:
            connection.execute(_IMPATIENCE)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._driver = None


def _write(connection: sqlite3.Connection, driver: SqliteDriver, work: Work[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = finish(work(driver))
    except BaseException:
        _roll_back(connection)
        raise
    _commit(connection)
    return result


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    # A full disk rolls back by itself; asking again would hide the real error.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
