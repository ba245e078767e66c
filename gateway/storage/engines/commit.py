"""Group commit: concurrent writes share one transaction, and each caller waits for the same sync of the disk."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from gateway.domain.values import Value
from gateway.errors import Conflict, InvalidRequest
from gateway.ports import Clock
from gateway.storage.documents import UNREADABLE
from gateway.storage.engines.batcher import Batcher
from gateway.storage.engines.driver import ConstraintBroken, Driver, Engine
from gateway.storage.engines.engine import Database

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
Apply = Callable[[Driver, Sequence[I]], Coroutine[Any, Any, Sequence[R]]]

_POISON: Final = (ConstraintBroken, InvalidRequest, *UNREADABLE)
"""What one bad item can raise; the others of its batch are then written without it."""


class _Write(Value, frozen=True, kw_only=True):
    apply: Apply[Any, Any]
    item: Any


class GroupCommit:
    """Lets concurrent callers write together; `write` returns when the item's transaction is durable.

    A file has one writer: there, writes of every kind share each transaction. A server has many: there, each kind
    has transactions of its own, so that none waits behind another's locks.
    """

    def __init__(self, database: Database, clock: Clock, observe: Callable[[float], None]) -> None:
        self._writer = database.writer
        self._clock = clock
        self._observe = observe
        """Told how many seconds each transaction took, until it was durable."""
        self._together = database.engine is Engine.SQLITE
        self._batchers: dict[Apply[Any, Any] | None, Batcher[_Write, Any]] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def write(self, apply: Apply[I, R], item: I) -> asyncio.Future[R]:
        """Have `apply` called once with this item and all others that wait for the same function.

        Raises Unavailable when the store cannot commit, Overloaded when too many wait, Conflict when the item
        breaks a constraint, and InvalidRequest when it holds what the store cannot keep.
        """
        kind = None if self._together else apply
        batcher = self._batchers.get(kind) or self._begin(kind)
        return batcher.submit(_Write(apply=apply, item=item))

    def _begin(self, kind: Apply[Any, Any] | None) -> Batcher[_Write, Any]:
        batcher = self._batchers[kind] = Batcher(self._flush, poison=_POISON)
        batcher.start()
        self._open.push_async_exit(batcher)
        return batcher

    async def _flush(self, writes: Sequence[_Write]) -> Sequence[Any]:
        began = self._clock.monotonic()
        try:
            answers = await self._writer.run(lambda driver: _apply(driver, writes))
        except ConstraintBroken as error:
            if len(writes) > 1:
                raise
            raise Conflict(f"the store holds something that contradicts this: {error}") from error
        self._observe(self._clock.monotonic() - began)
        return answers


async def _apply(driver: Driver, writes: Sequence[_Write]) -> Sequence[Any]:
    by_kind: dict[Apply[Any, Any], list[int]] = {}
    for position, write in enumerate(writes):
        by_kind.setdefault(write.apply, []).append(position)
    results: list[Any] = [None] * len(writes)
    for apply, positions in by_kind.items():
        answers = await apply(driver, [writes[position].item for position in positions])
        for position, answer in zip(positions, answers, strict=True):
            results[position] = answer
    return results
