"""Held deliveries, found by whom they are for, so that a change that concerns a person is looked at at once.

A decision to hold and such a change may cross. Whoever writes the hold therefore checks, under the locks that changes
take, whether what it was decided on still stands; whoever writes the change has every hold that it finds due now.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel
from gateway.ports import Step
from gateway.storage.engines.driver import Driver, Engine, each_key
from gateway.storage.queue.facts import Person, find_people, person_of

_FREE: Final = "d.due_at IS NOT NULL AND d.lease_owner IS NULL AND d.status = 'held'"
_OF_SUBJECTS: Final = (
    f"WITH k AS ({{keys}}) SELECT d.id FROM k CROSS JOIN deliveries d WHERE d.subject = k.column1 AND {_FREE}"  # noqa: S608 - our own words
)
_OF_PERSON: Final = (
    "WITH k AS ({keys}) SELECT d.id FROM k CROSS JOIN messages m JOIN deliveries d ON d.message_id = m.id"  # noqa: S608 - our own words
    f" WHERE m.recipient_id = k.column2 AND m.service_id = k.column1 AND {_FREE}"
)
_AT_ADDRESS: Final = (
    f"WITH k AS ({{keys}}) SELECT d.id FROM k CROSS JOIN deliveries d WHERE d.address = k.column1 AND {_FREE}"  # noqa: S608 - our own words
)


def _due_now(held: str) -> Mapping[Engine, str]:
    return {
        Engine.SQLITE: f"UPDATE deliveries SET due_at = ? WHERE due_at > ? AND id IN ({held})",  # noqa: S608 - our own words
        # What somebody has in hand is decided anew, or gone: it is not waited for.
        Engine.POSTGRESQL: "UPDATE deliveries SET due_at = ? WHERE due_at > ?"  # noqa: S608 - our own words
        f" AND id = ANY (ARRAY({held} FOR NO KEY UPDATE OF d SKIP LOCKED))",
    }


_LOOK_AGAIN: Final = _due_now(_OF_SUBJECTS)
_LOOK_AGAIN_AT_PERSON: Final = _due_now(_OF_PERSON)
_LOOK_AGAIN_AT_ADDRESS: Final = _due_now(_AT_ADDRESS)
_OWNERS: Final = {
    Channel.EMAIL: "SELECT service_id, id FROM recipients WHERE email = ?",
    Channel.SMS: "SELECT service_id, id FROM recipients WHERE phone = ?",
}


async def look_again(driver: Driver, subjects: Collection[str], now: int) -> None:
    """Have what is held for these people decided again at once: something that it was decided on has changed."""
    if subjects:
        await driver.select_in(_LOOK_AGAIN[driver.engine], each_key(subjects), (now, now))


async def look_again_at_person(driver: Driver, person: Person, now: int) -> None:
    """The same for one who is not known by a pseudonym here; goes through the person's messages."""
    await driver.select_in(_LOOK_AGAIN_AT_PERSON[driver.engine], [person], (now, now))


async def look_again_at_address(
    driver: Driver, channel: Channel, address: str, pseudonyms: Pseudonyms, now: int
) -> None:
    """The same for whoever is written to at an address, in its comparable spelling."""
    owners = await driver.fetch(_OWNERS[channel], (address,)) if channel in _OWNERS else ()
    people = {pseudonyms.of_person(service_id, recipient_id) for service_id, recipient_id in owners}
    await look_again(driver, {pseudonyms.of_address(channel.value, address), *people}, now)
    await driver.select_in(_LOOK_AGAIN_AT_ADDRESS[driver.engine], [(address,)], (now, now))


async def changed_people(driver: Driver, held: Sequence[Step]) -> set[DeliveryId]:
    """Of deliveries to be held those whose recipient is not kept as the decision saw the person."""
    of = {step.claim.delivery.id: (person, step.seen) for step in held if (person := person_of(step.claim)) is not None}
    if not of:
        return set()
    # Whoever changes one of them at this moment is waited for, or waits and finds what is held.
    people = await find_people(driver, sorted({person for person, _ in of.values()}), shared=True)
    return {
        delivery_id
        for delivery_id, (person, seen) in of.items()
        if seen is not None and people.get(person) != seen.recipient
    }
