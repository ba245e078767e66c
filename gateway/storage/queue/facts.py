"""What policy asks of the store, for a whole batch of claims in a few queries."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId, RecipientId, ServiceId
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Recipient, comparable
from gateway.domain.values import replace
from gateway.ports import Claim, StoredFacts
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.engines.driver import Driver, Engine
from gateway.storage.people.person_rows import CONSENT_COLUMNS, consent_of, stored_recipient_of, suppression_of
from gateway.storage.queue.counters import Usage, read_usage

# CROSS JOIN keeps the keys outside, so that each is looked up in the index; a row value IN (…) would scan the table.
_RECIPIENTS: Final = (
    f"WITH k AS ({{keys}}) SELECT {names(tables.recipients, 't.')} FROM k CROSS JOIN recipients t"  # noqa: S608
    " WHERE t.service_id = k.column1 AND t.id = k.column2"
)
_UNCHANGED_RECIPIENTS: Final = f"{_RECIPIENTS} FOR SHARE OF t"
_CONSENTS: Final = (
    f"WITH k AS ({{keys}}) SELECT {CONSENT_COLUMNS} FROM k CROSS JOIN consents t"  # noqa: S608
    " WHERE t.service_id = k.column1 AND t.recipient_id = k.column2 AND t.topic = k.column3"
)
# What a version before this one adds has no hash yet, and is found by what can be read.
_SUPPRESSIONS: Final = (
    f"WITH k AS ({{keys}}) SELECT {names(tables.suppressions, 't.')}, k.column2 AS matched"  # noqa: S608
    " FROM k CROSS JOIN suppressions t WHERE t.channel = k.column1 AND t.address_hash = k.column3"
    f" UNION ALL SELECT {names(tables.suppressions, 't.')}, k.column2 AS matched"
    " FROM k CROSS JOIN suppressions t"
    " WHERE t.channel = k.column1 AND t.address = k.column2 AND t.address_hash IS NULL"
)

Person = tuple[ServiceId, RecipientId]
"""An id means something within one service only."""


Address = tuple[str, str]
"""A channel and an address on it in its comparable spelling."""


Capped = Callable[[Claim, Recipient | None], bool]
"""Whether any cap may apply to a delivery, to this person as kept: without one, counters are not looked at."""
_UNUSED: Final = Usage(slots={}, waiting=())


async def read_facts(
    driver: Driver, claims: Sequence[Claim], pseudonyms: Pseudonyms, is_capped: Capped
) -> Mapping[DeliveryId, StoredFacts]:
    """The stored recipient, the consents for the topic and the suppressions of the addresses, for each claim; where
    caps may apply, the slots that were taken too, and what else waits for the person."""
    people = await _recipients(driver, claims)
    consents = await find_consents(driver, claims)
    addresses = {claim.delivery.id: _addresses(claim, people) for claim in claims}
    sought = {(claim.delivery.channel.value, one) for claim in claims for one in addresses[claim.delivery.id]}
    suppressions = await find_suppressions(driver, sought, pseudonyms)
    subjects = {claim.delivery.id: _subjects(claim, addresses[claim.delivery.id], pseudonyms) for claim in claims}
    capped = [claim for claim in claims if is_capped(claim, _person(claim, people))]
    used = await read_usage(driver, [(claim, subjects[claim.delivery.id]) for claim in capped]) if capped else ()
    usage = {claim.delivery.id: of_one for claim, of_one in zip(capped, used, strict=True)}
    return {
        (delivery_id := claim.delivery.id): StoredFacts(
            recipient=_person(claim, people),
            consents=tuple(consents.get(delivery_id, ())),
            suppressions=tuple(
                [
                    suppression
                    for address in addresses[delivery_id]
                    for suppression in suppressions.get((claim.delivery.channel.value, address), ())
                ]
            ),
            subjects=subjects[delivery_id],
            slots=(of_one := usage.get(delivery_id, _UNUSED)).slots,
            waiting=of_one.waiting,
        )
        for claim in claims
    }


def _subjects(claim: Claim, addresses: Sequence[str], pseudonyms: Pseudonyms) -> tuple[str, ...]:
    person = person_of(claim)
    if person is not None:
        return (pseudonyms.of_person(*person),)
    # A device may be named twice, and counts once.
    return tuple(dict.fromkeys([pseudonyms.of_address(claim.delivery.channel.value, one) for one in addresses]))


def person_of(claim: Claim) -> Person | None:
    """Whom a message is for, where the caller named a person."""
    recipient_id = claim.message.to.id
    return None if recipient_id is None else (claim.message.service_id, recipient_id)


def _person(claim: Claim, people: Mapping[Person, Recipient]) -> Recipient | None:
    person = person_of(claim)
    return people.get(person) if person else None


def _addresses(claim: Claim, people: Mapping[Person, Recipient]) -> tuple[str, ...]:
    stored = _person(claim, people)
    whole = claim.message.to if stored is None else stored.overlaid(claim.message.to)
    channel = claim.delivery.channel
    return tuple(comparable(channel, address) for address in whole.addresses(channel))


async def _recipients(driver: Driver, claims: Sequence[Claim]) -> Mapping[Person, Recipient]:
    return await find_people(driver, {person for claim in claims if (person := person_of(claim))})


async def find_people(driver: Driver, keys: Collection[Person], *, shared: bool = False) -> Mapping[Person, Recipient]:
    """Those of them whom the store knows; `shared`, none of them changes until the transaction ends."""
    query = _UNCHANGED_RECIPIENTS if shared and driver.engine is Engine.POSTGRESQL else _RECIPIENTS
    return {(row[0], row[1]): stored_recipient_of(row) for row in await driver.select_in(query, list(keys))}


async def find_consents(driver: Driver, claims: Sequence[Claim]) -> Mapping[DeliveryId, Sequence[Consent]]:
    """What each claim's person ever said of its topic, on every channel, where the message needs a grant."""
    about = {
        claim.delivery.id: (*person, claim.message.topic)
        for claim in claims
        if claim.message.category.needs_consent
        and (person := person_of(claim)) is not None
        and claim.message.topic is not None
    }
    history: dict[tuple[str, ...], list[Consent]] = {}
    for row in await driver.select_in(_CONSENTS, list(set(about.values()))):
        consent = consent_of(row)
        history.setdefault((consent.service_id, consent.recipient_id, consent.topic), []).append(consent)
    return {delivery_id: history.get(key, ()) for delivery_id, key in about.items()}


async def find_suppressions(
    driver: Driver, addresses: Collection[Address], pseudonyms: Pseudonyms
) -> Mapping[Address, list[Suppression]]:
    """The suppressions of each address, ended ones included; each reads as the address that it was found by."""
    keys = [(channel, address, pseudonyms.of_address(channel, address)) for channel, address in addresses]
    found: dict[Address, list[Suppression]] = {}
    for *row, matched in await driver.select_in(_SUPPRESSIONS, keys):
        suppression = replace(suppression_of(row), address=matched)
        found.setdefault((suppression.channel.value, matched), []).append(suppression)
    return found
