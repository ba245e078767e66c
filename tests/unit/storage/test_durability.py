"""What a full disk, a held lock, a kill and a close do to the store."""

import asyncio
import re
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, Unavailable
from gateway.ports import MessageQuery, Stored
from gateway.storage.engines.sqlite import database_path
from gateway.storage.store import Store, open_store
from tests.contract.store_builders import new_message
from tests.fakes import SetClock

WRITER = """
import asyncio, itertools, sys
from gateway.storage.store import open_store
from tests.contract.store_builders import new_message
from tests.fakes import SetClock

async def main():
    numbers = itertools.count()
    async with open_store(sys.argv[1], SetClock()) as store:
        async def caller():
            for number in numbers:
                await store.accepting.accept(new_message(number))
                print("stored", number, flush=True)
        await asyncio.gather(*(caller() for _ in range(16)))

asyncio.run(main())
"""
ENDER = """
import asyncio, sys
from gateway.storage.store import open_store
from tests.contract.store_builders import new_message
from tests.fakes import SetClock

async def main():
    async with open_store(sys.argv[1], SetClock()) as store:
        await store.accepting.accept(new_message())
        await asyncio.gather(*(store.dispatch.next_due() for _ in range(8)))
        if len(sys.argv) > 2:
            raise SystemExit(3)

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{path}", SetClock()) as store:
        yield store


async def set_page_limit(store: Store, pages: int) -> None:
    await store.database.writer.run(lambda driver: driver.fetch(f"PRAGMA max_page_count = {pages}"))


async def accept_until_full(store: Store) -> list[int]:
    """Which messages were stored before the file could grow no further."""
    accepted: list[int] = []
    try:
        while True:
            await store.accepting.accept(new_message(len(accepted)))
            accepted.append(len(accepted))
    except Unavailable:
        return accepted


async def test_a_full_disk_refuses_and_its_end_needs_no_restart(store: Store) -> None:
    await set_page_limit(store, 1)
    accepted = await accept_until_full(store)

    failed = await asyncio.gather(
        *(store.accepting.accept(new_message(20_000 + number)) for number in range(200)), return_exceptions=True
    )
    readable = (await store.log.search(MessageQuery(limit=1))).items
    await set_page_limit(store, 1_000_000)

    assert any(isinstance(error, Unavailable) and "full" in error.message for error in failed)
    assert [record.message.id for record in readable] == [f"msg_{max(accepted):06}"]
    assert await store.accepting.accept(new_message(99_999)) == Stored()
    stored = {record.message.id for record in (await store.log.search(MessageQuery(limit=1000))).items}
    answered = {f"msg_{20_000 + number:06}" for number, answer in enumerate(failed) if answer == Stored()}
    assert stored == {f"msg_{number:06}" for number in accepted} | answered | {"msg_099999"}


async def test_a_lock_that_another_process_keeps_is_unavailable_within_ten_seconds(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async with asyncio.timeout(10):
        with pytest.raises(Unavailable, match="locked"):
            await store.accepting.accept(new_message())
    other.execute("ROLLBACK")
    other.close()

    assert await store.accepting.accept(new_message()) == Stored()


async def test_a_caller_that_is_cancelled_leaves_the_writer_whole(store: Store) -> None:
    for number in range(0, 100, 2):
        call = asyncio.ensure_future(store.accepting.accept(new_message(number)))
        steer = asyncio.create_task(store.leases.beat(f"wrk_{number}"))  # type: ignore[arg-type]
        for _ in range(number % 7):
            await asyncio.sleep(0)
        call.cancel()
        steer.cancel()
        assert await store.accepting.accept(new_message(number + 1)) == Stored()


async def test_only_its_owner_can_read_the_file(store: Store, path: Path) -> None:
    await store.accepting.accept(new_message())

    for file in path.parent.glob("store.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.parametrize("answers", [1, 60, 150])
async def test_no_acknowledged_message_is_lost_when_the_writer_is_killed(path: Path, answers: int) -> None:
    url = f"sqlite:///{path}"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    told = b""
    try:
        while told.count(b"stored") < answers:
            told += await child.stdout.readline()
    finally:
        child.kill()
    told += (await child.communicate())[0]
    acknowledged = {f"msg_{int(number):06}" for number in re.findall(rb"^stored (\d+)\n", told, re.MULTILINE)}

    async with open_store(url, SetClock()) as store:
        stored = {record.message.id for record in (await store.log.search(MessageQuery(limit=100_000))).items}
        async with store.database.reader.connect() as connection:
            health = (await connection.exec_driver_sql("PRAGMA integrity_check")).scalar_one()

    assert len(acknowledged) >= answers
    assert acknowledged <= stored
    assert health == "ok"


@pytest.mark.parametrize("arguments", [(), ("raise",)], ids=["closed", "raised"])
async def test_the_process_ends_when_the_store_is_closed(path: Path, arguments: tuple[str, ...]) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", ENDER, f"sqlite:///{path}", *arguments)

    async with asyncio.timeout(20):
        status = await child.wait()

    assert status == (3 if arguments else 0)


@pytest.mark.parametrize("url", ["postgresql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"store\.url"):
        database_path(url)


async def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot open"):
        async with open_store(f"sqlite:///{tmp_path / 'file' / 'store.db'}", SetClock()):
            pass
