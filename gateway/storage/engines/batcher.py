"""Many callers, one flush: what waits is done together, and each caller gets its own answer.

This is where throughput comes from: a commit costs the same for one row as for a hundred (group commit).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from gateway.errors import Overloaded

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

_RETRY_AFTER_SECONDS: Final = 1.0


class Batcher(Generic[I, R]):
    """Collects what callers `submit` while a flush is under way, and gives it all to the next one.

    `flush` does all items or none, and answers them in their order. When it raises one of `poison`, the items are
    flushed one by one, so that a bad item fails alone; any other error is each caller's. A caller who is cancelled
    before its flush withdraws its item; after that the item is done and the answer dropped.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[I]], Awaitable[Sequence[R]]],
        *,
        poison: tuple[type[Exception], ...] = (),
        max_batch: int = 256,
        max_waiting: int = 10_000,
    ) -> None:
        self._flush = flush
        self._poison = poison
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[I, asyncio.Future[R]]] = deque()
        self._rung = asyncio.Event()
        self._closing = False
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Begin to flush; to be ended by leaving the context."""
        self._worker = asyncio.create_task(self._work(), name="batcher")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush what waits, then end."""
        self._closing = True
        self._rung.set()
        if self._worker is not None:
            await self._worker

    def submit(self, item: I) -> asyncio.Future[R]:
        """Hand over one item; its answer comes once its batch is done. Raises Overloaded when too many wait.

        A future and no coroutine: what waits with a hundred others should hold as few frames as can be.
        """
        if self._closing or len(self._waiting) >= self._max_waiting:
            raise Overloaded("too much is waiting to be stored", _RETRY_AFTER_SECONDS)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._rung.set()
        return answer

    async def _work(self) -> None:
        while self._waiting or not self._closing:
            await self._rung.wait()
            self._rung.clear()
            # Others who are ready in this turn of the loop come along.
            await asyncio.sleep(0)
            while self._waiting:
                if batch := self._draw():
                    await self._settle(batch)

    def _draw(self) -> list[tuple[I, asyncio.Future[R]]]:
        drawn = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
        return [(item, answer) for item, answer in drawn if not answer.done()]

    async def _settle(self, batch: Sequence[tuple[I, asyncio.Future[R]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except self._poison as error:
            if len(batch) == 1:
                self._fail(batch, error)
            else:
                for waiting in batch:
                    await self._settle([waiting])
        except Exception as error:
            self._fail(batch, error)
        else:
            for (_, answer), result in zip(batch, results, strict=True):
                if not answer.done():
                    answer.set_result(result)

    @staticmethod
    def _fail(batch: Sequence[tuple[I, asyncio.Future[R]]], error: Exception) -> None:
        for _, answer in batch:
            if not answer.done():
                answer.set_exception(error)
