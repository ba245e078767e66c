"""Deliveries with all that was ever told of them; steps of ours that receipts have overtaken settle by that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.ids import EVENT, DeliveryId, EventId, make_id
from gateway.domain.instants import from_micros
from gateway.domain.lifecycle import DeliveryStatus, Fact
from gateway.domain.messages import Attempt, Delivery, Event, Message
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Recipient
from gateway.domain.tracking import due_after, facts_of, reason_of, settle
from gateway.domain.values import replace
from gateway.ports import Step
from gateway.storage import tables
from gateway.storage.columns import micros_or_none, names
from gateway.storage.documents import dump, load_receipt
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.statements import Row
from gateway.storage.rows import MESSAGE_WIDTH, attempt_of, delivery_of, message_of

_DELIVERIES: Final = (
    f"SELECT {names(tables.messages, 'm.')}, {names(tables.deliveries, 'd.')}"  # noqa: S608 - our own names
    " FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.id IN ({keys})"
)
_ATTEMPTS: Final = f"SELECT {names(tables.attempts)} FROM attempts WHERE delivery_id IN ({{keys}})"  # noqa: S608 - our own
_TOLD: Final = "SELECT delivery_id, attempt, receipt FROM receipts WHERE delivery_id IN ({keys})"
_WORDS: Final = "SELECT id, receipt FROM receipts WHERE delivery_id IN ({keys})"
_KEEP: Final = "UPDATE receipts SET receipt = ? WHERE id = ?"
_NOBODY: Final = Recipient()
_CHANNELS: Final = "SELECT message_id, channel FROM deliveries WHERE message_id IN ({keys})"
_OVERTAKEN: Final = (
    "UPDATE deliveries SET own_status = ?, status = ?,"
    " reason = CASE WHEN status = ? THEN reason ELSE ? END, due_at = CASE WHEN status = ? THEN due_at ELSE ? END,"
    " not_before = NULL, provider_message_id = coalesce(?, provider_message_id), lease_owner = NULL, updated_at = ?"
    " WHERE id = ?"
)
_OWN_AGAIN: Final = "UPDATE deliveries SET own_status = NULL WHERE id = ?"
_ADDRESS: Final = MESSAGE_WIDTH + tables.deliveries.columns.keys().index("address")
_SENDER: Final = MESSAGE_WIDTH + tables.deliveries.columns.keys().index("sender")
_OWN: Final = MESSAGE_WIDTH + tables.deliveries.columns.keys().index("own_status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A step with the instant at which it is written."""

    step: Step
    now: int


@dataclass(slots=True, kw_only=True)
class Tracked:
    """A delivery, its calls, and what receipts told of them."""

    message: Message
    delivery: Delivery
    own: DeliveryStatus
    """Where our own steps led."""
    address: str | None
    sender: str | None
    attempts: Sequence[Attempt]
    told: list[tuple[int, Receipt]]

    @property
    def is_erased(self) -> bool:
        """Whether the person was erased that it went to."""
        return self.message.to == _NOBODY

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All that is known of its calls."""
        return tuple(facts_of(self.attempts, self.told))


async def load_tracked(driver: Driver, delivery_ids: Iterable[str]) -> dict[str, Tracked]:
    """Those of the deliveries that are kept, by their ids, in three queries for all."""
    keys = each_key(delivery_ids)
    attempts: dict[str, list[Attempt]] = {}
    for row in sorted(await driver.select_in(_ATTEMPTS, keys), key=lambda row: (row[0], row[1])):
        attempts.setdefault(row[0], []).append(attempt_of(row))
    told: dict[str, list[tuple[int, Receipt]]] = {}
    for delivery_id, number, receipt in await driver.select_in(_TOLD, keys):
        told.setdefault(delivery_id, []).append((number, load_receipt(receipt)))
    found = {}
    for row in await driver.select_in(_DELIVERIES, keys):
        delivery = delivery_of(row[MESSAGE_WIDTH:])
        found[delivery.id] = Tracked(
            message=message_of(row[:MESSAGE_WIDTH], ()),
            delivery=delivery,
            own=delivery.status if row[_OWN] is None else DeliveryStatus(row[_OWN]),
            address=row[_ADDRESS],
            sender=row[_SENDER],
            attempts=attempts.get(delivery.id, []),
            told=told.get(delivery.id, []),
        )
    return {str(delivery_id): one for delivery_id, one in found.items()}


async def forget_words(driver: Driver, delivery_keys: Sequence[Row]) -> None:
    """Drop the providers' own words from what was told of these deliveries: they may be read, and no status needs
    them."""
    rows = await driver.select_in(_WORDS, delivery_keys)
    told = [(load_receipt(receipt), receipt_id) for receipt_id, receipt in rows]
    blanked = [(dump(replace(one, detail=None)), receipt_id) for one, receipt_id in told if one.detail is not None]
    await driver.execute_many(_KEEP, blanked)


Recorded = Sequence[tuple[Stamped, DeliveryStatus]]
"""Steps to be recorded, each with its delivery's present status."""


async def settle_overtaken(driver: Driver, recorded: Recorded) -> tuple[Recorded, set[DeliveryId]]:
    """Write the deliveries of which receipts say otherwise than their steps; all steps as they are to be recorded,
    and which deliveries are written.

    Of such a step the answer is kept, and nothing that was to follow from it.
    """
    suspects = [item.step.claim.delivery.id for item, current in recorded if _may_be_told(item.step, current)]
    if not suspects:
        return recorded, set()
    tracked = await load_tracked(driver, suspects)
    settled: list[tuple[Stamped, DeliveryStatus]] = []
    rows: list[Row] = []
    for item, current in recorded:
        of = tracked.get(item.step.claim.delivery.id)
        step = item.step if of is None or not of.told else _settled(of, item, current, rows)
        settled.append((Stamped(step=step, now=item.now), current))
    await driver.execute_many(_OVERTAKEN, rows)
    written = {row[-1] for row in rows}
    own = [one for item, _ in settled if (one := item.step.claim.delivery.id) not in written and _is_new(item.step)]
    await driver.execute_many(_OWN_AGAIN, [(one,) for one in own if one in tracked])
    return settled, written


def _may_be_told(step: Step, current: DeliveryStatus) -> bool:
    """Whether receipts may say more than the step: they moved the delivery, spoke of a call before this one, or know
    of an answer that we lost."""
    earlier = step.attempt is not None and step.attempt.number > 1
    known = current in (DeliveryStatus.SENDING, step.claim.delivery.status)
    return earlier or not known or step.status is DeliveryStatus.UNKNOWN


def _is_new(step: Step) -> bool:
    """Whether the step led somewhere, and did not only look after what is to follow."""
    return step.attempt is not None or not _stays(step)


def _settled(of: Tracked, item: Stamped, current: DeliveryStatus, rows: list[Row]) -> Step:
    step, now = item.step, from_micros(item.now)
    finished = {one.number: one for one in step.attempts}
    attempts = [finished.get(one.number, one) for one in of.attempts]
    own = step.status if _is_new(step) else of.own
    facts = tuple(facts_of(attempts, of.told))
    status = settle(own, of.delivery.channel, facts)
    if status is step.status:
        return step
    dues = [
        due_after(status, of.message, of.delivery.channel, now),
        step.due_at if status is DeliveryStatus.SENT else None,
    ]
    due = micros_or_none(min((one for one in dues if one is not None), default=None))
    reason, known = reason_of(status, facts), status.value
    own_status = None if own is status else own.value
    rows.append((own_status, known, known, reason, known, due, step.provider_message_id, item.now, of.delivery.id))
    event = Event(
        id=EventId(make_id(EVENT, now)),
        message_id=of.message.id,
        delivery_id=of.delivery.id,
        type=f"delivery.{known}",
        at=now,
        data={"channel": of.delivery.channel.value, "reason": reason} if reason else {"channel": of.delivery.channel},
    )
    events = () if status is current else (event,)
    return replace(
        step, status=status, events=events, next_delivery=None, frees_slots=False, refunds=False, drop_secrets=True
    )


async def without_repeated_fallbacks(driver: Driver, recorded: Recorded) -> Recorded:
    """The steps, without the next channel where the message has been there already.

    What was taken and is not confirmed, or did not arrive, may bring about its fallback more than once.
    """
    late = [item.step for item, _ in recorded if item.step.next_delivery and _stays(item.step)]
    if not late:
        return recorded
    rows = await driver.select_in(_CHANNELS, each_key(step.claim.message.id for step in late))
    tried = {(row[0], row[1]) for row in rows}

    def without(step: Step) -> Step:
        next_one = step.next_delivery
        if next_one is None or not _stays(step) or (step.claim.message.id, next_one.delivery.channel) not in tried:
            return step
        return replace(step, next_delivery=None, events=(), drop_secrets=True)

    return [(Stamped(step=without(item.step), now=item.now), status) for item, status in recorded]


def _stays(step: Step) -> bool:
    return step.status is step.claim.delivery.status
