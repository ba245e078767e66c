"""Services, their sender identities and their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.domain.ids import KeyId, ServiceId
from gateway.domain.recipients import Channel
from gateway.errors import Conflict, NotFound
from gateway.ports import ApiKey, SenderIdentity, Service
from gateway.storage.engines.engine import Database
from gateway.storage.tables import Instant, api_keys, services


class Services:
    """Implements ports.ServiceStore."""

    def __init__(self, database: Database) -> None:
        self._reader = database.reader
        self._writer = database.writer

    async def add_service(self, service: Service) -> None:
        """Raises Conflict when the name is taken."""
        row = {
            "id": service.id,
            "name": service.name,
            "senders": _senders_json(service.senders),
            "created_at": service.created_at,
        }
        try:
            async with self._writer.transaction() as connection:
                await connection.execute(services.insert().values(row))
        except sa.exc.IntegrityError as error:
            raise Conflict(f"There is a service named {service.name} already.", code="name_taken") from error

    async def update_senders(self, service_id: ServiceId, senders: Sequence[SenderIdentity]) -> Service:
        """Replace the sender identities."""
        change = (
            services.update()
            .where(services.c.id == service_id)
            .values(senders=_senders_json(senders))
            .returning(*services.c)
        )
        async with self._writer.transaction() as connection:
            row = (await connection.execute(change)).one_or_none()
        return _service(row, service_id)

    async def get_service(self, service_id: ServiceId) -> Service:
        """Raises NotFound."""
        async with self._reader.connect() as connection:
            row = (await connection.execute(sa.select(services).where(services.c.id == service_id))).one_or_none()
        return _service(row, service_id)

    async def find_service(self, name: str) -> Service:
        """Raises NotFound."""
        async with self._reader.connect() as connection:
            row = (await connection.execute(sa.select(services).where(services.c.name == name))).one_or_none()
        return _service(row, name)

    async def list_services(self) -> Sequence[Service]:
        """All, by name."""
        async with self._reader.connect() as connection:
            rows = (await connection.execute(sa.select(services).order_by(services.c.name))).all()
        return [_service(row, row.id) for row in rows]

    async def add_key(self, key: ApiKey) -> None:
        """Keep a new key. Raises NotFound when there is no such service."""
        row = {
            "id": key.id,
            "service_id": key.service_id,
            "live": key.live,
            "scopes": sorted(key.scopes),
            "secret_hash": key.secret_hash,
            "rate_per_second": key.rate_per_second,
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
        try:
            async with self._writer.transaction() as connection:
                await connection.execute(api_keys.insert().values(row))
        except sa.exc.IntegrityError as error:
            raise NotFound(f"There is no service {key.service_id}.") from error

    async def get_key(self, key_id: KeyId) -> ApiKey:
        """Raises NotFound."""
        async with self._reader.connect() as connection:
            row = (await connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id))).one_or_none()
        if row is None:
            raise _no_key(key_id)
        return _key(row)

    async def list_keys(self, service_id: ServiceId | None) -> Sequence[ApiKey]:
        """Newest first; those of one service, or all."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
        if service_id is not None:
            query = query.where(api_keys.c.service_id == service_id)
        async with self._reader.connect() as connection:
            return [_key(row) for row in await connection.execute(query)]

    async def revoke_key(self, key_id: KeyId, now: datetime) -> None:
        """From now on it opens nothing; the first revocation's instant stays. Raises NotFound."""
        await self._change_key(key_id, revoked_at=sa.func.coalesce(api_keys.c.revoked_at, sa.literal(now, Instant)))

    async def expire_key(self, key_id: KeyId, expires_at: datetime) -> None:
        """Let it end at that instant, or earlier where it would have ended before. Raises NotFound."""
        ends = sa.literal(expires_at, Instant)
        earlier = sa.and_(api_keys.c.expires_at.is_not(None), api_keys.c.expires_at < ends)
        await self._change_key(key_id, expires_at=sa.case((earlier, api_keys.c.expires_at), else_=ends))

    async def _change_key(self, key_id: KeyId, **values: sa.ColumnElement[Any]) -> None:
        async with self._writer.transaction() as connection:
            changed = await connection.execute(api_keys.update().where(api_keys.c.id == key_id).values(**values))
        if not changed.rowcount:
            raise _no_key(key_id)


def _no_key(key_id: KeyId) -> NotFound:
    return NotFound(f"There is no key {key_id}.")


def _senders_json(senders: Sequence[SenderIdentity]) -> list[dict[str, str | None]]:
    return [
        {"channel": one.channel.value, "sender": one.sender, "country": one.country, "locale": one.locale}
        for one in senders
    ]


def _service(row: "sa.Row[Any] | None", wanted: str) -> Service:
    if row is None:
        raise NotFound(f"There is no service {wanted}.")
    senders = tuple(
        SenderIdentity(
            channel=Channel(one["channel"]), sender=one["sender"], country=one["country"], locale=one["locale"]
        )
        for one in row.senders
    )
    return Service(id=ServiceId(row.id), name=row.name, senders=senders, created_at=row.created_at)


def _key(row: "sa.Row[Any]") -> ApiKey:
    return ApiKey(
        id=KeyId(row.id),
        service_id=ServiceId(row.service_id),
        live=row.live,
        scopes=frozenset(row.scopes),
        secret_hash=row.secret_hash,
        rate_per_second=row.rate_per_second,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
