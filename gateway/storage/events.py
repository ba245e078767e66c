"""The one way into a timeline: what is told there stands in the outbox of whoever wants to hear it as well."""

from collections.abc import Sequence
from typing import Final

from gateway.storage import tables
from gateway.storage.engines.driver import Batch, Driver
from gateway.storage.engines.statements import Insert, Row
from gateway.storage.notifying.outbox import ANYBODY_LISTENS, put_out

_insert: Final = Insert(tables.events, skip=frozenset({"seq"}))


async def write_events(driver: Driver, rows: Sequence[Row], *others: Batch) -> None:
    """Insert `others`, those first that the rest refers to, and add events to their timelines.

    The endpoints of services hear of them, and of nothing that is undone. Where no service has any, all of that costs
    is one look at an empty table, in a statement that is made anyway.
    """
    if await driver.insert_all(*others, (_insert, rows), then=ANYBODY_LISTENS) and rows:
        await put_out(driver, rows)
