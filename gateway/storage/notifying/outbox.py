"""The outbox: events that endpoints want, put out in the transaction that writes them.

A notice names its event and holds nothing of it. What is told is read when it is called out, so an erasure need not
look for copies, and of what was erased meanwhile only that is told which is still there.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import msgspec

from gateway.domain.webhooks import EndpointFilter, Traits
from gateway.storage import tables
from gateway.storage.documents import load
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.statements import Insert, Row

ANYBODY_LISTENS: Final = "SELECT 1 FROM webhook_endpoints WHERE enabled LIMIT 1"
"""A row where there may be somebody to tell. An endpoint that is being made at this moment hears from the next
transaction on."""
_LISTENERS: Final = (
    "WITH k AS ({keys}) SELECT m.id, e.id, e.filters, m.template, m.category, m.topic, m.tags"
    " FROM k CROSS JOIN messages m JOIN webhook_endpoints e ON e.service_id = m.service_id"
    " WHERE m.id = k.column1 AND e.enabled"
)
_CHANNELS: Final = "SELECT id, channel FROM deliveries WHERE id IN ({keys})"
_ID, _MESSAGE_ID, _DELIVERY_ID, _TYPE, _AT = range(5)
"""Columns of an event's row."""

insert_notices: Final = Insert(tables.notices, skip=frozenset({"taken_until"}), suffix=" ON CONFLICT DO NOTHING")
Listener = tuple[str, EndpointFilter, Traits]
"""An endpoint, what it wants, and what its filter looks at of one message."""


@lru_cache(maxsize=1_024)
def filter_of(text: str) -> EndpointFilter:
    """The filter that a column holds."""
    return msgspec.json.decode(text, type=EndpointFilter)


async def put_out(driver: Driver, events: Sequence[Row]) -> None:
    """Put rows of new events out to the endpoints that want them; they are due at once."""
    listeners: dict[str, list[Listener]] = {}
    for row in await driver.select_in(_LISTENERS, each_key(event[_MESSAGE_ID] for event in events)):
        listeners.setdefault(row[0], []).append(_listener(row[1:]))
    told = [event for event in events if event[_MESSAGE_ID] in listeners]
    channels = await channels_of(driver, told, [one for each in listeners.values() for one in each])
    rows = [
        notice_row(endpoint_id, event, event[_AT])
        for event in told
        for endpoint_id, wanted, message in listeners[event[_MESSAGE_ID]]
        if wanted.wants(event[_TYPE], channels.get(event[_DELIVERY_ID]), message)
    ]
    await driver.insert_new(insert_notices, sorted(rows, key=itemgetter(0, 1)))


async def channels_of(driver: Driver, events: Sequence[Row], listeners: Collection[Listener]) -> Mapping[Any, str]:
    """The channels of the events' deliveries, where anybody cares."""
    if not any(wanted.channels for _, wanted, _ in listeners):
        return {}
    keys = each_key(event[_DELIVERY_ID] for event in events if event[_DELIVERY_ID] is not None)
    return {row[0]: row[1] for row in await driver.select_in(_CHANNELS, keys)}


def notice_row(endpoint_id: str, event: Row, now: int) -> Row:
    """The row of a notice that is due now."""
    return (endpoint_id, event[_ID], event[_MESSAGE_ID], now, 0, now)


def traits_of(template: str, category: str, topic: str | None, tags: str) -> Traits:
    """What filters look at, from a message's columns."""
    return Traits(template=template, category=category, topic=topic, tags=tuple(load(tags)))


def _listener(row: Row) -> Listener:
    endpoint_id, filters, template, category, topic, tags = row
    return endpoint_id, filter_of(filters), traits_of(template, category, topic, tags)
