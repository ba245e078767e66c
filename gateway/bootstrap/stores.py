"""The store on its own: opened for the gateway or for a command, with the clock, the secret and the first key."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog

from gateway.bootstrap.connections import mailbox_name
from gateway.delivery.credentials import issue_first_key
from gateway.errors import Unavailable
from gateway.logs import configure_logs
from gateway.ports import Clock, Provider, ServiceStore
from gateway.settings import MailboxProviderSettings, Settings, masked_url
from gateway.storage import migrations
from gateway.storage.driver import Engine
from gateway.storage.engine import engine_of, open_database
from gateway.storage.secret import shared_secret, signing_secret
from gateway.storage.sqlite import database_path
from gateway.storage.store import Store, open_store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_AGAIN_SECONDS: Final = 1.0
"""How long a store that is not there yet is left alone."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()


def configured_store(
    settings: Settings,
    clock: Clock,
    further: Collection[Provider],
    observe_commit: Callable[[float], None] = lambda _: None,
) -> AbstractAsyncContextManager[Store]:
    """The store that the settings name; it knows which providers may safely be called twice."""
    mailboxes = {name for name, one in settings.providers.items() if isinstance(one, MailboxProviderSettings)}
    others = {provider.name for provider in further if provider.capabilities.idempotent}
    return open_store(
        settings.store.url,
        clock,
        idempotent_providers=mailboxes | others | {mailbox_name(settings)},
        unknown_after=settings.delivery.unknown_after,
        observe_commit=observe_commit,
    )


async def link_secret(settings: Settings, store: Store) -> bytes:
    """What links are signed with: the configured secret, else the one beside a SQLite file or in PostgreSQL."""
    if settings.security.secret is not None:
        return settings.security.secret.get_secret_value().encode()
    path = store.database.path
    return await shared_secret(store.database) if path is None else signing_secret(path)


@asynccontextmanager
async def awaited_store(
    settings: Settings, clock: Clock, further: Collection[Provider], observe_commit: Callable[[float], None]
) -> AsyncIterator[Store]:
    """The configured store, as soon as it is there: processes may be started before it, in any order."""
    async with AsyncExitStack() as stack:
        while True:
            try:
                store = await stack.enter_async_context(configured_store(settings, clock, further, observe_commit))
                break
            except Unavailable as error:
                _log.warning("store.awaited", store=masked_url(settings.store.url), error=error.message)
                await asyncio.sleep(_AGAIN_SECONDS)
        yield store


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
    url = settings.store.url
    if engine_of(url) is Engine.SQLITE and not database_path(url).exists():
        return None, migrations.NEWEST
    database = open_database(url)
    try:
        async with database.reader.connect() as connection:
            return await connection.run_sync(migrations.current_revision), migrations.NEWEST
    finally:
        await database.aclose()


async def make_first_key(services: ServiceStore, clock: Clock) -> str | None:
    """The text of a key that may do everything, where there is no key yet; None where there is one."""
    token = await issue_first_key(services, clock.now())
    return None if token is None else token.text
