"""Rounds that go on, whatever becomes of one of them."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.errors import Unavailable

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_RESTART_SECONDS: Final = 1.0


async def keep_running(
    name: str, run: Callable[[], Awaitable[None]], wanted: Callable[[], bool] = lambda: True
) -> None:
    """Run one round after the other for as long as they are wanted: an error costs a second and a line in the log."""
    while wanted():
        try:
            await run()
        except Unavailable as error:
            _log.warning("store.unavailable", loop=name, error=error.message)
        except Exception as error:  # the job wrapper: no surprise may end the rounds
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{frame.filename}:{frame.lineno}"
            _log.error("loop.failed", loop=name, error=type(error).__name__, where=where)
        else:
            continue
        await asyncio.sleep(_RESTART_SECONDS)
