"""What every command that keeps running shares: stopping by a signal, and being several processes at once."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Annotated, Final

import structlog
import typer

from gateway.bootstrap import Gateway
from gateway.settings import Settings
from gateway.work.gathering import snapshot
from gateway.work.lifeline import Lifeline
from gateway.work.supervisor import Child, Supervisor, this_program

log = structlog.get_logger(__name__)

LifelineNumber = Annotated[int | None, typer.Option("--lifeline", hidden=True)]
"""Given to a process by the one that supervises it: the number of the socket between them."""

_ENDING: Final = timedelta(seconds=1)
"""What is kept of the time to stop for ending what did not end by itself."""


class Stopping:
    """Whether this process was told to stop."""

    def __init__(self, opening: "asyncio.Task[object] | None") -> None:
        self.event = asyncio.Event()
        self._opening = opening

    def settle(self) -> None:
        """What was being opened is open: from now on a signal no longer interrupts, it only asks."""
        self._opening = None

    def tell(self) -> None:
        """Stop."""
        self.event.set()
        if self._opening is not None:
            self._opening.cancel()

    async def wait(self) -> None:
        """Return once it was told."""
        await self.event.wait()


@contextmanager
def stop_signals() -> Iterator[Stopping]:
    """What SIGTERM and SIGINT tell, for as long as the block lasts; before `settle` they end the block at once."""
    loop = asyncio.get_running_loop()
    stopping = Stopping(asyncio.current_task())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.tell)
    try:
        yield stopping
    except asyncio.CancelledError:
        if not stopping.event.is_set():
            raise
        log.info("start.given_up")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def supervised(gateway: Gateway, stopping: Stopping, lifeline: int | None) -> AsyncIterator[None]:
    """Be one of several processes, if this one was started as such: from here on it is ready."""
    if lifeline is None:
        yield
        return
    line = Lifeline(lifeline, stop=stopping.tell, snapshot=lambda: snapshot(gateway.metrics.registry))
    async with line:
        gateway.metrics.share(line.whole)
        yield


async def run_together(children: Sequence[Child], settings: Settings, stopping: Stopping, name: str) -> None:
    """Run processes as one until told to stop. Raises typer.Exit where one of them failed."""
    stopping.settle()
    names = [child.name for child in children]
    supervisor = Supervisor(
        this_program(),
        children,
        patience=max(settings.server.drain - _ENDING, _ENDING),
        ready=lambda: log.info(f"{name}.ready", processes=names),
    )
    status = await supervisor.run(stopping.event)
    log.info(f"{name}.stopped", status=status)
    if status:
        raise typer.Exit(status)
