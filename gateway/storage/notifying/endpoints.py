"""Endpoints as their services keep them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import EndpointId, ServiceId
from gateway.domain.instants import to_micros
from gateway.domain.values import replace
from gateway.domain.webhooks import DisabledReason, Endpoint, Replay
from gateway.errors import Conflict, NotFound
from gateway.ports import Page
from gateway.storage import tables
from gateway.storage.columns import names, stored
from gateway.storage.cursors import cursor_at, older_than
from gateway.storage.engines.driver import Driver, each_key
from gateway.storage.engines.engine import Database
from gateway.storage.engines.locks import locked
from gateway.storage.engines.statements import Insert
from gateway.storage.notifying.rows import endpoint_of, endpoint_row
from gateway.storage.upkeep.audit import write_audit

_table: Final = tables.webhook_endpoints
_insert: Final = Insert(_table)
_insert_replay: Final = Insert(tables.webhook_replays)
_CONTAINED: Final = "DELETE FROM webhook_replays WHERE endpoint_id = ? AND since >= ? AND until <= ? AND after_at = 0"
"""Replays that nothing was put out of yet, and of which a further one says all."""
SELECT_ENDPOINTS: Final = f"SELECT {names(_table)} FROM webhook_endpoints"  # noqa: S608 - our own names
LOCK_ENDPOINTS: Final = locked(f"{SELECT_ENDPOINTS} WHERE id IN ({{keys}})")
_STANDS: Final = "(disabled_reason IS NULL OR disabled_reason <> 'removed')"
_COUNT: Final = f"SELECT count(*) FROM webhook_endpoints WHERE service_id = ? AND {_STANDS}"  # noqa: S608 - our own words
KEEP_ENDPOINT: Final = (
    "UPDATE webhook_endpoints SET url = ?, description = ?, filters = ?, secrets = ?, enabled = ?,"
    " disabled_reason = ?, created_at = ?, changed_at = ?, failures = ?, failing_since = ?, not_before = ?, failure = ?"
    " WHERE id = ?"
)
COUNTED: Final = 1_000
_WAITING: Final = (
    "WITH k AS ({keys}) SELECT k.column1, (SELECT count(*) FROM"  # noqa: S608 - a number of our own
    f" (SELECT 1 FROM notices n WHERE n.endpoint_id = k.column1 LIMIT {COUNTED}) AS counted) FROM k"
)


class Endpoints:
    """Implements ports.EndpointStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._lookups = database.lookups
        self._writer = database.writer

    async def add_endpoint(self, endpoint: Endpoint, most: int, entry: AuditEntry) -> None:
        """Keep a new one. Raises Conflict `too_many_endpoints` where the service has `most` already."""

        async def add(driver: Driver) -> None:
            await driver.lock([f"webhook_endpoints:{endpoint.service_id}"])
            ((count,),) = await driver.fetch(_COUNT, (endpoint.service_id,))
            if count >= most:
                raise Conflict(f"A service has at most {most} endpoints; remove one first.", "too_many_endpoints")
            await driver.insert(_insert, [endpoint_row(endpoint)])
            await write_audit(driver, (entry,))

        await self._writer.run(add)

    async def get_endpoint(self, endpoint_id: EndpointId, service_id: ServiceId | None) -> Endpoint:
        """Raises NotFound."""
        rows = await self._lookups.run(lambda driver: driver.fetch(f"{SELECT_ENDPOINTS} WHERE id = ?", (endpoint_id,)))
        return _own([endpoint_of(row) for row in rows], service_id)

    async def list_endpoints(self, service_id: ServiceId | None, limit: int, cursor: str | None) -> Page[Endpoint]:
        """Newest first."""
        select = (
            sa.select(*stored(_table)).where(sa.text(_STANDS)).order_by(_table.c.created_at.desc(), _table.c.id.desc())
        )
        if service_id is not None:
            select = select.where(_table.c.service_id == service_id)
        if cursor is not None:
            select = select.where(older_than(cursor, _table.c.created_at, _table.c.id))
        async with self._reader.connect() as connection:
            rows = (await connection.execute(select.limit(limit + 1))).all()
        items = tuple(endpoint_of(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(items=items, next_cursor=cursor_at(items[-1].created_at, items[-1].id) if more else None)

    async def change_endpoint(
        self,
        endpoint_id: EndpointId,
        service_id: ServiceId | None,
        change: Callable[[Endpoint], Endpoint],
        entry: AuditEntry,
    ) -> Endpoint:
        """Keep what `change` makes of it, which must only compute. Raises NotFound."""

        async def keep(driver: Driver) -> Endpoint:
            changed = change(_own(await lock_endpoints(driver, [endpoint_id]), service_id))
            await keep_endpoints(driver, [changed])
            await write_audit(driver, (entry,))
            return changed

        return await self._writer.run(keep)

    async def remove_endpoint(self, endpoint_id: EndpointId, service_id: ServiceId | None, entry: AuditEntry) -> None:
        """What waits for it is dropped by and by. Raises NotFound."""

        async def remove(driver: Driver) -> None:
            endpoint = _own(await lock_endpoints(driver, [endpoint_id]), service_id)
            gone = {"enabled": False, "disabled_reason": DisabledReason.REMOVED, "changed_at": entry.at}
            await keep_endpoints(driver, [replace(endpoint, secrets=(), **gone)])
            await write_audit(driver, (entry,))

        await self._writer.run(remove)

    async def add_replay(self, replay: Replay, service_id: ServiceId | None, entry: AuditEntry) -> None:
        """Have what it wants of a time put out to it once more. Raises NotFound, Conflict `endpoint_disabled`."""
        row = (replay.id, replay.endpoint_id, to_micros(replay.since), to_micros(replay.until), 0, "")

        async def add(driver: Driver) -> None:
            endpoint = _own(await lock_endpoints(driver, [replay.endpoint_id]), service_id)
            if not endpoint.enabled:
                raise Conflict("The endpoint is disabled; enable it first.", "endpoint_disabled")
            await driver.execute(_CONTAINED, (replay.endpoint_id, row[2], row[3]))
            await driver.insert(_insert_replay, [(*row, to_micros(replay.created_at))])
            await write_audit(driver, (entry,))

        await self._writer.run(add)

    async def waiting_notices(self, endpoint_ids: Sequence[EndpointId]) -> Mapping[EndpointId, int]:
        """How many events each has not taken yet, counted up to 1,000."""
        keys = each_key(endpoint_ids)
        rows = await self._lookups.run(lambda driver: driver.select_in(_WAITING, keys))
        return {EndpointId(endpoint_id): count for endpoint_id, count in rows}


async def lock_endpoints(driver: Driver, endpoint_ids: Sequence[EndpointId]) -> list[Endpoint]:
    """Those that there are, nobody else's until the transaction ends."""
    rows = await driver.select_in(LOCK_ENDPOINTS[driver.engine], each_key(endpoint_ids))
    return [endpoint_of(row) for row in rows]


async def keep_endpoints(driver: Driver, changed: Sequence[Endpoint]) -> None:
    """Write what became of them."""
    rows = [endpoint_row(endpoint) for endpoint in changed]
    await driver.execute_many(KEEP_ENDPOINT, [(*row[2:], row[0]) for row in rows])


def _own(found: Sequence[Endpoint], service_id: ServiceId | None) -> Endpoint:
    for endpoint in found:
        if service_id in (None, endpoint.service_id) and endpoint.disabled_reason is not DisabledReason.REMOVED:
            return endpoint
    raise NotFound("There is no such endpoint.")
