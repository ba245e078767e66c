"""What endpoints are to hear once more: the messages of their service gone through in portions, each a transaction.

An event has no index by its instant, and needs none: it is found by its message, and messages by service and age. A
row remembers the last message that was gone through, so whoever is killed meanwhile is followed by somebody. Those that
wait take turns: no service's long one, or its many, holds another's up for longer than a portion of each.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.engines.driver import Driver, Engine, each_key
from gateway.storage.engines.engine import Reader, Writer
from gateway.storage.engines.statements import Row
from gateway.storage.notifying.outbox import (
    Listener,
    channels_of,
    filter_of,
    insert_notices,
    notice_row,
    traits_of,
)

_MESSAGES_AT_ONCE: Final = 100
_ANY: Final = "SELECT 1 FROM webhook_replays LIMIT 1"
_SELECT: Final = "SELECT id, endpoint_id, since, until, after_at, after_id FROM webhook_replays"
_OLDEST: Final = {
    Engine.SQLITE: f"{_SELECT} ORDER BY created_at, id LIMIT 1",
    Engine.POSTGRESQL: f"{_SELECT} ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED",
}
_ENDPOINT: Final = "SELECT service_id, filters FROM webhook_endpoints WHERE id = ? AND enabled"
_NEXT: Final = (
    "SELECT id, created_at, template, category, topic, tags FROM messages WHERE service_id = ?"  # noqa: S608 - a number of our own
    f" AND (created_at, id) > (?, ?) AND created_at < ? ORDER BY created_at, id LIMIT {_MESSAGES_AT_ONCE}"
)
_EVENTS: Final = (
    f"WITH k AS ({{keys}}) SELECT {names(tables.events, 'e.')} FROM k CROSS JOIN events e"  # noqa: S608 - our own names
    " WHERE e.message_id = k.column1"
)
_AT: Final = 5
_GO_ON: Final = "UPDATE webhook_replays SET after_at = ?, after_id = ?, created_at = ? WHERE id = ?"
"""It stands at the end of the line then."""
_DONE: Final = "DELETE FROM webhook_replays WHERE id = ?"


async def replay_portion(reader: Reader, writer: Writer, now: int) -> bool:
    """Put out the next portion of the one whose turn it is; whether there was any."""
    if not await reader.run(lambda driver: driver.fetch(_ANY)):
        return False
    return await writer.run(lambda driver: _put_out_next(driver, now))


async def _put_out_next(driver: Driver, now: int) -> bool:
    for replay_id, endpoint_id, since, until, after_at, after_id in await driver.fetch(_OLDEST[driver.engine]):
        messages: Sequence[Row] = ()
        for service_id, filters in await driver.fetch(_ENDPOINT, (endpoint_id,)):
            messages = await driver.fetch(_NEXT, (service_id, after_at, after_id, until))
            await _put_out(driver, (endpoint_id, filters), messages, (since, until, now))
        if len(messages) < _MESSAGES_AT_ONCE:
            await driver.execute(_DONE, (replay_id,))
        else:
            await driver.execute(_GO_ON, (messages[-1][1], messages[-1][0], now, replay_id))
        return True
    return False


async def _put_out(
    driver: Driver, endpoint: tuple[str, str], messages: Sequence[Row], instants: tuple[int, int, int]
) -> None:
    endpoint_id, filters = endpoint
    since, until, now = instants
    listeners: dict[str, Listener] = {
        row[0]: (endpoint_id, filter_of(filters), traits_of(row[2], row[3], row[4], row[5])) for row in messages
    }
    found = await driver.select_in(_EVENTS, each_key(listeners))
    # Without their numbers, as they were put out first.
    events = [row[1:] for row in found if since <= row[_AT] < until]
    channels = await channels_of(driver, events, list(listeners.values()))
    rows = []
    for event in events:
        _, wanted, message = listeners[event[1]]
        if wanted.wants(event[3], channels.get(event[2]), message):
            rows.append(notice_row(endpoint_id, event, now))
    await driver.insert_new(insert_notices, sorted(rows, key=itemgetter(0, 1)))
