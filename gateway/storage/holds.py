"""Held deliveries, found by whom they are for, so that a change that concerns a person is looked at at once.

A decision to hold and such a change may cross. Whoever writes the hold therefore checks, under the locks that changes
take, whether what it was decided on still stands; whoever writes the change has every hold that it finds due now.
"""

from collections.abc import Collection, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId, RecipientId, ServiceId
from gateway.ports import Step
from gateway.storage.driver import Driver, Engine
from gateway.storage.facts import find_people, person_of

_HELD: Final = (
    "WITH k AS ({keys}) SELECT d.id FROM k CROSS JOIN deliveries d"
    " WHERE d.subject = k.column1 AND d.due_at IS NOT NULL AND d.lease_owner IS NULL AND d.status = 'held'"
)
_LOOK_AGAIN: Final = {
    Engine.SQLITE: f"UPDATE deliveries SET due_at = ? WHERE due_at > ? AND id IN ({_HELD})",  # noqa: S608 - our own words
    # What somebody has in hand is decided anew, or gone: it is not waited for.
    Engine.POSTGRESQL: "UPDATE deliveries SET due_at = ? WHERE due_at > ?"  # noqa: S608 - our own words
    f" AND id = ANY (ARRAY({_HELD} FOR NO KEY UPDATE OF d SKIP LOCKED))",
}


async def look_again(driver: Driver, subjects: Collection[str], now: int) -> None:
    """Have what is held for these people decided again at once: something that it was decided on has changed."""
    if subjects:
        await driver.select_in(_LOOK_AGAIN[driver.engine], [(subject,) for subject in sorted(subjects)], (now, now))


def person_lock(service_id: ServiceId, recipient_id: RecipientId) -> str:
    """The name of the lock between who changes what is kept of a person and who holds a delivery on account of it."""
    return f"recipient:{service_id}:{recipient_id}"


async def changed_people(driver: Driver, held: Sequence[Step]) -> set[DeliveryId]:
    """Of deliveries to be held those whose recipient is not kept as the decision saw the person."""
    of = {step.claim.delivery.id: (person, step.seen) for step in held if (person := person_of(step.claim)) is not None}
    if not of:
        return set()
    known = {person for person, _ in of.values()}
    await driver.lock([person_lock(*person) for person in sorted(known)], shared=True)
    people = await find_people(driver, known)
    return {
        delivery_id
        for delivery_id, (person, seen) in of.items()
        if seen is not None and people.get(person) != seen.recipient
    }
