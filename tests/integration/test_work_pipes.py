"""Rings between the processes of one machine, through pipes beside the database."""

import asyncio
import contextlib
import os
from pathlib import Path

from gateway.domain.lifecycle import DeliveryStatus as S
from gateway.work.doorbell import Doorbell
from gateway.work.pipes import PipeBell, PipeListener
from tests.rigs import open_rig


async def heard(bell: Doorbell, seconds: float = 2.0) -> bool:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await bell.wait(seconds)
    return loop.time() - began < seconds


def pipes(folder: Path) -> list[Path]:
    return list(folder.glob("*.bell-*"))


async def test_every_worker_hears_a_ring(tmp_path: Path) -> None:
    database = tmp_path / "heliograph.db"
    first, second = Doorbell(), Doorbell()
    async with PipeListener(database, first), PipeListener(database, second), PipeBell(database) as bell:
        bell.ring()

        assert [await heard(first), await heard(second)] == [True, True]
    assert pipes(tmp_path) == []


async def test_a_worker_that_comes_later_is_found_and_one_that_went_is_not_missed(tmp_path: Path) -> None:
    database = tmp_path / "heliograph.db"
    later = Doorbell()
    async with PipeBell(database) as bell:
        async with PipeListener(database, Doorbell()):
            bell.ring()
        async with PipeListener(database, later):
            rung = asyncio.create_task(_keep_ringing(bell))

            assert await heard(later, 5)
            rung.cancel()


async def _keep_ringing(bell: PipeBell) -> None:
    while True:
        bell.ring()
        await asyncio.sleep(0.01)


async def test_rings_that_a_frozen_worker_does_not_read_block_nobody(tmp_path: Path) -> None:
    database = tmp_path / "heliograph.db"
    frozen = tmp_path / "heliograph.db.bell-1"
    os.mkfifo(frozen)
    reader = os.open(frozen, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(reader, b"." * 4096)
    heard_by = Doorbell()

    async with PipeListener(database, heard_by), PipeBell(database) as bell:
        bell.ring()

        assert await heard(heard_by)
    os.close(reader)


async def test_the_pipe_of_a_dead_worker_is_removed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "heliograph.db.bell-1")
    rung = Doorbell()

    database = tmp_path / "heliograph.db"
    async with PipeListener(database, rung), PipeBell(database) as bell:
        bell.ring()
        assert await heard(rung)

        assert len(pipes(tmp_path)) == 1


async def test_what_one_process_accepts_another_takes_up_before_it_would_have_looked(tmp_path: Path) -> None:
    async with open_rig(tmp_path, work=False) as accepting, open_rig(tmp_path):
        loop = asyncio.get_running_loop()
        took = []
        for _ in range(5):
            began = loop.time()
            await accepting.settled(await accepting.send(), S.DELIVERED)
            took.append(loop.time() - began)

        assert min(took) < 0.5
