"""Several processes as one: real children, killed, frozen, refusing and stubborn."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.work.supervisor import Child, Supervisor
from tests.waiting import eventually

PROGRAM = (sys.executable, "-m", "tests.supervised")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = timedelta(seconds=10)


def children(folder: Path, *words: str) -> list[Child]:
    return [
        Child(name=f"{word}-{number}", words=(word, str(folder)), environment={"PYTHONPATH": str(ROOT)})
        for number, word in enumerate(words)
    ]


class House:
    """A supervisor that runs, and what its children left in their folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stop = asyncio.Event()
        self.complete = asyncio.Event()
        self.running: asyncio.Task[int]

    def pids(self, mark: str) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob(f"*.{mark}"))

    async def started(self, count: int) -> list[int]:
        async def ready() -> list[int]:
            return self.pids("ready")

        return await eventually(ready, lambda pids: len(pids) == count, 30)

    async def status(self) -> int:
        """Tell it to stop, and give its exit status."""
        self.stop.set()
        async with asyncio.timeout(30):
            return await self.running


@asynccontextmanager
async def house(folder: Path, *words: str, patience: timedelta = PATIENCE) -> AsyncIterator[House]:
    opened = House(folder)
    supervisor = Supervisor(PROGRAM, children(folder, *words), patience=patience, ready=opened.complete.set)
    opened.running = asyncio.create_task(supervisor.run(opened.stop))
    try:
        yield opened
    finally:
        opened.stop.set()
        await opened.running


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_children_are_started_told_to_stop_and_end_well(tmp_path: Path) -> None:
    async with house(tmp_path, "steady", "steady") as opened:
        async with asyncio.timeout(30):
            await opened.complete.wait()
        pids = await opened.started(2)

        assert await opened.status() == 0
        assert opened.pids("stopped") == pids
        assert not any(is_alive(pid) for pid in pids)


async def test_a_child_that_is_killed_is_started_again_and_the_others_stay(tmp_path: Path) -> None:
    async with house(tmp_path, "steady", "steady") as opened:
        first, second = await opened.started(2)
        os.kill(first, signal.SIGKILL)

        pids = await opened.started(3)

        assert is_alive(second)
        assert second in pids
        assert await opened.status() == 0
        assert len(opened.pids("stopped")) == 2


async def test_a_child_that_stands_still_is_killed_and_started_again(tmp_path: Path) -> None:
    async with house(tmp_path, "hanging") as opened:
        (first,) = await opened.started(1)

        async def started() -> int:
            return len(opened.pids("ready"))

        await eventually(started, lambda count: count == 2, 60)

        assert not is_alive(first)
        assert await opened.status() == 0


async def test_a_child_that_refuses_to_start_ends_them_all(tmp_path: Path) -> None:
    async with house(tmp_path, "steady", "refusing") as opened:
        async with asyncio.timeout(30):
            status = await opened.running

        assert status == 1
        assert not any(is_alive(pid) for pid in opened.pids("ready"))


async def test_a_child_that_does_not_stop_in_time_is_killed_and_told_of(tmp_path: Path) -> None:
    async with house(tmp_path, "stubborn", "steady", patience=timedelta(seconds=0.5)) as opened:
        pids = await opened.started(2)

        assert await opened.status() == 1
        assert not any(is_alive(pid) for pid in pids)


async def test_children_end_when_their_parent_is_gone(tmp_path: Path) -> None:
    program = "\n".join(
        (
            "import asyncio, datetime, pathlib",
            "from tests.integration.test_work_supervisor import PROGRAM, children",
            "from gateway.work.supervisor import Supervisor",
            f"words = children(pathlib.Path({str(tmp_path)!r}), 'steady', 'steady')",
            "keeper = Supervisor(PROGRAM, words, patience=datetime.timedelta(seconds=9), ready=lambda: None)",
            "asyncio.run(keeper.run(asyncio.Event()))",
        )
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=ROOT)
    opened = House(tmp_path)
    pids = await opened.started(2)

    parent.kill()
    await parent.wait()

    async def left() -> list[int]:
        return [pid for pid in pids if is_alive(pid)]

    await eventually(left, lambda alive: not alive, 20)
    assert opened.pids("stopped") == pids


async def test_any_child_tells_the_metrics_of_all_and_those_of_the_dead_stay_counted(tmp_path: Path) -> None:
    async with house(tmp_path, "steady", "steady") as opened:
        first, second = await opened.started(2)

        async def told(pid: int) -> dict[str, float]:
            path = tmp_path / f"{pid}.metrics"
            text = path.read_text() if path.exists() else ""
            families = text_string_to_metric_families(text)
            return {sample.name: sample.value for family in families for sample in family.samples}

        for pid in (first, second):
            await eventually(partial(told, pid), lambda seen: seen == {"worked_total": 2, "held": 4})
        os.kill(first, signal.SIGKILL)
        await opened.started(3)

        # The new one counts beside what the dead one had counted; what the dead one held is gone.
        await eventually(lambda: told(second), lambda seen: seen == {"worked_total": 3, "held": 4}, 20)
