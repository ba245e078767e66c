"""What claims came to: statuses, attempts, events and all that follows from them, in one transaction."""

from collections.abc import Collection, Sequence
from typing import Final

from gateway.domain.ids import DeliveryId
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import WAITING, DeliveryStatus, advance
from gateway.domain.preferences import Suppression
from gateway.domain.pseudonyms import Pseudonyms
from gateway.ports import Claim, Step
from gateway.storage.columns import micros_or_none
from gateway.storage.documents import dump
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.statements import Row
from gateway.storage.events import write_events
from gateway.storage.people.suppressions import address_lock_of, suppress
from gateway.storage.queue.accept import insert_deliveries
from gateway.storage.queue.caps import freed_meanwhile, give_back, is_held_for_caps
from gateway.storage.queue.claims import still_held
from gateway.storage.queue.counters import lock_counters, names_of
from gateway.storage.queue.holds import changed_people
from gateway.storage.queue.spending import refund
from gateway.storage.queue.standing import forget_secrets, refresh_status
from gateway.storage.rows import delivery_row, event_row
from gateway.storage.tracking.tracking import Recorded, Stamped, settle_overtaken, without_repeated_fallbacks

_RECORD: Final = (
    "UPDATE deliveries SET status = ?, reason = ?, due_at = ?, not_before = ?,"
    " subject = coalesce(?, subject),"
    " provider_message_id = coalesce(?, provider_message_id), lease_owner = NULL, updated_at = ? WHERE id = ?"
)
_FINISH: Final = "UPDATE attempts SET finished_at = ?, outcome = ?, result = ? WHERE delivery_id = ? AND number = ?"
_TAKE_BACK: Final = "UPDATE deliveries SET attempts = ?, provider = ? WHERE id = ?"
_DROP_ATTEMPT: Final = "DELETE FROM attempts WHERE delivery_id = ? AND number > ?"


async def record_all(driver: Driver, stamped: Sequence[Stamped], pseudonyms: Pseudonyms) -> Sequence[bool]:
    """Write what each claim came to and give it back, unless it is another's by now."""
    held = await still_held(driver, [item.step.claim for item in stamped])
    kept: Recorded = [(item, status) for item, status in zip(stamped, held, strict=True) if status is not None]
    kept = await without_repeated_fallbacks(driver, kept)
    kept, overtaken = await settle_overtaken(driver, kept)
    steps = [item.step for item, _ in kept]
    outdated = await _outdated(driver, steps)
    own = [(item, status) for item, status in kept if item.step.claim.delivery.id not in overtaken]
    await driver.execute_many(_RECORD, [_record_row(item, status, outdated) for item, status in own])
    await driver.execute_many(_FINISH, [row for step in steps for row in _finish_rows(step)])
    await _take_back(driver, [item.step.claim for item, status in kept if _was_not_called(item.step, status)])
    await write_events(
        driver,
        [event_row(event) for step in steps for event in step.events],
        (
            insert_deliveries,
            [delivery_row(step.next_delivery, step.claim.message) for step in steps if step.next_delivery is not None],
        ),
    )
    for suppression in _condemned(steps):
        await suppress(driver, suppression, pseudonyms)
    now = max((item.now for item, _ in kept), default=0)
    await give_back(driver, [step for step in steps if step.frees_slots], now)
    # Locks the messages, in the order of their ids.
    await refresh_status(driver, [step.claim.message.id for step in steps])
    await forget_secrets(driver, [step.claim.message.id for step in steps if step.drop_secrets])
    return [status is not None for status in held]


def _condemned(steps: Sequence[Step]) -> list[Suppression]:
    return [suppression for step in steps for suppression in step.suppressions]


async def _outdated(driver: Driver, steps: Sequence[Step]) -> set[DeliveryId]:
    """Deliveries whose hold was decided on what does not stand any more. Takes every lock but the messages', and gives
    back what was spent for nothing, since those locks stand between.

    Each kind all at once and in the order of reservations, addresses before counters: who takes them one by one may
    meet one of those crosswise.
    """
    await driver.lock([address_lock_of(suppression) for suppression in _condemned(steps)])
    await refund(driver, [step for step in steps if step.refunds])
    held = [step for step in steps if step.seen is not None]
    freeing = [step for step in steps if step.frees_slots]
    counted = [(step.claim, step.subjects) for step in (*filter(is_held_for_caps, held), *freeing)]
    await lock_counters(driver, names_of(counted))
    if not held:
        return set()
    return await freed_meanwhile(driver, held) | await changed_people(driver, held)


def _was_not_called(step: Step, current: DeliveryStatus) -> bool:
    return current is DeliveryStatus.SENDING and step.attempt is None


async def _take_back(driver: Driver, claims: Sequence[Claim]) -> None:
    """Undo reservations whose call was never made: an attempt is a call."""
    standing = [(claim.delivery.attempts, claim.delivery.provider, claim.delivery.id) for claim in claims]
    await driver.execute_many(_TAKE_BACK, standing)
    await driver.execute_many(_DROP_ATTEMPT, [(delivery_id, attempts) for attempts, _, delivery_id in standing])


def _record_row(item: Stamped, current: DeliveryStatus, outdated: Collection[DeliveryId]) -> Row:
    step = item.step
    status = advance(current, step.status)
    due_at = micros_or_none(step.due_at)
    return (
        status.value,
        step.reason,
        item.now if step.claim.delivery.id in outdated else due_at,
        (micros_or_none(step.not_before) or due_at) if status in WAITING else None,
        next(iter(step.subjects), None) if status in WAITING else None,
        step.provider_message_id,
        to_micros(step.claim.delivery.updated_at) if _is_looked_after(step) else item.now,
        step.claim.delivery.id,
    )


def _is_looked_after(step: Step) -> bool:
    """Whether it only was looked at: it is as old as it was."""
    return step.attempt is None and step.status is step.claim.delivery.status and step.status not in WAITING


def _finish_rows(step: Step) -> list[Row]:
    return [
        (
            to_micros(attempt.finished_at),
            None if attempt.result is None else attempt.result.outcome.value,
            None if attempt.result is None else dump(attempt.result),
            attempt.delivery_id,
            attempt.number,
        )
        for attempt in step.attempts
        if attempt.finished_at is not None
    ]
