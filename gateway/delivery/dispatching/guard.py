"""Cutting calls that outlive their deadline."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

R = TypeVar("R")

_LOOK_SECONDS: Final = 1.0
"""How often is looked: a call may go on for so much longer than asked."""


@dataclass(slots=True)
class _Watched:
    deadline: float
    is_cut: bool = False


class Guard:
    """Looks after all calls under way by one alarm: a time limit for each costs more than most calls ever need."""

    def __init__(self, look_seconds: float = _LOOK_SECONDS) -> None:
        self._look_seconds = look_seconds
        self._watched: dict[asyncio.Task[object], _Watched] = {}
        self._alarm: asyncio.TimerHandle | None = None

    async def cut_after(self, seconds: float, call: Awaitable[R]) -> R:
        """Wait for a call in the task that runs this, which makes one at a time. Raises TimeoutError when it is cut."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        watched = self._watched[task] = _Watched(loop.time() + seconds)
        if self._alarm is None:
            self._alarm = loop.call_later(self._look_seconds, self._look)
        try:
            return await call
        except asyncio.CancelledError:
            # Not ours alone where somebody else cancelled the task as well.
            if watched.is_cut and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            del self._watched[task]

    def _look(self) -> None:
        self._alarm = None
        if not self._watched:
            return
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(self._look_seconds, self._look)
        for task, watched in self._watched.items():
            if watched.deadline <= loop.time() and not watched.is_cut:
                watched.is_cut = True
                task.cancel()
