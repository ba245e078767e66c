"""What every store keeps to when something about a person changes while a delivery to them is held."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Priority
from gateway.domain.recipients import EmailAddress
from gateway.domain.values import replace
from gateway.ports import Claim, StoredFacts
from gateway.storage.queue.rules_in_force import adopt_rules
from gateway.storage.store import Store
from tests.contract.store_builders import WORKER, claim_one, make_choice, new_message, step_for
from tests.factories import NOW, SERVICE, make_consent, make_recipient, make_suppression

S = DeliveryStatus
LATER = NOW + timedelta(hours=8)
SOON = NOW + timedelta(minutes=1)

Change = Callable[[Store], Awaitable[object]]


async def facts_of(store: Store, claim: Claim) -> StoredFacts:
    """What the store knows now."""
    return (await store.dispatch.facts([claim]))[claim.delivery.id]


async def hold(store: Store, claim: Claim, seen: StoredFacts) -> None:
    """Held until LATER, as decided on what was seen."""
    step = step_for(claim, S.HELD, due_at=LATER, reason="quiet_hours", subjects=seen.subjects, seen=seen)
    assert await store.dispatch.record(step)


async def due_soon(store: Store) -> list[DeliveryStatus]:
    """What can be claimed a minute from now."""
    return [claim.delivery.status for claim in await store.dispatch.claim(WORKER, 10, SOON)]


CHANGES: dict[str, Change] = {
    "zone": lambda store: store.recipients.put_recipient(SERVICE, make_recipient(timezone="Asia/Tokyo"), SOON),
    "preferences": lambda store: store.readers.choose(make_choice({}, at=SOON)),
    "consent": lambda store: store.consents.add_consents([make_consent(at=NOW, recorded_at=SOON)]),
    "suppression": lambda store: store.suppressions.add_suppression(make_suppression(created_at=SOON)),
    "remembered": lambda store: store.accepting.accept(
        replace(new_message(2, due_at=LATER), remember=make_recipient(timezone="Asia/Tokyo"))
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_what_is_held_for_a_person_is_looked_at_again_once_a_fact_changes(store: Store, change: Change) -> None:
    await store.recipients.put_recipient(SERVICE, make_recipient(), NOW)
    claim = await claim_one(store)
    await hold(store, claim, await facts_of(store, claim))
    before = await due_soon(store)

    await change(store)

    assert (before, await due_soon(store)) == ([], [S.HELD])


async def test_what_is_held_for_others_is_left_alone(store: Store) -> None:
    claim = await claim_one(store, new_message(to=make_recipient(id="other", email=EmailAddress("other@example.org"))))
    await hold(store, claim, await facts_of(store, claim))

    for change in CHANGES.values():
        await change(store)

    assert await due_soon(store) == []


async def test_a_person_who_changed_while_a_hold_was_decided_is_looked_at_at_once(store: Store) -> None:
    await store.recipients.put_recipient(SERVICE, make_recipient(), NOW)
    claim = await claim_one(store)
    seen = await facts_of(store, claim)
    await store.recipients.put_recipient(SERVICE, make_recipient(timezone="Asia/Tokyo"), NOW)

    await hold(store, claim, seen)

    assert await due_soon(store) == [S.HELD]


async def test_one_who_is_written_to_by_address_alone_is_found_by_it(store: Store) -> None:
    claim = await claim_one(store, new_message(to=make_recipient(id=None)))
    await hold(store, claim, await facts_of(store, claim))

    await CHANGES["suppression"](store)

    assert await due_soon(store) == [S.HELD]


async def test_other_rules_have_all_that_is_held_decided_again_the_urgent_first(store: Store) -> None:
    await adopt_rules(store.database, "before", NOW)
    for number, priority in enumerate([Priority.LOW, Priority.HIGH]):
        claim = await claim_one(store, new_message(number, priority=priority))
        await hold(store, claim, await facts_of(store, claim))

    same = await adopt_rules(store.database, "before", NOW)
    other = await adopt_rules(store.database, "after", NOW)
    again = await adopt_rules(store.database, "after", NOW)

    assert (same, other, again) == (0, 2, 0)
    assert [claim.message.priority for claim in await store.dispatch.claim(WORKER, 10, NOW)] == ["high"]
    assert [claim.message.priority for claim in await store.dispatch.claim(WORKER, 10, SOON)] == ["low"]
