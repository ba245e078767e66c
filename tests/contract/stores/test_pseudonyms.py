from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.bootstrap.databases import copy_store
from gateway.errors import ConfigurationError
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import Place
from tests.fakes import SetClock


async def test_names_are_the_same_at_every_start(place: Place, clock: SetClock) -> None:
    async with place.open(clock) as store:
        first = store.pseudonyms.of_address("email", "ann@example.org")

    async with place.open(clock) as store:
        second = store.pseudonyms.of_address("email", "ann@example.org")

    assert first == second


async def test_a_start_without_the_stores_own_secret_stops(place: Place, clock: SetClock) -> None:
    async with place.open(clock) as store:
        await lose_secret(store)

    with pytest.raises(ConfigurationError, match="put the store's own secret back"):
        async with place.open(clock):
            pass


async def test_a_copy_knows_people_by_the_same_names(place: Place, clock: SetClock, tmp_path: Path) -> None:
    async with place.open(clock) as store:
        name = store.pseudonyms.of_person("svc_1", "ann")
    target = f"sqlite:///{tmp_path / 'copy.db'}"

    await copy_store(place.url, target, clock, lambda *_: None)

    async with Place(target).open(clock) as store:
        assert store.pseudonyms.of_person("svc_1", "ann") == name


async def lose_secret(store: Store) -> None:
    if (path := store.database.path) is not None:
        path.with_name(f"{path.name}.secret").unlink()
        return
    async with store.database.writer.transaction() as connection:
        await connection.execute(tables.secrets.delete().where(tables.secrets.c.name == "links"))
        assert await connection.scalar(sa.select(sa.func.count()).select_from(tables.secrets)) == 1
