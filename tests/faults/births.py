"""The rig's hand on the nursery: asks for children and hears how they end."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Child:
    """A process that was born; `ended` is its exit status, negative for a signal."""

    pid: int
    ended: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Nursery:
    """Starts processes of the gateway by forking from one that has imported it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._children: dict[int, Child] = {}
        self._born: asyncio.Queue[Child] = asyncio.Queue()
        self._asking = asyncio.Lock()

    async def bear(
        self, run: str, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path
    ) -> Child:
        """A child that runs `command` or `clocked` with these arguments; its standard error goes to the log."""
        wish: dict[str, Any] = {"run": run, "arguments": list(arguments), "environment": dict(environment)}
        wish |= {"folder": str(folder), "log": str(log)}
        async with self._asking:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(wish).encode() + b"\n")
            await self._process.stdin.drain()
            return await self._born.get()

    async def listen(self) -> None:
        """Hear of births and ends until the nursery closes."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "born" in told:
                child = self._children[told["born"]] = Child(told["born"])
                self._born.put_nowait(child)
            else:
                self._children.pop(told["pid"]).ended.set_result(told["status"])


@asynccontextmanager
async def open_nursery(environment: Mapping[str, str]) -> AsyncIterator[Nursery]:
    """A nursery for as long as the block lasts; whoever still lives then is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.nursery", cwd=_ROOT, env=dict(environment), stdin=PIPE, stdout=PIPE
    )
    nursery = Nursery(process)
    listening = asyncio.create_task(nursery.listen())
    try:
        yield nursery
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
