"""A store that was lost and comes back from its backup: what was accepted goes out, and nobody is written to twice."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.delivery.accepting.accept import Accepted
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.recipients import Channel
from gateway.ports import MessageRecord
from tests.factories import make_recipient, make_suppression
from tests.rigs import Rig, open_rig
from tests.servers import start_postgres

MODES = ("embedded",)
STOPPED = make_recipient(id=None, email="stopped@example.org")


async def fill(rig: Rig) -> list[Accepted]:
    """What the gateway of before accepted: three messages, one of them to an address that is suppressed by now."""
    accepted = [await rig.send(key=f"k{number}", channels=(Channel.EMAIL,)) for number in range(2)]
    accepted.append(await rig.send(key="k2", to=STOPPED, channels=(Channel.EMAIL,)))
    suppression = make_suppression(channel=Channel.EMAIL, address="stopped@example.org")
    await rig.gateway.suppressions.add_suppression(suppression)
    return accepted


async def check(rig: Rig, accepted: list[Accepted]) -> None:
    """The gateway of after knows all of it, and finishes it."""
    again = await rig.send(key="k0", channels=(Channel.EMAIL,))
    assert (again.replayed, again.answer) == (True, accepted[0].answer)

    records: list[MessageRecord] = [await rig.settled(one) for one in accepted]

    assert [record.status for record in records] == [
        DeliveryStatus.DELIVERED,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.SUPPRESSED,
    ]
    assert [len(record.deliveries[0].attempts) for record in records] == [1, 1, 0]


def vacuum(file: Path, backup: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))


def copy_online(file: Path, backup: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)


@pytest.mark.parametrize("take", [vacuum, copy_online])
async def test_a_file_is_backed_up_while_the_gateway_runs_and_restored(
    tmp_path: Path, take: Callable[[Path, Path], None]
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    async with open_rig(before, work=False) as rig:
        accepted = await fill(rig)
        take(before / "heliograph.db", after / "heliograph.db")
        shutil.copy(before / "heliograph.db.secret", after)

    async with open_rig(after) as rig:
        await check(rig, accepted)


async def test_a_server_is_dumped_while_the_gateway_runs_and_restored(tmp_path: Path) -> None:
    file = tmp_path / "dump.sql"
    with start_postgres() as server:
        before, after = server.create_database(), server.create_database()
        async with open_rig(tmp_path, work=False, store={"url": before}) as rig:
            accepted = await fill(rig)
            dump = server.run("pg_dump", *_connection(before))

        server.drop_database(before)
        file.write_text(dump, encoding="utf-8")
        with file.open("rb") as given:
            server.run("psql", "-q", "-v", "ON_ERROR_STOP=1", *_connection(after), stdin=given)

        async with open_rig(tmp_path, store={"url": after}) as rig:
            await check(rig, accepted)


def _connection(url: str) -> tuple[str, ...]:
    parts = sa.make_url(url)
    return ("-h", str(parts.query["host"]), "-U", str(parts.username), "-d", str(parts.database))
