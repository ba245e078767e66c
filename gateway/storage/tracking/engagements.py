"""Opens, clicks and conversions: kept beside the message, told in its timeline, and never without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.engagement import Conversion, Engagement, EngagementKind, Look, Maker, followed_together, judge
from gateway.domain.ids import ENGAGEMENT, DeliveryId, EngagementId, MessageId, make_id
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.preferences import Category
from gateway.domain.values import replace
from gateway.errors import Conflict, NotFound
from gateway.storage import tables
from gateway.storage.columns import instant_or_none, names
from gateway.storage.documents import dump, load
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.engine import Database
from gateway.storage.engines.locks import locked
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.events import write_events
from gateway.storage.rows import event_row
from gateway.storage.tracking.engagement_events import event_of

_MOST: Final = 20
"""Of one kind by one maker for a delivery: whoever has the link could otherwise fill the store."""

_insert: Final = Insert(tables.engagements)
_COLUMNS: Final = names(tables.engagements)
_MESSAGES_OF: Final = "SELECT message_id FROM deliveries WHERE id IN ({keys})"
_KEPT: Final = locked("SELECT id FROM messages WHERE id IN ({keys}) AND CAST(recipient AS TEXT) <> '{{}}'")
"""Messages that were not erased; erasing waits for whoever has them."""
_SENT: Final = (
    "SELECT d.id, d.message_id, d.channel, m.category,"
    " (SELECT max(a.started_at) FROM attempts a WHERE a.delivery_id = d.id)"
    " FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.message_id IN ({keys})"
)
_OF_MESSAGES: Final = f"SELECT {_COLUMNS} FROM engagements WHERE message_id IN ({{keys}})"  # noqa: S608 - our own names
_OF_MESSAGE: Final = f"SELECT {_COLUMNS} FROM engagements WHERE message_id = ? ORDER BY at, id"  # noqa: S608 - our own
_TOLD_BEFORE: Final = f"SELECT {_COLUMNS} FROM engagements WHERE told_as = ?"  # noqa: S608 - our own names
_JUDGE_ANEW: Final = "UPDATE engagements SET made_by = ? WHERE id = ?"
_OWNED: Final = "SELECT id FROM messages WHERE id = ? AND service_id = ?"
_OWNER: Final = (
    "SELECT m.id FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.id = ? AND m.service_id = ?"
)
_LAST_CLICK: Final = (
    "SELECT e.message_id FROM engagements e JOIN messages m ON m.id = e.message_id"
    " WHERE m.service_id = ? AND m.recipient_id = ? AND e.kind = 'clicked' AND e.made_by = 'person'"
    " AND e.at >= ? AND e.at <= ? ORDER BY e.at DESC, e.id DESC LIMIT 1"
)
_CATEGORIES: Final = (
    "SELECT d.id, m.category FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.id IN ({keys})"
)
_COUNTS: Final = "SELECT kind, made_by, count(*) FROM engagements WHERE at >= ? GROUP BY kind, made_by"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A delivery, as far as it matters what is done with it."""

    id: str
    message_id: str
    channel: str
    category: str
    at: datetime | None
    """When its provider was called last; None where none was."""


@dataclass(slots=True, kw_only=True)
class _Round:
    """What one transaction comes to, collected before it is written."""

    sent: Mapping[str, _Sent]
    known: dict[str, list[Engagement]]
    """All that was done so far, by delivery."""
    new: dict[str, Engagement] = field(default_factory=dict)
    judged_anew: dict[str, Engagement] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)


class Engagements:
    """Implements ports.EngagementStore."""

    def __init__(self, database: Database, commit: GroupCommit) -> None:
        self._reader = database.reader
        self._writer = database.writer
        self._commit = commit

    async def look(self, look: Look) -> Engagement | None:
        """Keep a look at a message; None where nothing is kept."""
        return await self._commit.write(_look_all, look)

    async def convert(self, conversion: Conversion, within: timedelta) -> tuple[Engagement, bool]:
        """Tie a conversion to the message that led to it; False for one that was told before."""
        return await self._writer.run(lambda driver: _convert(driver, conversion, within))

    async def of_message(self, message_id: MessageId) -> Sequence[Engagement]:
        """All that was done with a message, oldest first."""
        rows = await self._reader.run(lambda driver: driver.fetch(_OF_MESSAGE, (message_id,)))
        return [_engagement_of(row) for row in rows]

    async def categories(self, delivery_ids: Sequence[DeliveryId]) -> Mapping[DeliveryId, Category]:
        """Of which category the message of each delivery is; those that are not kept are left out."""
        rows = await self._reader.run(lambda driver: driver.select_in(_CATEGORIES, each_key(delivery_ids)))
        return {DeliveryId(delivery_id): Category(category) for delivery_id, category in rows}

    async def counts(self, since: datetime) -> Mapping[tuple[EngagementKind, Maker], int]:
        """How many there were of each kind since then."""
        rows = await self._reader.run(lambda driver: driver.fetch(_COUNTS, (to_micros(since),)))
        return {(EngagementKind(kind), Maker(made_by)): number for kind, made_by, number in rows}


async def _look_all(driver: Driver, looks: Sequence[Look]) -> Sequence[Engagement | None]:
    found = await driver.select_in(_MESSAGES_OF, each_key(look.delivery_id for look in looks))
    kept = await driver.select_in(_KEPT[driver.engine], each_key(row[0] for row in found))
    round_ = _Round(sent=await _load_sent(driver, [row[0] for row in kept]), known={})
    for row in await driver.select_in(_OF_MESSAGES, each_key(row[0] for row in kept)):
        round_.known.setdefault(row[2], []).append(_engagement_of(row))
    answers = [_look(look, round_) for look in looks]
    await driver.insert(_insert, [_row(one, None) for one in round_.new.values()])
    await driver.execute_many(_JUDGE_ANEW, [(one.made_by.value, one.id) for one in round_.judged_anew.values()])
    await write_events(driver, round_.events)
    return [None if one is None else round_.new[one.id] for one in answers]


def _look(look: Look, round_: _Round) -> Engagement | None:
    of = round_.sent.get(look.delivery_id)
    if of is None or of.at is None or of.category not in look.among:
        return None
    earlier = round_.known.setdefault(of.id, [])
    together = followed_together(look, earlier)
    made_by = Maker.SCANNER if together else judge(look, of.at)
    mistaken = [one for one in together if one.made_by is Maker.PERSON]
    for one in mistaken:
        _put(round_, earlier, replace(one, made_by=Maker.SCANNER))
    if sum(one.kind is look.kind and one.made_by is made_by for one in earlier) >= _MOST:
        return None
    told = {"url": look.target, "method": look.method, "user_agent": look.user_agent, "purpose": look.purpose}
    engagement = Engagement(
        id=EngagementId(make_id(ENGAGEMENT, look.at)),
        message_id=MessageId(of.message_id),
        delivery_id=DeliveryId(of.id),
        kind=look.kind,
        made_by=made_by,
        at=look.at,
        data={name: value for name, value in told.items() if value},
    )
    round_.new[engagement.id] = engagement
    earlier.append(engagement)
    round_.events.append(event_row(event_of(engagement, of.channel, look.at, [one.id for one in mistaken])))
    return engagement


def _put(round_: _Round, earlier: list[Engagement], anew: Engagement) -> None:
    """Judge anew one that is kept already, or is about to be."""
    earlier[:] = [anew if one.id == anew.id else one for one in earlier]
    (round_.new if anew.id in round_.new else round_.judged_anew)[anew.id] = anew


async def _convert(driver: Driver, conversion: Conversion, within: timedelta) -> tuple[Engagement, bool]:
    told_as = None
    if conversion.reference is not None:
        told_as = dump((conversion.service_id, conversion.name, conversion.reference))
        await driver.lock([f"conversion:{told_as}"])
        for row in await driver.fetch(_TOLD_BEFORE, (told_as,)):
            return _engagement_of(row), False
    message_id, found_by = await _find(driver, conversion, within)
    if not await driver.select_in(_KEPT[driver.engine], [(message_id,)]):
        raise _absent()
    known = [_engagement_of(row) for row in await driver.fetch(_OF_MESSAGE, (message_id,))]
    of = _led(conversion, await _load_sent(driver, [message_id]), known)
    engagement = Engagement(
        id=EngagementId(make_id(ENGAGEMENT, conversion.told_at)),
        message_id=MessageId(message_id),
        delivery_id=DeliveryId(of.id),
        kind=EngagementKind.CONVERTED,
        made_by=Maker.PERSON,
        at=conversion.at,
        data={**conversion.data, "found_by": found_by},
    )
    await driver.insert(_insert, [_row(engagement, told_as)])
    await write_events(driver, [event_row(event_of(engagement, of.channel, conversion.told_at))])
    return engagement, True


async def _find(driver: Driver, conversion: Conversion, within: timedelta) -> tuple[str, str]:
    """The service's message that led to it, and by what it was found. Raises NotFound."""
    service = conversion.service_id
    if conversion.message_id is not None:
        found, by = await driver.fetch(_OWNED, (conversion.message_id, service)), "message"
    elif conversion.delivery_id is not None:
        found, by = await driver.fetch(_OWNER, (conversion.delivery_id, service)), "delivery"
    else:
        since, until = to_micros(conversion.at - within), to_micros(conversion.at)
        found, by = await driver.fetch(_LAST_CLICK, (service, conversion.recipient_id, since, until)), "click"
    if not found:
        raise _absent()
    return found[0][0], by


def _led(conversion: Conversion, sent: Mapping[str, _Sent], known: Sequence[Engagement]) -> _Sent:
    """The delivery of the message that led to it: the one that is named, else where a person clicked last, else the
    one that went last. Raises Conflict."""
    gone = {one.id: one for one in sent.values() if one.at is not None and one.at <= conversion.at}
    if conversion.delivery_id is not None:
        gone = {key: one for key, one in gone.items() if key == conversion.delivery_id}
    if not gone:
        raise Conflict("The message had not gone to a provider by then, and can have led to nothing.", "not_sent")
    clicks = [one for one in known if one.kind is EngagementKind.CLICKED and one.made_by is Maker.PERSON]
    clicked = [one.delivery_id for one in clicks if one.delivery_id in gone]
    return gone[clicked[-1]] if clicked else max(gone.values(), key=lambda one: (one.at, one.id))


async def _load_sent(driver: Driver, message_ids: Sequence[str]) -> dict[str, _Sent]:
    rows = await driver.select_in(_SENT, each_key(message_ids))
    return {
        delivery_id: _Sent(
            id=delivery_id, message_id=message_id, channel=channel, category=category, at=instant_or_none(at)
        )
        for delivery_id, message_id, channel, category, at in rows
    }


def _absent() -> NotFound:
    return NotFound("There is no message that led to it.")


def _row(one: Engagement, told_as: str | None) -> Row:
    told = dump(one.data)
    return (
        one.id,
        one.message_id,
        one.delivery_id,
        one.kind.value,
        one.made_by.value,
        to_micros(one.at),
        told,
        told_as,
    )


def _engagement_of(row: Row) -> Engagement:
    engagement_id, message_id, delivery_id, kind, made_by, at, data, _told_as = row
    return Engagement(
        id=EngagementId(engagement_id),
        message_id=MessageId(message_id),
        delivery_id=DeliveryId(delivery_id),
        kind=EngagementKind(kind),
        made_by=Maker(made_by),
        at=from_micros(at),
        data=load(data),
    )
