"""What readers say through the links in messages: each word with all that follows from it, in one transaction."""

from collections.abc import Sequence
from typing import Final

from gateway.domain.instants import to_micros
from gateway.domain.ledger import Naming
from gateway.domain.messages import Event
from gateway.domain.preferences import Suppression
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Recipient
from gateway.ports import ReaderChoice, Wished
from gateway.storage import tables
from gateway.storage.documents import dump
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Insert
from gateway.storage.people.ledger import append_news
from gateway.storage.people.person_rows import recipient_row
from gateway.storage.people.recipients import person_lock
from gateway.storage.people.suppressions import suppress_all
from gateway.storage.queue.holds import look_again
from gateway.storage.tracking.reader_events import tell

_insert_new: Final = Insert(
    tables.recipients, skip=frozenset({"preferences"}), suffix=" ON CONFLICT (service_id, id) DO NOTHING"
)
_WISH: Final = "UPDATE recipients SET preferences = ?, updated_at = ? WHERE service_id = ? AND id = ?"


class Readers:
    """Implements ports.ReaderStore."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._writer = database.writer
        self._pseudonyms = pseudonyms

    async def choose(self, choice: ReaderChoice) -> None:
        """Keep lines, wishes and events; lines that say what holds already are left out, and then nothing is told."""
        await self._writer.run(lambda driver: _choose(driver, choice, self._pseudonyms.of_person))

    async def leave(self, suppressions: Sequence[Suppression], event: Event) -> None:
        """Suppress the addresses; the event is told unless all of them were suppressed already."""

        async def keep(driver: Driver) -> None:
            standing = await suppress_all(driver, suppressions, self._pseudonyms)
            if {one.id for one in standing} & {one.id for one in suppressions}:
                await tell(driver, (event,))

        await self._writer.run(keep)


async def _choose(driver: Driver, choice: ReaderChoice, naming: Naming) -> None:
    service_id, recipient_id = choice.service_id, choice.recipient_id
    await driver.lock([person_lock(service_id, recipient_id)])
    lines = await append_news(driver, naming, choice.lines)
    if choice.wished is not None:
        await _wish(driver, choice, choice.wished)
        await look_again(driver, (naming(service_id, recipient_id),), to_micros(choice.at))
    if lines or choice.wished is not None:
        await tell(driver, choice.events)


async def _wish(driver: Driver, choice: ReaderChoice, wished: Wished) -> None:
    """Also of one of whom nothing else is kept."""
    row = recipient_row(choice.service_id, Recipient(id=choice.recipient_id), choice.at)
    await driver.insert(_insert_new, [row])
    kept = None if wished.preferences is None else dump(wished.preferences)
    await driver.execute(_WISH, (kept, to_micros(choice.at), choice.service_id, choice.recipient_id))
