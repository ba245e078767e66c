"""What belongs to a person, wherever it lies: for those who give it out and for those who erase it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.domain.ids import MessageId, RecipientId, ServiceId
from gateway.domain.inbound import InboundText
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, comparable
from gateway.errors import NotFound
from gateway.ports.belongings import Belonging, UsedSlots
from gateway.storage.columns import names
from gateway.storage.documents import dump, load, recipient_of
from gateway.storage.engines.driver import Driver, Engine
from gateway.storage.engines.engine import Database
from gateway.storage.people.inbound import text_of
from gateway.storage.queue.counters import counters_under
from gateway.storage.queue.facts import find_people
from gateway.storage.tables import inbound

PORTION: Final = 5_000
"""So many messages are looked through in one statement."""
AT: Final = {Engine.SQLITE: "instr", Engine.POSTGRESQL: "strpos"}
"""Where a text stands in another one, from 1; 0 where it does not."""
_INLINE: Final = (
    "SELECT DISTINCT CAST(recipient AS TEXT) AS recipient FROM messages WHERE recipient_id = ? AND service_id = ?"
)
_TRIED: Final = (
    "SELECT DISTINCT d.channel, d.address FROM messages m JOIN deliveries d ON d.message_id = m.id"
    " WHERE m.recipient_id = ? AND m.service_id = ? AND d.address IS NOT NULL"
)
_SPOKE: Final = "SELECT 1 FROM consents WHERE service_id = ? AND recipient_id = ? LIMIT 1"
_BOUND: Final = "SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
_TEXTS: Final = f"SELECT {names(inbound)} FROM inbound WHERE channel = ? AND sender = ? ORDER BY at"  # noqa: S608


class Belongings:
    """Implements ports.BelongingsStore."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._reader = database.reader
        self._pseudonyms = pseudonyms

    async def belonging(self, service_id: ServiceId, recipient_id: RecipientId) -> Belonging:
        """Whom a service means by an id. Raises NotFound."""

        async def look(driver: Driver) -> Belonging:
            whose = await find_belonging(driver, service_id, recipient_id)
            if whose is None:
                raise NotFound(f"There is no recipient {recipient_id}.")
            return whose

        return await self._reader.run(look)

    async def messages_of(self, whose: Belonging, after: str) -> tuple[Sequence[MessageId], str | None]:
        """Their messages among the next few thousand after an id, and where to go on."""

        async def look(driver: Driver) -> tuple[Sequence[MessageId], str | None]:
            until = await bound_after(driver, after)
            return await find_messages(driver, whose, after, until, named=True), until

        return await self._reader.run(look)

    async def texts_of(self, whose: Belonging) -> Sequence[InboundText]:
        """What came in from their addresses."""

        async def look(driver: Driver) -> Sequence[InboundText]:
            rows = [row for address in whose.addresses for row in await driver.fetch(_TEXTS, address)]
            return [text_of(row) for row in {row[0]: row for row in rows}.values()]

        return await self._reader.run(look)

    async def slots_of(self, whose: Belonging) -> Sequence[UsedSlots]:
        """What was counted for them, by id and by address."""
        spelled = {(channel, comparable(Channel(channel), address)) for channel, address in whose.addresses}
        subjects = [
            self._pseudonyms.of_person(whose.service_id, whose.recipient_id),
            *(self._pseudonyms.of_address(*address) for address in sorted(spelled)),
        ]
        counters = await self._reader.run(lambda driver: counters_under(driver, subjects))
        return [
            UsedSlots(cap=cap, slots=tuple([from_micros(at) for at in counter.slots.at]))
            for subject in sorted(counters)
            for cap, counter in sorted(counters[subject].items())
        ]


async def find_belonging(driver: Driver, service_id: ServiceId, recipient_id: RecipientId) -> Belonging | None:
    """Whom a service means by an id, with every address by which the person was ever written to or known."""
    person = (service_id, recipient_id)
    kept = list((await find_people(driver, (person,))).values())
    inline = [recipient_of(load(text)) for (text,) in await driver.fetch(_INLINE, (recipient_id, service_id))]
    if not kept and not inline and not await driver.fetch(_SPOKE, person):
        return None
    known = {
        (channel.value, address)
        for one in (*kept, *inline)
        for channel in Channel
        for address in one.addresses(channel)
    }
    known |= {(channel, address) for channel, address in await driver.fetch(_TRIED, (recipient_id, service_id))}
    # SQLite knows only ASCII's upper and lower case.
    known |= {(channel, comparable(Channel(channel), address)) for channel, address in known}
    return Belonging(service_id=service_id, recipient_id=recipient_id, addresses=tuple(sorted(known)))


async def bound_after(driver: Driver, after: str) -> str | None:
    """The last message of the portion that begins after an id; None for the last portion."""
    return next((row[0] for row in await driver.fetch(_BOUND, (after, PORTION - 1))), None)


async def find_messages(
    driver: Driver,
    whose: Belonging,
    after: str,
    until: str | None,
    *,
    named: bool = False,
    accepted_until: datetime | None = None,
) -> list[MessageId]:
    """Of a portion the messages without an id that go to one of the addresses, and those that are `named` by theirs."""
    holds = [f"{AT[driver.engine]}(lower(CAST(recipient AS TEXT)), lower(CAST(? AS TEXT))) > 0"] * len(whose.addresses)
    theirs = [f"(recipient_id IS NULL AND ({' OR '.join(holds)}))"] if holds else []
    parameters: list[str | int] = [in_json(address) for _, address in whose.addresses]
    if named:
        theirs.append("recipient_id = ?")
        parameters.append(whose.recipient_id)
    if not theirs:
        return []
    limits: list[str | int] = [after, whose.service_id]
    ends = ""
    if until is not None:
        ends += " AND id <= ?"
        limits.append(until)
    if accepted_until is not None:
        ends += " AND created_at <= ?"
        limits.append(to_micros(accepted_until))
    query = (
        f"SELECT id FROM messages WHERE id > ? AND service_id = ?{ends}"  # noqa: S608 - our own names
        f" AND ({' OR '.join(theirs)}) ORDER BY id"
    )
    return [row[0] for row in await driver.fetch(query, (*limits, *parameters))]


def in_json(text: str) -> str:
    """The text as it stands inside a JSON string."""
    return dump(text)[1:-1]
