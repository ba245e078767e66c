"""What is told in a message's timeline from outside its own way: that its reader answered, left, or chose anew."""

from collections.abc import Sequence
from typing import Final

from gateway.domain.messages import Event
from gateway.storage.engines.driver import Driver
from gateway.storage.events import write_events
from gateway.storage.rows import event_row

_KEPT: Final = "SELECT id FROM messages WHERE id = ?"


async def tell(driver: Driver, events: Sequence[Event | None]) -> None:
    """Add those that there are, in whatever transaction it is; of messages that retention took nothing is told."""
    for event in filter(None, events):
        if await driver.fetch(_KEPT, (event.message_id,)):
            await write_events(driver, [event_row(event)])
