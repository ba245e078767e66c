"""Receipts: each kept once, and in the same transaction all that follows from it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from gateway.domain.ids import RECEIPT, AttemptId, DeliveryId, make_id
from gateway.domain.instants import to_micros
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.receipts import Receipt
from gateway.domain.spending import ComplaintLimit
from gateway.domain.tracking import attempt_of_receipt, due_after
from gateway.domain.values import Value, replace
from gateway.policy.spending import complaint_of
from gateway.ports import HandedOver, Hearing, Telling
from gateway.storage import tables
from gateway.storage.columns import micros_or_none
from gateway.storage.documents import dump, load_receipt
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.engine import Database
from gateway.storage.engines.locks import locked
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.events import write_events
from gateway.storage.people.ledger import append_news
from gateway.storage.people.suppressions import address_lock_of, suppress
from gateway.storage.queue.spending import count_on
from gateway.storage.queue.standing import forget_secrets, refresh_status
from gateway.storage.tracking.consequences import Effects, Kept, hear
from gateway.storage.tracking.tracking import Tracked, forget_words, load_tracked

_insert: Final = Insert(tables.receipts, suffix=" ON CONFLICT DO NOTHING RETURNING id")
_HANDED_OVER: Final = (
    "SELECT d.address, a.id, a.provider FROM deliveries d JOIN attempts a ON a.delivery_id = d.id"
    " WHERE d.id = ? ORDER BY a.number"
)
_BY_MESSAGE_ID: Final = "SELECT id FROM deliveries WHERE provider_message_id IN ({keys})"
_LOCKED: Final = locked("SELECT id FROM deliveries WHERE id IN ({keys})")
_ASSIGN: Final = "UPDATE receipts SET delivery_id = ?, attempt = ? WHERE id = ? AND delivery_id IS NULL"
_MOVE: Final = (
    "UPDATE deliveries SET status = ?, own_status = ?, reason = ?, due_at = ?, not_before = NULL, updated_at = ?"
    " WHERE id = ?"
)
_MOVE_TO_SENT: Final = (
    "UPDATE deliveries SET status = ?, own_status = ?, reason = ?, due_at = coalesce(?, due_at), not_before = NULL,"
    " updated_at = ? WHERE id = ?"
)
"""Whoever was to look after it has that to do still: a receipt that follows may be lost."""
_KNOWN_AS: Final = "UPDATE deliveries SET provider_message_id = ? WHERE id = ? AND provider_message_id IS NULL"
_PARKED: Final = (
    "SELECT r.id, r.provider, r.receipt FROM receipts r WHERE r.delivery_id IS NULL AND r.at >= ? AND EXISTS"
    " (SELECT 1 FROM deliveries d WHERE d.provider_message_id = r.provider_message_id AND d.provider = r.provider)"
    " ORDER BY r.at LIMIT ?"
)
_PORTION: Final = 500


class _Look(Value, frozen=True, kw_only=True):
    """A look for parked receipts whose call is known by now."""

    now: datetime
    since: datetime


class Receipts:
    """Implements ports.ReceiptStore."""

    def __init__(
        self,
        database: Database,
        commit: GroupCommit,
        pseudonyms: Pseudonyms,
        complaints: ComplaintLimit | None = None,
    ) -> None:
        self._reader = database.reader
        self._commit = commit
        self._pseudonyms = pseudonyms
        self._complaints = complaints

    async def handed_over(self, delivery_id: DeliveryId) -> HandedOver | None:
        """To whom a delivery was given; None for one that is not kept or was given to nobody."""
        rows = await self._reader.run(lambda driver: driver.fetch(_HANDED_OVER, (delivery_id,)))
        if not rows:
            return None
        return HandedOver(address=rows[0][0], calls=tuple((AttemptId(row[1]), row[2]) for row in rows))

    async def take_in(self, telling: Telling) -> Hearing:
        """Keep what was told and let it act, durably. Raises Unavailable, and Overloaded when too much waits."""
        return await self._commit.write(self._take_in_all, telling)

    async def match_parked(self, now: datetime, since: datetime) -> Hearing:
        """Let those act that were parked since then and whose call is known by now."""
        return await self._commit.write(self._match_all, _Look(now=now, since=since))

    async def _take_in_all(self, driver: Driver, tellings: Sequence[Telling]) -> Sequence[Hearing]:
        """All calls at once: of what several tell the first is heard."""
        offered = {
            (telling.provider, receipt.event_id): (telling, receipt)
            for telling in reversed(tellings)
            for receipt in reversed(telling.receipts)
        }
        rows = [_row(telling, receipt) for _, (telling, receipt) in sorted(offered.items(), key=lambda item: item[0])]
        new = {row[0] for row in await driver.insert(_insert, rows)}
        ids = {(row[1], row[2]): row[0] for row in rows if row[0] in new}
        kept = [
            Kept(id=ids[key], provider=telling.provider, receipt=receipt)
            # As they were told, so that the timeline reads in that order.
            for key, (telling, receipt) in reversed(offered.items())
            if key in ids
        ]
        now = max(telling.at for telling in tellings)
        heard = await self._let_act(driver, kept, now)
        return [
            _sum([heard.pop(ids.get((telling.provider, receipt.event_id), ""), _AGAIN) for receipt in telling.receipts])
            for telling in tellings
        ]

    async def _match_all(self, driver: Driver, looks: Sequence[_Look]) -> Sequence[Hearing]:
        look = looks[0]
        rows = await driver.fetch(_PARKED, (to_micros(look.since), _PORTION))
        kept = [Kept(id=row[0], provider=row[1], receipt=load_receipt(row[2])) for row in rows]
        heard = await self._let_act(driver, kept, look.now)
        return [_sum(list(heard.values())), *(Hearing() for _ in looks[1:])]

    async def _let_act(self, driver: Driver, kept: Sequence[Kept], now: datetime) -> dict[str, Hearing]:
        """Find the calls that receipts speak of and do what follows; what each came to, by its id."""
        if not kept:
            return {}
        tracked = await _track(driver, kept)
        effects = Effects(now=now)
        assigned: list[Row] = []
        before = {delivery_id: one.delivery.status for delivery_id, one in tracked.items()}
        for one in kept:
            found = _find(one, tracked)
            if found is None:
                effects.heard[one.id] = Hearing(new=1, parked=1)
                continue
            of, number = found
            assigned.append((of.delivery.id, number, one.id))
            # Of whom was erased nothing is kept that might be read.
            told = replace(one, receipt=replace(one.receipt, detail=None)) if of.is_erased else one
            hear(told, of, number, effects)
        moved = [one for key, one in tracked.items() if one.delivery.status is not before[key]]
        # Locks in the order of every other write: deliveries (above), addresses, spending, messages, the ledger.
        await driver.lock([address_lock_of(one) for one in effects.suppressions])
        if self._complaints is not None:
            await count_on(driver, [complaint_of(domain, self._complaints.per, now) for domain in effects.complaints])
        await driver.execute_many(_ASSIGN, assigned)
        await forget_words(driver, [(key,) for key, one in tracked.items() if one.is_erased])
        for is_taken, move in ((True, _MOVE_TO_SENT), (False, _MOVE)):
            rows = [_move_row(one, now) for one in moved if (one.delivery.status is DeliveryStatus.SENT) is is_taken]
            await driver.execute_many(move, rows)
        await driver.execute_many(_KNOWN_AS, [row for one in tracked.values() for row in _known_as(one)])
        await write_events(driver, effects.events)
        for suppression in effects.suppressions:
            await suppress(driver, suppression, self._pseudonyms)
        messages = [one.message.id for one in moved]
        await refresh_status(driver, messages)
        await forget_secrets(driver, messages)
        await append_news(driver, self._pseudonyms.of_person, effects.consents)
        return effects.heard


_AGAIN: Final = Hearing(repeated=1)


def _sum(heard: Sequence[Hearing]) -> Hearing:
    return Hearing(
        new=sum(one.new for one in heard),
        repeated=sum(one.repeated for one in heard),
        parked=sum(one.parked for one in heard),
        moved=tuple(moved for one in heard for moved in one.moved),
        anomalies=tuple(found for one in heard for found in one.anomalies),
        due=any(one.due for one in heard),
    )


def _row(telling: Telling, receipt: Receipt) -> Row:
    return (
        make_id(RECEIPT, telling.at),
        telling.provider,
        receipt.event_id,
        None,
        None,
        receipt.provider_message_id,
        dump(receipt),
        to_micros(telling.at),
    )


async def _track(driver: Driver, kept: Sequence[Kept]) -> dict[str, Tracked]:
    """The deliveries that the receipts may speak of, theirs alone until the transaction ends; those found by the
    provider's own id are known by that, too."""
    named = {one.receipt.delivery_id for one in kept if one.receipt.delivery_id is not None}
    unnamed = [
        one.receipt.provider_message_id
        for one in kept
        if one.receipt.delivery_id is None and one.receipt.provider_message_id is not None
    ]
    for (delivery_id,) in await driver.select_in(_BY_MESSAGE_ID, each_key(unnamed)):
        named.add(delivery_id)
    keys = each_key(named)
    await driver.select_in(_LOCKED[driver.engine], keys)
    return await load_tracked(driver, [row[0] for row in keys])


def _find(one: Kept, tracked: Mapping[str, Tracked]) -> tuple[Tracked, int] | None:
    receipt = one.receipt
    if receipt.delivery_id is not None:
        candidates = [tracked[receipt.delivery_id]] if receipt.delivery_id in tracked else []
    else:
        candidates = [
            of for of in tracked.values() if of.delivery.provider_message_id == receipt.provider_message_id is not None
        ]
    for of in candidates:
        attempt = attempt_of_receipt(of.attempts, one.provider, receipt)
        if attempt is not None:
            return of, attempt.number
    return None


def _move_row(of: Tracked, now: datetime) -> Row:
    delivery = of.delivery
    own = None if of.own is delivery.status else of.own.value
    due = micros_or_none(due_after(delivery.status, of.message, delivery.channel, now))
    return (delivery.status.value, own, delivery.reason, due, to_micros(now), delivery.id)


def _known_as(of: Tracked) -> list[Row]:
    known = next((receipt.provider_message_id for _, receipt in of.told if receipt.provider_message_id), None)
    return [] if known is None or of.delivery.provider_message_id else [(known, of.delivery.id)]
