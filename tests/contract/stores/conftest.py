"""The stores that the suite is run on, each fresh for its test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.storage.store import Store
from tests.contract.store_builders import WORKER, Place
from tests.fakes import SetClock


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a fresh store is."""
    if request.param == "postgresql":
        return Place(request.getfixturevalue("postgres_url"))
    place: Place = request.getfixturevalue("sqlite_place")
    return place


@pytest.fixture
def sqlite_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a fresh store in a file is."""
    file = tmp_path / "store.db"
    shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
    return Place(f"sqlite:///{file}")


@pytest.fixture
def clock() -> SetClock:
    """The store's clock."""
    return SetClock()


@pytest.fixture
async def store(place: Place, clock: SetClock) -> AsyncIterator[Store]:
    """An open store in which WORKER has joined."""
    async with place.open(clock, idempotent_providers={"mailbox"}) as store:
        await store.leases.join(WORKER)
        yield store
