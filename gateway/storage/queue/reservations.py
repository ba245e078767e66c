"""Intents to call a provider, written before the call, with the last look for what people said in the meantime."""

from collections.abc import Sequence
from typing import Final

from gateway.domain.ids import DeliveryId
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import DeliveryStatus, can_advance
from gateway.domain.messages import Content, EmailContent, PushContent, SmsContent
from gateway.domain.preferences import Suppression
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, comparable
from gateway.ports import Reservation
from gateway.storage import tables
from gateway.storage.documents import dump
from gateway.storage.engines.driver import Driver, Engine
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.events import write_events
from gateway.storage.people.suppressions import address_lock
from gateway.storage.queue.claims import still_held
from gateway.storage.queue.facts import find_consents, find_suppressions
from gateway.storage.queue.spending import take_all
from gateway.storage.queue.standing import find_status
from gateway.storage.rows import attempt_row, event_row

_RESERVE: Final = (
    "UPDATE deliveries SET status = 'sending', reason = NULL, not_before = NULL, provider = ?, attempts = ?,"
    " address = ?, sender = ?, updated_at = ? WHERE id = ?"
)
_POSITION: Final = {Engine.SQLITE: "instr", Engine.POSTGRESQL: "strpos"}
_RENDERED: Final = {
    engine: "UPDATE messages SET status = ?, locale = ?, versions = ?,"  # noqa: S608 - our own names
    f" search = CASE WHEN {position}(search, ?) > 0 THEN search ELSE search || ' ' || ? END WHERE id = ?"
    for engine, position in _POSITION.items()
}
_insert_contents: Final = Insert(
    tables.contents, suffix=" ON CONFLICT (delivery_id) DO UPDATE SET content = excluded.content"
)
_insert_attempts: Final = Insert(tables.attempts)


async def reserve_all(driver: Driver, reservations: Sequence[Reservation], pseudonyms: Pseudonyms) -> Sequence[bool]:
    """Commit to each call that may still be made: its attempt, its content and the status `sending`."""
    held = await still_held(driver, [reservation.claim for reservation in reservations])
    overtaken = await _newly_suppressed(driver, reservations, pseudonyms) | await _newly_said(driver, reservations)
    granted = [
        status is not None
        and can_advance(status, DeliveryStatus.SENDING)
        and reservation.claim.delivery.id not in overtaken
        for status, reservation in zip(held, reservations, strict=True)
    ]
    allowed = [reservation for reservation, yes in zip(reservations, granted, strict=True) if yes]
    used_up = await take_all(driver, allowed)
    taken = [reservation for reservation in allowed if reservation.claim.delivery.id not in used_up]
    attempts = [one for reservation in taken for one in (reservation.attempt, *reservation.beside)]
    await driver.execute_many(_RESERVE, [_reserve_row(reservation) for reservation in taken])
    await write_events(
        driver,
        [event_row(event) for reservation in taken for event in reservation.events],
        (
            _insert_attempts,
            [attempt_row(one) for one in attempts],
        ),
        (_insert_contents, [(reservation.claim.delivery.id, dump(reservation.content)) for reservation in taken]),
    )
    # Locks the messages, in the order of their ids.
    standing = await find_status(driver, [reservation.claim.message.id for reservation in taken])
    rows = [_rendered_row(one, standing[one.claim.message.id][1]) for one in taken]
    await driver.execute_many(_RENDERED[driver.engine], rows)
    return [
        yes and reservation.claim.delivery.id not in used_up
        for yes, reservation in zip(granted, reservations, strict=True)
    ]


async def _newly_suppressed(
    driver: Driver, reservations: Sequence[Reservation], pseudonyms: Pseudonyms
) -> set[DeliveryId]:
    """Deliveries that a suppression forbids which their decision did not know."""
    keys = {key for reservation in reservations for key in _keys(reservation)}
    # Whoever suppresses one of them meanwhile waits for us: what is told to be suppressed goes to no provider after.
    await driver.lock([address_lock(*key) for key in keys], shared=True)
    by_address = await find_suppressions(driver, keys, pseudonyms)
    if not by_address:
        return set()
    return {
        reservation.claim.delivery.id
        for reservation in reservations
        for key in _keys(reservation)
        for suppression in by_address.get(key, ())
        if _forbids(suppression, reservation)
    }


async def _newly_said(driver: Driver, reservations: Sequence[Reservation]) -> set[DeliveryId]:
    """Deliveries whose person has said something of the topic that their decision did not know."""
    said = await find_consents(driver, [reservation.claim for reservation in reservations])
    return {
        reservation.claim.delivery.id
        for reservation in reservations
        if any(line.id not in reservation.consents_seen for line in said.get(reservation.claim.delivery.id, ()))
    }


def _keys(reservation: Reservation) -> list[tuple[str, str]]:
    channel = reservation.claim.delivery.channel
    return [(channel.value, comparable(channel, address)) for address in reservation.addresses]


def _forbids(suppression: Suppression, reservation: Reservation) -> bool:
    message = reservation.claim.message
    return suppression.id not in reservation.suppressions_seen and suppression.forbids(
        message.category, message.topic, reservation.attempt.started_at
    )


def _reserve_row(reservation: Reservation) -> Row:
    attempt, delivery = reservation.attempt, reservation.claim.delivery
    address = None if delivery.channel is Channel.PUSH else next(iter(reservation.addresses), None)
    return (
        attempt.provider,
        attempt.number + len(reservation.beside),
        address,
        reservation.sender,
        to_micros(attempt.started_at),
        delivery.id,
    )


def _rendered_row(reservation: Reservation, status: str) -> Row:
    versions, headline = reservation.versions, _headline(reservation.content).lower()
    return (
        status,
        versions.resolved_locale,
        dump(versions),
        headline,
        headline,
        reservation.claim.message.id,
    )


def _headline(content: Content) -> str:
    """What the log's free-text filter knows of a content."""
    match content:
        case EmailContent():
            return content.subject
        case PushContent():
            return content.title
        case SmsContent():
            return ""
