"""A child for tests of supervision: does what its word says, as `heliograph serve` would, without a gateway."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.work.gathering import snapshot
from gateway.work.lifeline import Lifeline


async def serve(word: str, folder: Path, number: int) -> int:
    """`steady` works until it is told to stop, `stubborn` does not hear it, `hanging` stands still once ready."""
    registry = CollectorRegistry()
    Counter("worked", "Starts.", registry=registry).inc()
    Gauge("held", "Places.", registry=registry).set(2)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, (lambda: None) if word == "stubborn" else stop.set)
    async with Lifeline(number, stop=stop.set, snapshot=lambda: snapshot(registry)) as line:
        (folder / f"{os.getpid()}.ready").touch()
        if word == "hanging" and is_first(folder):
            # The line is written first, then everything stands still.
            loop.call_later(0.2, time.sleep, 1_000)
        asked = asyncio.create_task(_tell(line, folder))
        await stop.wait()
        asked.cancel()
    (folder / f"{os.getpid()}.stopped").touch()
    return 0


def is_first(folder: Path) -> bool:
    """Whether no other child was ready before."""
    return len(list(folder.glob("*.ready"))) == 1


async def _tell(line: Lifeline, folder: Path) -> None:
    """Write down what all processes measure, again and again."""
    while True:
        whole = await line.whole()
        new = folder / f"{os.getpid()}.new"
        new.write_bytes(whole)
        new.rename(folder / f"{os.getpid()}.metrics")
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    _, first, where, lifeline = sys.argv
    if first == "refusing":
        sys.exit(3)
    sys.exit(asyncio.run(serve(first, Path(where), int(lifeline.partition("=")[2]))))
