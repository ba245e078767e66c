"""Services and their keys as operators make them: registering, issuing, rotating.

A key's text exists only in the `Token` that is answered; whoever loses it makes another.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from gateway.domain.ids import SERVICE, KeyId, ServiceId, make_id
from gateway.domain.keys import Scope, Token, is_usable, make_token
from gateway.errors import Conflict, NotFound
from gateway.ports import ApiKey, SenderIdentity, Service, ServiceStore

FIRST_SERVICE: Final = "default"
"""The service that the first start in embedded mode makes."""


async def register_service(store: ServiceStore, name: str, senders: Sequence[SenderIdentity], now: datetime) -> Service:
    """A new service. Raises Conflict when the name is taken."""
    service = Service(id=ServiceId(make_id(SERVICE, now)), name=name, senders=tuple(senders), created_at=now)
    await store.add_service(service)
    return service


async def find_or_register(store: ServiceStore, name: str, now: datetime) -> Service:
    """The service of that name, made where there is none; two callers at once get the same."""
    try:
        return await store.find_service(name)
    except NotFound:
        pass
    try:
        return await register_service(store, name, (), now)
    except Conflict:
        return await store.find_service(name)


async def issue_key(
    store: ServiceStore,
    service_id: ServiceId,
    *,
    live: bool,
    scopes: Collection[str],
    rate_per_second: float | None,
    expires_at: datetime | None,
    now: datetime,
) -> Token:
    """A new key of the service; no rate means no limit, no end means that it opens until it is revoked."""
    token = make_token(live=live, now=now)
    await store.add_key(
        ApiKey(
            id=token.id,
            service_id=service_id,
            live=live,
            scopes=frozenset(scopes),
            secret_hash=token.secret_hash,
            rate_per_second=rate_per_second,
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )
    return token


async def rotate_key(store: ServiceStore, key_id: KeyId, *, old_ends_at: datetime, now: datetime) -> Token:
    """A new key that may do what the old one may; the old one opens until `old_ends_at`, so callers can change over.

    Raises NotFound for an unknown key, Conflict for one that opens nothing any more.
    """
    old = await store.get_key(key_id)
    if not is_usable(expires_at=old.expires_at, revoked_at=old.revoked_at, now=now):
        raise Conflict("The key is revoked or has ended; create a new one.", code="key_ended")
    token = await issue_key(
        store,
        old.service_id,
        live=old.live,
        scopes=old.scopes,
        rate_per_second=old.rate_per_second,
        expires_at=old.expires_at,
        now=now,
    )
    await store.expire_key(key_id, old_ends_at)
    return token


async def issue_first_key(store: ServiceStore, now: datetime) -> Token | None:
    """For a store without any key: the service `default` and a key that may do everything; None where there is one."""
    if await store.list_keys(None):
        return None
    try:
        service = await register_service(store, FIRST_SERVICE, (), now)
    except Conflict:
        # Another process was first: the key is its to show.
        return None
    return await issue_key(
        store,
        service.id,
        live=True,
        scopes=frozenset(Scope),
        rate_per_second=None,
        expires_at=None,
        now=now,
    )
