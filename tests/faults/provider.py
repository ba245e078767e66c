"""The rig's hand on the provider stub: start it, tell it how to behave, wait for a point, read its journal."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.stub import Manner, Point
from tests.waiting import eventually

_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """One message that the provider took: on its disk before it answered."""

    delivery: str
    at: float
    """When its last octet came, in seconds since 1970."""
    to: str
    manner: Manner

    @property
    def is_lie(self) -> bool:
        """Whether the provider then said that it had not taken it: what follows is no fault of the gateway."""
        return self.manner is Manner.LIE


class Stub:
    """A provider under the rig's command."""

    def __init__(self, name: str, journal: Path, process: Process, port: int) -> None:
        self.name = name
        self.port = port
        self._journal = journal
        self._process = process
        self._asking = asyncio.Lock()

    async def tell(self, **changes: object) -> dict[str, int]:
        """Change its manners; how often each point was reached by now, and how many conversations are held."""
        async with self._asking:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(changes).encode() + b"\n")
            await self._process.stdin.drain()
            answer: dict[str, int] = json.loads(await self._process.stdout.readline())
            return answer

    async def behave(self, manner: Manner = Manner.ACCEPT, **changes: object) -> None:
        """Meet messages in this manner from now on, and hold none."""
        await self.tell(
            **{"share": 1.0, "pause": 0.0, "hold": None, **changes, "manner": manner.value, "release": True}
        )

    async def hold(self, point: Point) -> None:
        """Let each conversation stand still at a point from now on."""
        await self.tell(hold=point.value)

    async def let_go(self) -> None:
        """Hold nothing any more."""
        await self.tell(hold=None, release=True)

    async def reached(self, point: Point) -> int:
        """How many conversations came by a point."""
        return (await self.tell())[point.value]

    async def holding(self, count: int = 1, seconds: float = 20.0) -> None:
        """Wait until so many conversations are held."""
        await eventually(self.tell, lambda seen: seen["holding"] >= count, seconds)

    def accepts(self) -> Sequence[Accept]:
        """Everything that it took, in order."""
        with self._journal.open("rb") as lines:
            entries = [json.loads(line) for line in lines]
        return [
            Accept(delivery=one["delivery"], at=one["at"], to=one["to"], manner=Manner(one["manner"]))
            for one in entries
        ]


@asynccontextmanager
async def open_stub(folder: Path, name: str = "relay") -> AsyncIterator[Stub]:
    """A provider for as long as the block lasts."""
    journal = folder / f"{name}.journal"
    journal.touch()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.stub", str(journal), cwd=_ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        yield Stub(name, journal, process, int(await process.stdout.readline()))
    finally:
        # It ends when its input does.
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
