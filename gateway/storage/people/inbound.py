"""Texts that came in: each kept once, in one transaction with all that follows from it."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from gateway.domain.audit import RECIPIENT, AuditAction, AuditEntry, By, make_entry
from gateway.domain.ids import DeliveryId, InboundId, RecipientId, ServiceId
from gateway.domain.inbound import InboundText
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.preferences import BY_TEXT, Suppression, SuppressionReason
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import replace
from gateway.ports import Acquaintance, InboundQuery, Intake, Page
from gateway.storage import tables
from gateway.storage.columns import stored
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.documents import dump, load
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.people.suppressions import address_lock, suppress
from gateway.storage.queue.accept import accept_within
from gateway.storage.queue.facts import find_suppressions
from gateway.storage.reading.records import load_records
from gateway.storage.tracking.reader_events import tell
from gateway.storage.upkeep.audit import write_audit

_insert: Final = Insert(tables.inbound, suffix=" ON CONFLICT DO NOTHING RETURNING id")
_LAST: Final = (
    "SELECT id, message_id FROM deliveries WHERE address = ? AND channel = ? ORDER BY created_at DESC LIMIT 1"
)
_OWNERS: Final = {
    Channel.SMS: "SELECT service_id, id, locale FROM recipients WHERE phone = ? ORDER BY updated_at DESC LIMIT 1",
    Channel.EMAIL: "SELECT service_id, id, locale FROM recipients WHERE email = ? ORDER BY updated_at DESC LIMIT 1",
}
_LOCALE: Final = "SELECT locale FROM recipients WHERE service_id = ? AND id = ?"
_HANDLED: Final = "UPDATE inbound SET handled = ? WHERE id = ?"


class Inbounds:
    """Implements ports.InboundStore."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._database = database
        self._pseudonyms = pseudonyms

    async def acquaintance(self, channel: Channel, address: str) -> Acquaintance | None:
        """Whom we last wrote to there, else who has that address; None for a stranger."""
        return await self._database.lookups.run(lambda driver: _acquaintance(driver, channel, address))

    async def take_in(self, intake: Intake) -> InboundText | None:
        """Keep a text and do what follows, durably; as it is kept, or None for one that was told before."""
        return await self._database.writer.run(lambda driver: _take_in(driver, intake, self._pseudonyms))

    async def list_inbound(self, query: InboundQuery) -> Page[InboundText]:
        """Those that match, newest first."""
        table = tables.inbound
        select = sa.select(*stored(table)).order_by(table.c.at.desc(), table.c.id.desc())
        if query.meaning is not None:
            select = select.where(table.c.kind == query.meaning)
        if query.sender is not None:
            # The channel stands first in the index.
            select = select.where(table.c.channel.in_([*map(str, Channel)]), table.c.sender == query.sender)
        if query.cursor is not None:
            select = select.where(older_than(query.cursor, table.c.at, table.c.id))
        async with self._database.reader.connect() as connection:
            rows = (await connection.execute(select.limit(query.limit + 1))).all()
        items = tuple(text_of(tuple(row)) for row in rows[: query.limit])
        more = len(rows) > query.limit
        return Page(items=items, next_cursor=cursor_at(items[-1].at, items[-1].id) if more else None)


async def _acquaintance(driver: Driver, channel: Channel, address: str) -> Acquaintance | None:
    for delivery_id, message_id in await driver.fetch(_LAST, (address, channel.value)):
        message = (await load_records(driver, [message_id]))[0].message
        known = await driver.fetch(_LOCALE, (message.service_id, message.to.id or ""))
        read = [locale for (locale,) in known if locale]
        return Acquaintance(
            service_id=message.service_id,
            recipient_id=message.to.id,
            locale=message.to.locale or next(iter(read), message.locale),
            live=message.live,
            last=message,
            delivery_id=DeliveryId(delivery_id),
        )
    for service_id, recipient_id, locale in await driver.fetch(_OWNERS[channel], (address,)):
        return Acquaintance(
            service_id=ServiceId(service_id),
            recipient_id=RecipientId(recipient_id),
            locale=locale,
            live=True,
            last=None,
            delivery_id=None,
        )
    return None


async def _take_in(driver: Driver, intake: Intake, pseudonyms: Pseudonyms) -> InboundText | None:
    text = intake.text
    if not await driver.insert(_insert, [_row(text)]):
        return None
    handled: dict[str, JsonValue] = {**text.handled}
    changed, asks_change = False, intake.suppression is not None or intake.lifts
    if intake.suppression is not None:
        standing = await suppress(driver, intake.suppression, pseudonyms)
        handled["suppression_id"] = standing.id
        # Whoever has left already got the answer then; another would be one text too many.
        changed = standing.id == intake.suppression.id
    if intake.lifts:
        lifted = await _lift(driver, text, pseudonyms)
        handled["lifted"] = [*lifted]
        changed = bool(lifted)
    if intake.reply is not None and (changed or not asks_change):
        await accept_within(driver, [intake.reply])
        handled["reply"] = intake.reply.message.id
    kept = replace(text, handled=handled)
    await driver.execute(_HANDLED, (dump(handled), text.id))
    await tell(driver, [intake.replied, intake.changed if changed else None])
    return kept


async def _lift(driver: Driver, text: InboundText, pseudonyms: Pseudonyms) -> Sequence[str]:
    """Take back what texts from this address suppressed; complaints, bounces and people's hands are not its to lift."""
    await driver.lock([address_lock(text.channel.value, text.sender)])
    address = (text.channel.value, text.sender)
    found = (await find_suppressions(driver, (address,), pseudonyms)).get(address, ())
    stops = [one for one in found if one.reason is SuppressionReason.STOP]
    lifted = [one for one in stops if (one.evidence or {}).get("by") == BY_TEXT]
    if not lifted:
        return ()
    await driver.execute_many("DELETE FROM suppressions WHERE id = ?", [(one.id,) for one in lifted])
    await write_audit(driver, [_entry(one, text) for one in lifted])
    return [one.id for one in lifted]


def _entry(lifted: Suppression, text: InboundText) -> AuditEntry:
    by = By(actor=RECIPIENT, reason="asked for by text")
    told: dict[str, JsonValue] = {
        "channel": lifted.channel.value,
        "reason": lifted.reason.value,
        "scope": lifted.scope,
        "inbound_id": text.id,
    }
    return make_entry(AuditAction.LIFT, lifted.id, by, text.at, told)


def _row(text: InboundText) -> Row:
    return (
        text.id,
        text.provider,
        text.event_id,
        text.channel.value,
        text.sender,
        text.recipient,
        text.text,
        text.meaning,
        to_micros(text.at),
        dump(text.handled),
    )


def text_of(row: Row) -> InboundText:
    """The text of a row."""
    inbound_id, provider, event_id, channel, sender, recipient, text, meaning, at, handled = row
    return InboundText(
        id=InboundId(inbound_id),
        provider=provider,
        event_id=event_id,
        channel=Channel(channel),
        sender=sender,
        recipient=recipient,
        text=text,
        meaning=meaning,
        at=from_micros(at),
        handled={} if handled is None else load(handled),
    )
