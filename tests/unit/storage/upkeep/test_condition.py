"""Readiness asks the store for a commit, and for the room that a message needs."""

import shutil
from pathlib import Path

import pytest

from gateway.bootstrap import SystemClock
from gateway.errors import Unavailable
from gateway.storage import migrations
from gateway.storage.engines.engine import open_database
from gateway.storage.store import open_store
from gateway.storage.upkeep.condition import Condition


async def test_a_disk_without_room_for_a_message_is_full_although_a_page_would_fit(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/store.db", SystemClock()):
        database = open_database(f"sqlite:///{tmp_path}/store.db")
        free = shutil.disk_usage(tmp_path).free
        try:
            roomy = await Condition(database).probe()
            with pytest.raises(Unavailable, match="the disk is full"):
                await Condition(database, room_bytes=free * 2).probe()
        finally:
            await database.aclose()

    assert roomy.revision == migrations.NEWEST
