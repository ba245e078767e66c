"""Notices on their way: taken by one process for a while, and gone once their endpoint has them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.ids import EndpointId
from gateway.domain.instants import to_micros
from gateway.domain.values import replace
from gateway.domain.webhooks import Endpoint, Notice
from gateway.ports import Called, Fate, Told
from gateway.storage import tables
from gateway.storage.columns import names
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.driver import Driver, Engine, each_key
from gateway.storage.engines.engine import Database
from gateway.storage.engines.statements import Row
from gateway.storage.notifying.endpoints import SELECT_ENDPOINTS, keep_endpoints, lock_endpoints
from gateway.storage.notifying.replays import replay_portion
from gateway.storage.notifying.rows import endpoint_of, notices_of
from gateway.storage.rows import delivery_of, event_of, message_of

_FREE: Final = "n.due_at <= ? AND (n.taken_until IS NULL OR n.taken_until <= ?)"
_LISTENERS: Final = (
    f"{SELECT_ENDPOINTS} e WHERE e.enabled"  # noqa: S608 - our own words
    " AND (e.not_before IS NULL OR e.not_before <= ?)"
    f" AND EXISTS (SELECT 1 FROM notices n WHERE n.endpoint_id = e.id AND {_FREE})"
)
_DUE: Final = (
    f"SELECT n.event_id FROM notices n WHERE n.endpoint_id = ? AND {_FREE} ORDER BY n.due_at, n.event_id LIMIT ?"  # noqa: S608 - our own words
)
_TAKE: Final = {
    engine: "UPDATE notices SET taken_until = ?, attempts = attempts + 1 WHERE endpoint_id = ?"  # noqa: S608 - our own
    f" AND event_id {among} RETURNING event_id, message_id, attempts, created_at"
    for engine, among in (
        (Engine.SQLITE, f"IN ({_DUE})"),
        (Engine.POSTGRESQL, f"= ANY (ARRAY({_DUE} FOR UPDATE SKIP LOCKED))"),
    )
}
_OURS: Final = "endpoint_id = ? AND event_id = ? AND attempts = ?"
_DROP: Final = "DELETE FROM notices WHERE endpoint_id = ? AND event_id = ?"
_AGAIN: Final = f"UPDATE notices SET due_at = ?, taken_until = NULL WHERE {_OURS}"  # noqa: S608 - our own words
_GIVE_BACK: Final = f"UPDATE notices SET taken_until = NULL, attempts = attempts - 1 WHERE {_OURS}"  # noqa: S608 - our own words
_ALL_DUE: Final = "UPDATE notices SET due_at = ? WHERE endpoint_id = ? AND due_at > ?"
_CATCH_UP: Final = (
    "UPDATE notices SET due_at = ? WHERE due_at > ?",
    "UPDATE notices SET taken_until = ? WHERE taken_until > ?",
    "UPDATE webhook_endpoints SET not_before = ? WHERE not_before > ?",
)
_PORTION: Final = 500
_REMAINS: Final = "disabled_reason = 'removed' AND changed_at < ?"
_OFF: Final = (
    "SELECT e.id FROM webhook_endpoints e WHERE NOT e.enabled"  # noqa: S608 - our own words
    f" AND (EXISTS (SELECT 1 FROM notices n WHERE n.endpoint_id = e.id) OR {_REMAINS})"
)
_DROP_SOME: Final = (
    "DELETE FROM notices WHERE endpoint_id = ? AND event_id IN"  # noqa: S608 - a number of our own
    f" (SELECT event_id FROM notices WHERE endpoint_id = ? LIMIT {_PORTION})"
)
_DROP_ENDPOINT: Final = f"DELETE FROM webhook_endpoints WHERE id = ? AND {_REMAINS}"  # noqa: S608 - our own words
_LAST_WRITES: Final = timedelta(minutes=1)
"""Longer than any transaction takes that saw an endpoint enabled."""
_EVENTS: Final = (
    f"WITH k AS ({{keys}}) SELECT {names(tables.events, 'e.')} FROM k CROSS JOIN events e"  # noqa: S608 - our own names
    " WHERE e.message_id = k.column1 AND e.id = k.column2"
)
_MESSAGES: Final = f"SELECT {names(tables.messages)} FROM messages WHERE id IN ({{keys}})"  # noqa: S608 - our own names
_DELIVERIES: Final = f"SELECT {names(tables.deliveries)} FROM deliveries WHERE id IN ({{keys}})"  # noqa: S608 - our own names


class Notices:
    """Implements ports.NoticeStore."""

    def __init__(self, database: Database, commit: GroupCommit) -> None:
        self._lookups = database.lookups
        self._writer = database.writer
        self._commit = commit

    async def listeners(self, now: datetime) -> Sequence[Endpoint]:
        """Endpoints that something is due for and that need not be left alone."""
        at = to_micros(now)
        rows = await self._lookups.run(lambda driver: driver.fetch(_LISTENERS, (at, at, at)))
        return [endpoint_of(row) for row in rows]

    async def take(self, places: Mapping[EndpointId, int], now: datetime, patience: timedelta) -> Sequence[Notice]:
        """Up to so many due notices of each endpoint, those due longest first: ours for that long.

        Of somebody who died in between they are taken again after it; an endpoint then hears twice of one event, under
        one id.
        """
        at, until = to_micros(now), to_micros(now + patience)

        async def take(driver: Driver) -> list[Notice]:
            taken: list[Notice] = []
            for endpoint_id, limit in sorted(places.items()):
                row = (until, endpoint_id, endpoint_id, at, at, limit)
                taken += notices_of(endpoint_id, await driver.fetch(_TAKE[driver.engine], row))
            return taken

        return await self._writer.run(take)

    async def read(self, notices: Sequence[Notice]) -> Mapping[Notice, Told]:
        """What they tell of; one whose message or event is kept no longer is left out."""
        return await self._lookups.run(lambda driver: _read(driver, notices))

    async def settle(self, called: Called) -> Endpoint | None:
        """Write what it came to, and what that makes of its endpoint; None where that is gone."""
        return await self._commit.write(_settle_all, called)

    async def give_back(self, notices: Sequence[Notice]) -> None:
        """Let others take what was not called out."""
        rows = [(one.endpoint_id, one.event_id, one.attempts) for one in notices]
        await self._writer.run(lambda driver: driver.execute_many(_GIVE_BACK, rows))

    async def replay(self, now: datetime) -> bool:
        """Put out one portion of what endpoints are to hear once more; whether there was any."""
        return await replay_portion(self._lookups, self._writer, to_micros(now))

    async def clear(self, now: datetime) -> int:
        """Drop one portion of what waits for endpoints that are off, and what is left of removed ones; how many."""
        settled = to_micros(now - _LAST_WRITES)
        off = await self._lookups.run(lambda driver: driver.fetch(_OFF, (settled,)))
        return await self._writer.run(lambda driver: _clear(driver, off, settled)) if off else 0

    async def catch_up(self, latest: datetime) -> None:
        """After the wall clock was set back: nothing is due later than `latest`."""
        at = to_micros(latest)

        async def catch_up(driver: Driver) -> None:
            for statement in _CATCH_UP:
                await driver.execute(statement, (at, at))

        await self._writer.run(catch_up)


async def _settle_all(driver: Driver, called: Sequence[Called]) -> Sequence[Endpoint | None]:
    endpoints = {one.id: one for one in await lock_endpoints(driver, [each.notice.endpoint_id for each in called])}
    before = dict(endpoints)
    dropped, again = [], []
    for each in called:
        notice = each.notice
        if (endpoint := endpoints.get(notice.endpoint_id)) is not None:
            endpoints[endpoint.id] = each.then(endpoint)
        if each.fate is Fate.AGAIN and each.due_at is not None:
            again.append((to_micros(each.due_at), notice.endpoint_id, notice.event_id, notice.attempts))
        else:
            dropped.append((notice.endpoint_id, notice.event_id))
    await driver.execute_many(_DROP, sorted(dropped))
    await driver.execute_many(_AGAIN, sorted(again))
    changed = [one for one in endpoints.values() if one != before[one.id]]
    await keep_endpoints(driver, changed)
    now = to_micros(called[-1].at)
    for one in changed:
        if before[one.id].not_before is not None and one.not_before is None:
            # It answers again: what waited for that is due.
            await driver.execute(_ALL_DUE, (now, one.id, now))
    return [endpoints.get(each.notice.endpoint_id) for each in called]


async def _clear(driver: Driver, off: Sequence[Row], settled: int) -> int:
    dropped = 0
    for (endpoint_id,) in off:
        notices = await driver.execute(_DROP_SOME, (endpoint_id, endpoint_id))
        dropped += notices or await driver.execute(_DROP_ENDPOINT, (endpoint_id, settled))
    return dropped


async def _read(driver: Driver, notices: Sequence[Notice]) -> Mapping[Notice, Told]:
    pairs = sorted({(one.message_id, one.event_id) for one in notices})
    events = {row[1]: row for row in await driver.select_in(_EVENTS, pairs)}
    rows = await driver.select_in(_MESSAGES, each_key(message_id for message_id, _ in pairs))
    messages = {row[0]: message_of(row, ()) for row in rows}
    named = each_key(row[3] for row in events.values() if row[3] is not None)
    deliveries = {row[0]: delivery_of(row) for row in await driver.select_in(_DELIVERIES, named)}
    return {
        one: Told(
            number=events[one.event_id][0],
            event=event_of(events[one.event_id]),
            # What a template was given is nobody's to be told.
            message=replace(messages[one.message_id], data={}, secrets={}),
            delivery=deliveries.get(events[one.event_id][3]),
        )
        for one in notices
        if one.event_id in events and one.message_id in messages
    }
