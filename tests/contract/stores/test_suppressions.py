"""Suppressions hold by a keyed hash of the address, whoever wrote them and whatever can still be read of them."""

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.domain.ids import SuppressionId
from gateway.domain.preferences import Suppression
from gateway.domain.recipients import Channel
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import WORKER, Place, new_message, reservation_for
from tests.factories import NOW, make_suppression
from tests.fakes import SetClock

ADDRESS = "amina@example.org"
suppressions = tables.suppressions


async def test_a_suppression_whose_address_was_erased_still_holds_and_is_found(store: Store) -> None:
    kept = await store.suppressions.add_suppression(make_suppression())
    await rewrite(store, address=None)

    await store.accepting.accept(new_message())
    (claim,) = await store.dispatch.claim(WORKER, 1, NOW)
    facts = (await store.dispatch.facts([claim]))[claim.delivery.id]
    found = await store.suppressions.list_suppressions(None, "Amina@example.org", 5, None)

    assert [(one.id, one.is_of(Channel.EMAIL, ADDRESS)) for one in facts.suppressions] == [(kept.id, True)]
    assert not await store.dispatch.reserve(reservation_for(claim))
    assert [(one.id, one.address) for one in found.items] == [(kept.id, None)]


async def test_one_that_an_older_version_wrote_holds_before_and_after_it_has_its_hash(
    place: Place, clock: SetClock
) -> None:
    async with place.open(clock) as store:
        await store.leases.join(WORKER)
        await store.suppressions.add_suppression(make_suppression())
        await rewrite(store, address_hash=None)
        await store.accepting.accept(new_message())
        (claim,) = await store.dispatch.claim(WORKER, 1, NOW)

        before = await store.dispatch.facts([claim])
        twin = await store.suppressions.add_suppression(make_suppression(id=SuppressionId("sup_2")))
        listed = await store.suppressions.list_suppressions(Channel.EMAIL, ADDRESS, 5, None)

    async with place.open(clock) as store:
        after = await store.dispatch.facts([claim])
        async with store.database.reader.connect() as connection:
            (row,) = (await connection.execute(sa.select(suppressions))).all()

    assert [one.id for one in listed.items] == [twin.id] == ["sup_1"]
    assert ids_of(before[claim.delivery.id].suppressions) == ids_of(after[claim.delivery.id].suppressions) == ["sup_1"]
    assert row.address_hash == store.pseudonyms.of_address("email", ADDRESS)


async def test_the_same_from_an_older_version_beside_an_erased_one_becomes_one(place: Place, clock: SetClock) -> None:
    async with place.open(clock) as store:
        await store.suppressions.add_suppression(make_suppression())
        await rewrite(store, address=None)
        row = {"id": "sup_old", "channel": "email", "address": ADDRESS, "reason": "bounce", "scope": "all"}
        async with store.database.writer.transaction() as connection:
            await connection.execute(suppressions.insert().values(**row, created_at=NOW))

    async with place.open(clock) as store:
        found = await store.suppressions.list_suppressions(Channel.EMAIL, ADDRESS, 5, None)

    assert [one.id for one in found.items] == ["sup_1"]


async def rewrite(store: Store, **values: str | None) -> None:
    async with store.database.writer.transaction() as connection:
        await connection.execute(suppressions.update().values(**values))


def ids_of(found: Sequence[Suppression]) -> list[str]:
    return [one.id for one in found]
