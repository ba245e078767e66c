"""What policy asks of the store, for a whole batch of claims in three queries."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId, RecipientId, ServiceId
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.recipients import Recipient, comparable
from gateway.ports import Claim, StoredFacts
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.driver import Driver
from gateway.storage.person_rows import consent_of, stored_recipient_of, suppression_of

# CROSS JOIN keeps the keys outside, so that each is looked up in the index; a row value IN (…) would scan the table.
_RECIPIENTS: Final = (
    f"WITH k AS ({{keys}}) SELECT {names(tables.recipients, 't.')} FROM k CROSS JOIN recipients t"  # noqa: S608
    " WHERE t.service_id = k.column1 AND t.id = k.column2"
)
_CONSENTS: Final = (
    f"WITH k AS ({{keys}}) SELECT {names(tables.consents, 't.')} FROM k CROSS JOIN consents t"  # noqa: S608
    " WHERE t.service_id = k.column1 AND t.recipient_id = k.column2 AND t.topic = k.column3"
)
SUPPRESSIONS: Final = (
    f"WITH k AS ({{keys}}) SELECT {names(tables.suppressions, 't.')} FROM k CROSS JOIN suppressions t"  # noqa: S608
    " WHERE t.channel = k.column1 AND t.address = k.column2"
)

Person = tuple[ServiceId, RecipientId]
"""An id means something within one service only."""


async def read_facts(driver: Driver, claims: Sequence[Claim]) -> Mapping[DeliveryId, StoredFacts]:
    """The stored recipient, the consents for the topic and the suppressions of the addresses, for each claim."""
    people = await _recipients(driver, claims)
    consents = await _consents(driver, claims)
    addresses = {claim.delivery.id: _addresses(claim, people) for claim in claims}
    suppressions = await _suppressions(driver, claims, addresses)
    return {
        claim.delivery.id: StoredFacts(
            recipient=people.get(person) if (person := _person(claim)) else None,
            consents=tuple(consents.get((*person, claim.message.topic or ""), ()) if person else ()),
            suppressions=tuple(
                suppression
                for address in addresses[claim.delivery.id]
                for suppression in suppressions.get((claim.delivery.channel, address), ())
            ),
        )
        for claim in claims
    }


def _person(claim: Claim) -> Person | None:
    recipient_id = claim.message.to.id
    return None if recipient_id is None else (claim.message.service_id, recipient_id)


def _addresses(claim: Claim, people: Mapping[Person, Recipient]) -> tuple[str, ...]:
    person = _person(claim)
    stored = people.get(person) if person else None
    whole = claim.message.to if stored is None else stored.overlaid(claim.message.to)
    channel = claim.delivery.channel
    return tuple(comparable(channel, address) for address in whole.addresses(channel))


async def _recipients(driver: Driver, claims: Sequence[Claim]) -> Mapping[Person, Recipient]:
    return await find_people(driver, {person for claim in claims if (person := _person(claim))})


async def find_people(driver: Driver, keys: Collection[Person]) -> Mapping[Person, Recipient]:
    """Those of them whom the store knows."""
    return {(row[0], row[1]): stored_recipient_of(row) for row in await driver.select_in(_RECIPIENTS, list(keys))}


async def _consents(driver: Driver, claims: Sequence[Claim]) -> Mapping[tuple[str, ...], list[Consent]]:
    keys = {
        (*person, claim.message.topic)
        for claim in claims
        if (person := _person(claim)) and claim.message.topic is not None
    }
    history: dict[tuple[str, ...], list[Consent]] = {}
    for row in await driver.select_in(_CONSENTS, list(keys)):
        consent = consent_of(row)
        history.setdefault((consent.service_id, consent.recipient_id, consent.topic), []).append(consent)
    return history


async def _suppressions(
    driver: Driver, claims: Sequence[Claim], addresses: Mapping[DeliveryId, tuple[str, ...]]
) -> Mapping[tuple[str, str], list[Suppression]]:
    keys = {(claim.delivery.channel.value, address) for claim in claims for address in addresses[claim.delivery.id]}
    found: dict[tuple[str, str], list[Suppression]] = {}
    for row in await driver.select_in(SUPPRESSIONS, list(keys)):
        suppression = suppression_of(row)
        found.setdefault((suppression.channel, suppression.address), []).append(suppression)
    return found
