"""What was spent under limits: counted in the transaction that marks `sending`, given back where nothing was sent.

A counter is one row with what was spent in each part of the limit's time, so that a check counts no messages. What a
call was counted to stands beside it until that time is over: only who finds it gives it back, and only once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec

from gateway.domain.ids import DeliveryId
from gateway.domain.instants import to_micros
from gateway.domain.recipients import Recipient
from gateway.domain.spending import NOTHING, Buckets, Charge, ComplaintLimit, Spent
from gateway.domain.values import replace
from gateway.policy.spending import Spending
from gateway.ports import Claim, Reservation, Step, StoredFacts
from gateway.storage import tables
from gateway.storage.documents import dump
from gateway.storage.engines.driver import Driver, Engine, each_key
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.queue.caps import take_slots

_FIND: Final = (
    "WITH k AS ({keys}) SELECT t.counter, t.buckets FROM k CROSS JOIN spending_counters t WHERE t.counter = k.column1"
)
_FIND_BETWEEN: Final = (
    "SELECT counter, buckets FROM spending_counters WHERE counter >= ? AND counter < ? ORDER BY counter LIMIT ?"
)
_MOST: Final = 10_000
_keep: Final = Insert(
    tables.spending_counters,
    # What a clock that is behind counts brings its end no nearer.
    suffix=" ON CONFLICT (counter) DO UPDATE SET buckets = excluded.buckets, expires_at ="
    " CASE WHEN excluded.expires_at > spending_counters.expires_at THEN excluded.expires_at"
    " ELSE spending_counters.expires_at END",
)
_note: Final = Insert(
    tables.charges,
    suffix=" ON CONFLICT (delivery_id, attempt) DO UPDATE"
    " SET charges = excluded.charges, expires_at = excluded.expires_at",
)
_CHARGES: Final = (
    "WITH k AS ({keys}) SELECT t.delivery_id, t.attempt, t.charges FROM k CROSS JOIN charges t"
    " WHERE t.delivery_id = k.column1"
)
_DROP: Final = "DELETE FROM charges WHERE delivery_id = ? AND attempt = ?"
_CHANGE: Final = "UPDATE spending_counters SET buckets = ? WHERE counter = ?"
_WAITING: Final = (
    "SELECT d.id FROM messages JOIN deliveries d ON d.message_id = messages.id"  # noqa: S608 - our own words
    f" WHERE messages.status = 'held' AND {tables.RARE_STATUS} AND d.status = 'held' AND d.reason = '{Spending.reason}'"
    " AND d.due_at > ? AND d.lease_owner IS NULL ORDER BY messages.created_at, messages.id LIMIT ?"
)
_LOOK_AGAIN: Final = {
    Engine.SQLITE: f"UPDATE deliveries SET due_at = ? WHERE id IN ({_WAITING})",  # noqa: S608 - our own words
    # What somebody has in hand is decided anew, or gone: it is not waited for.
    Engine.POSTGRESQL: "UPDATE deliveries SET due_at = ? WHERE id = ANY"  # noqa: S608 - our own words
    f" (ARRAY({_WAITING} FOR NO KEY UPDATE OF d SKIP LOCKED))",
}
_NAMES: Final = "SELECT id, name FROM services WHERE id IN ({keys})"
_CLOCKS_DIFFER: Final = 3_600_000_000
"""By how many microseconds machines may disagree: what counts for nothing any more is kept for as long."""
_load_buckets: Final = msgspec.json.Decoder(dict[int, Spent]).decode


class _Noted(msgspec.Struct, frozen=True, array_like=True):
    """What a call was counted to: `[counter, bucket, spent]`."""

    counter: str
    bucket: int
    spent: Spent


_load_noted: Final = msgspec.json.Decoder(list[_Noted]).decode
Call = tuple[DeliveryId, int]
"""A delivery, and the number of the attempt."""


class Spenders(Protocol):
    """Which counters a decision looks at; none where no limit is set, and then nothing is read."""

    @property
    def complaints(self) -> ComplaintLimit | None:
        """When complaints stop marketing e-mail; None where they are not counted."""

    def counters_for(self, claim: Claim, recipient: Recipient | None, service: str) -> Collection[str]:
        """Those of the limits that speak of a delivery to the person as kept."""

    def counters_within(self, claims: Iterable[Claim]) -> tuple[str, str] | None:
        """Further ones: from the first name until just before the second; None where none are needed."""


async def take_all(driver: Driver, reservations: Sequence[Reservation]) -> set[DeliveryId]:
    """Take what each reservation needs, slots under caps and room under limits on spending, or nothing; the
    deliveries that found one of them used up."""
    charged = [reservation for reservation in reservations if reservation.charges]
    if not charged:
        return await take_slots(driver, reservations)
    over = await take_charges(driver, charged)
    within = [reservation for reservation in reservations if reservation.claim.delivery.id not in over]
    capped = await take_slots(driver, within)
    await give_back_charges(driver, [_call(one) for one in charged if one.claim.delivery.id in capped])
    return over | capped


async def take_charges(driver: Driver, reservations: Sequence[Reservation]) -> set[DeliveryId]:
    """Count every charge of each reservation, or none of them; the deliveries that are over a limit."""
    names = {charge.counter for reservation in reservations for charge in reservation.charges}
    counters = await _locked(driver, names)
    refused: set[DeliveryId] = set()
    kept_until: dict[str, datetime] = {}
    notes: list[Row] = []
    for reservation in reservations:
        delivery_id, number = _call(reservation)
        if any(_is_over(counters[charge.counter], charge) for charge in reservation.charges):
            refused.add(delivery_id)
            continue
        for charge in reservation.charges:
            counters[charge.counter] = _counted(counters[charge.counter], charge)
            kept_until[charge.counter] = max(kept_until.get(charge.counter, charge.kept_until), charge.kept_until)
        noted = dump([_Noted(charge.counter, charge.bucket, charge.spent) for charge in reservation.charges])
        until = max(charge.kept_until for charge in reservation.charges)
        notes.append((delivery_id, number, noted, to_micros(until)))
    rows = [(name, dump(counters[name]), to_micros(until)) for name, until in sorted(kept_until.items())]
    await driver.insert_all((_keep, rows), (_note, notes))
    return refused


async def count_on(driver: Driver, charges: Sequence[Charge]) -> None:
    """Count what no call stands behind, such as complaints."""
    if not charges:
        return
    counters = await _locked(driver, {charge.counter for charge in charges})
    for charge in charges:
        counters[charge.counter] = _counted(counters[charge.counter], charge)
    until = {charge.counter: to_micros(charge.kept_until) for charge in charges}
    await driver.insert_all((_keep, [(name, dump(counters[name]), at) for name, at in sorted(until.items())]))


async def refund(driver: Driver, steps: Sequence[Step]) -> None:
    """Give back what the calls of these steps were counted to; their deliveries must be locked."""
    await give_back_charges(driver, [(one.claim.delivery.id, one.claim.delivery.attempts + 1) for one in steps])


async def give_back_charges(driver: Driver, calls: Sequence[Call]) -> None:
    """Take off what each of these calls was counted to, as far as it still stands."""
    if not calls:
        return
    wanted = set(calls)
    found = [
        ((delivery_id, attempt), _load_noted(charges))
        for delivery_id, attempt, charges in await driver.select_in(_CHARGES, each_key(one for one, _ in calls))
        if (delivery_id, attempt) in wanted
    ]
    noted = [note for _, notes in found for note in notes]
    counters = await _locked(driver, {note.counter for note in noted})
    for note in noted:
        counters[note.counter] = _taken_off(counters[note.counter], note)
    changed = sorted({note.counter for note in noted})
    await driver.execute_many(_CHANGE, [(dump(counters[name]), name) for name in changed])
    await driver.execute_many(_DROP, [call for call, _ in found])


async def look_again_at_held(driver: Driver, count: int, now: int) -> int:
    """Have so many of those decided again at once that are held for want of room; how many there were."""
    return await driver.execute(_LOOK_AGAIN[driver.engine], (now, now, count))


class Refunds:
    """How many calls were given back of late by this process.

    A hold may be written just after the look for it: what was given back before the last look counts once more.
    """

    def __init__(self) -> None:
        self._new = 0
        self._looked_for = 0

    def note(self, steps: Iterable[Step]) -> None:
        """These were recorded."""
        self._new += sum(step.refunds for step in steps)

    def take(self) -> int:
        """How many to look for."""
        count, self._looked_for, self._new = self._new + self._looked_for, self._new, 0
        return count


async def read_spent(
    driver: Driver,
    claims: Sequence[Claim],
    found: Mapping[DeliveryId, StoredFacts],
    spenders: Spenders,
    names: dict[str, str],
) -> Mapping[DeliveryId, StoredFacts]:
    """The facts of the claims with the name of each one's service, and what was spent that may speak against it.

    `names` remembers the services: none is ever renamed.
    """
    await _learn_names(driver, claims, names)
    wanted = {
        claim.delivery.id: spenders.counters_for(claim, found[claim.delivery.id].recipient, _name(claim, names))
        for claim in claims
    }
    rows = await driver.select_in(_FIND, each_key(name for counters in wanted.values() for name in counters))
    counters = {name: _load_buckets(buckets) for name, buckets in rows}
    bounds = spenders.counters_within(claims)
    common = {} if bounds is None else await find_between(driver, *bounds, _MOST)
    return {
        claim.delivery.id: replace(
            found[claim.delivery.id],
            service=_name(claim, names),
            spent={
                **common,
                **{name: counters[name] for name in wanted[claim.delivery.id] if name in counters},
            },
        )
        for claim in claims
    }


async def find_between(driver: Driver, first: str, end: str, most: int) -> Mapping[str, Buckets]:
    """The counters from one name until just before another."""
    rows = await driver.fetch(_FIND_BETWEEN, (first, end, most))
    return {name: _load_buckets(buckets) for name, buckets in rows}


async def _learn_names(driver: Driver, claims: Sequence[Claim], names: dict[str, str]) -> None:
    unknown = each_key(claim.message.service_id for claim in claims if claim.message.service_id not in names)
    names.update({row[0]: row[1] for row in await driver.select_in(_NAMES, unknown)})


def _name(claim: Claim, names: Mapping[str, str]) -> str:
    return names.get(claim.message.service_id, claim.message.service_id)


def _call(reservation: Reservation) -> Call:
    return reservation.claim.delivery.id, reservation.attempt.number


async def _locked(driver: Driver, names: Collection[str]) -> dict[str, Buckets]:
    """These counters, nobody else's until the transaction ends."""
    await driver.lock([f"spending:{name}" for name in sorted(names)])
    known = {name: _load_buckets(buckets) for name, buckets in await driver.select_in(_FIND, each_key(names))}
    return {name: known.get(name, {}) for name in names}


def _is_over(buckets: Buckets, charge: Charge) -> bool:
    total = charge.spent
    for start, spent in buckets.items():
        if start >= charge.counted_from:
            total = total.plus(spent)
    return (charge.messages is not None and total.messages > charge.messages) or (
        charge.cost is not None and total.cost > charge.cost
    )


def _counted(buckets: Buckets, charge: Charge) -> Buckets:
    """With the charge, and without what is of no use any more."""
    by_now = charge.counted_from - _CLOCKS_DIFFER
    # By another clock the part before may still last: of a day, a week or a month it begins long before.
    since = max((start for start in buckets if start < charge.counted_from), default=by_now)
    kept = {start: spent for start, spent in buckets.items() if start >= min(since, by_now)}
    return {**kept, charge.bucket: kept.get(charge.bucket, NOTHING).plus(charge.spent)}


def _taken_off(buckets: Buckets, note: _Noted) -> Buckets:
    if note.bucket not in buckets:
        return buckets
    return {**buckets, note.bucket: buckets[note.bucket].minus(note.spent)}
