"""Group commit: writes of every kind share one transaction, and each caller waits for the same sync of the disk."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from gateway.errors import Conflict, InvalidRequest
from gateway.storage.batcher import Batcher
from gateway.storage.engine import Writer

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

_POISON: Final = (sqlite3.IntegrityError, sqlite3.DataError, InvalidRequest, ValueError, OverflowError)
"""What one bad item can raise; the others of its batch are then written without it."""


@dataclass(frozen=True, slots=True)
class _Write:
    apply: Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
    item: Any


class GroupCommit:
    """Lets concurrent callers write together; `write` returns when the item's transaction is durable."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._batcher: Batcher[_Write, Any] = Batcher(self._flush, poison=_POISON)

    async def __aenter__(self) -> Self:
        await self._batcher.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._batcher.__aexit__(kind, error, trace)

    async def write(self, apply: Callable[[sqlite3.Connection, Sequence[I]], Sequence[R]], item: I) -> R:
        """Have `apply` called once with this item and all others that wait for the same function.

        Raises Unavailable when the store cannot commit, Overloaded when too many wait, Conflict when the item
        breaks a constraint, and InvalidRequest when it holds what the store cannot keep.
        """
        try:
            result: R = await self._batcher.submit(_Write(apply, item))
        except sqlite3.IntegrityError as error:
            raise Conflict(f"the store holds something that contradicts this: {error}") from error
        return result

    async def _flush(self, writes: Sequence[_Write]) -> Sequence[Any]:
        return await self._writer.run(lambda driver: _apply(driver, writes))


def _apply(driver: sqlite3.Connection, writes: Sequence[_Write]) -> Sequence[Any]:
    by_kind: dict[Callable[..., Sequence[Any]], list[int]] = {}
    for position, write in enumerate(writes):
        by_kind.setdefault(write.apply, []).append(position)
    results: list[Any] = [None] * len(writes)
    for apply, positions in by_kind.items():
        answers = apply(driver, [writes[position].item for position in positions])
        for position, answer in zip(positions, answers, strict=True):
            results[position] = answer
    return results
