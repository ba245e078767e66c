"""The store on its own: opened for the gateway or for a command, with the clock, the secret and the first key."""

import time
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from gateway.bootstrap.connections import mailbox_name
from gateway.domain import ids
from gateway.domain.ids import ServiceId
from gateway.domain.keys import Scope, make_token
from gateway.errors import Conflict
from gateway.logs import configure_logs
from gateway.ports import ApiKey, Clock, Provider, Service, ServiceStore
from gateway.settings import MailboxProviderSettings, Settings
from gateway.storage import migrations
from gateway.storage.engine import database_path, open_database
from gateway.storage.secret import signing_secret
from gateway.storage.store import SqliteStore, open_store

FIRST_SERVICE: Final = "default"


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()


def configured_store(
    settings: Settings, clock: Clock, further: Collection[Provider]
) -> AbstractAsyncContextManager[SqliteStore]:
    """The store that the settings name; it knows which providers may safely be called twice."""
    mailboxes = {name for name, one in settings.providers.items() if isinstance(one, MailboxProviderSettings)}
    others = {provider.name for provider in further if provider.capabilities.idempotent}
    return open_store(
        settings.store.url,
        clock,
        idempotent_providers=mailboxes | others | {mailbox_name(settings)},
        unknown_after=settings.delivery.unknown_after,
    )


def link_secret(settings: Settings) -> bytes:
    """What links are signed with: the configured secret, else the one beside the database."""
    if settings.security.secret is not None:
        return settings.security.secret.get_secret_value().encode()
    return signing_secret(database_path(settings.store.url))


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[ServiceStore]:
    """Services and keys in the configured store, for a command; a gateway that runs beside it sees the changes.

    Logs go where the settings say, which is never standard output: a command's data stands there alone.
    """
    configure_logs(settings.log)
    async with configured_store(settings, SystemClock(), ()) as store:
        yield store.services


async def upgrade_store(settings: Settings) -> None:
    """Bring the store's tables up to date; safe to repeat and to run from many places."""
    async with configured_store(settings, SystemClock(), ()):
        pass


async def read_revisions(settings: Settings) -> tuple[str | None, str]:
    """The revision that the store is at, None for one without tables, and the one that this code needs."""
    path = database_path(settings.store.url)
    if not path.exists():
        return None, migrations.head_revision()
    database = open_database(path)
    try:
        async with database.reader.connect() as connection:
            return await connection.run_sync(migrations.current_revision), migrations.head_revision()
    finally:
        await database.aclose()


async def make_first_key(services: ServiceStore, clock: Clock) -> str | None:
    """A service and a key that may do everything, where there is no service yet; None where there is."""
    if await services.list_services():
        return None
    now = clock.now()
    service = Service(id=ServiceId(ids.make_id(ids.SERVICE, now)), name=FIRST_SERVICE, senders=(), created_at=now)
    try:
        await services.add_service(service)
    except Conflict:
        # Another process was first: the key is its to print.
        return None
    token = make_token(live=True, now=now)
    await services.add_key(
        ApiKey(
            id=token.id,
            service_id=service.id,
            live=True,
            scopes=frozenset(Scope),
            secret_hash=token.secret_hash,
            rate_per_second=None,
            created_at=now,
            expires_at=None,
            revoked_at=None,
        )
    )
    return token.text
