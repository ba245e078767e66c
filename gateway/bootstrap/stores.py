"""The store on its own: opened for the gateway or for a command, with the clock, the secret and the first key."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from gateway.bootstrap.connections import mailbox_name
from gateway.delivery.upkeep.credentials import issue_first_key
from gateway.domain.pseudonyms import Pseudonyms
from gateway.errors import ConfigurationError, Unavailable
from gateway.logs import configure_logs
from gateway.ports import AuditStore, Clock, LedgerStore, Provider, ProviderSection, ServiceStore
from gateway.settings import AnyProviderSettings, Settings, masked_url
from gateway.settings.kinds import load_kind
from gateway.settings.providers import MailboxProviderSettings
from gateway.storage.engines.driver import Engine
from gateway.storage.engines.engine import Database, engine_of, may_exist
from gateway.storage.queue.facts import Capped
from gateway.storage.queue.spending import Spenders
from gateway.storage.store import Store, open_store
from gateway.storage.upkeep.readiness import WhenBehind
from gateway.storage.upkeep.secret import signing_secret

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Meanwhile = Callable[[], AbstractAsyncContextManager[None]]
"""What a process does while it waits for its store, such as to say so to who probes it."""

_INBOUND_TEXTS: Final = b"inbound texts"
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
    *,
    is_capped: Capped = lambda _claim, _recipient: False,
    spenders: Spenders | None = None,
    patient: bool = True,
) -> AbstractAsyncContextManager[Store]:
    """The store that the settings name; it knows which providers may safely be called twice.

    Where several machines share it, `heliograph db upgrade` makes its tables: who is `patient` waits for that.
    """
    configured = {name for name, one in settings.providers.items() if _is_idempotent(one)}
    others = {provider.name for provider in further if provider.capabilities.idempotent}
    return open_store(
        settings.store.url,
        clock,
        idempotent_providers=configured | others | {mailbox_name(settings)},
        unknown_after=settings.delivery.unknown_after,
        observe_commit=observe_commit,
        is_capped=is_capped,
        spenders=spenders,
        when_behind=_when_behind(settings, patient),
    )


def _is_idempotent(one: AnyProviderSettings) -> bool:
    if isinstance(one, ProviderSection):
        return load_kind(one.kind).capabilities.idempotent
    return isinstance(one, MailboxProviderSettings)


def _when_behind(settings: Settings, patient: bool) -> WhenBehind:
    if not settings.queue.url or engine_of(settings.store.url) is Engine.SQLITE:
        return WhenBehind.UPGRADE
    return WhenBehind.WAIT if patient else WhenBehind.REFUSE


async def link_secret(settings: Settings, database: Database) -> bytes:
    """What links are signed with: the configured secret, else the one that is kept with the store."""
    if settings.security.secret is not None:
        return settings.security.secret.get_secret_value().encode()
    return await signing_secret(database)


def derived_webhook_secret(secret: bytes) -> str:
    """What inbound texts to a mailbox are signed with that names no secret of its own."""
    return hmac.digest(secret, _INBOUND_TEXTS, "sha256").hex()


@asynccontextmanager
async def open_webhook_secret(settings: Settings) -> AsyncIterator[str]:
    """The same, for a command beside a gateway that runs on the configured store."""
    configure_logs(settings.log)
    async with configured_store(settings, SystemClock(), (), patient=False) as store:
        yield derived_webhook_secret(await link_secret(settings, store.database))


@asynccontextmanager
async def awaited_store(
    settings: Settings,
    clock: Clock,
    further: Collection[Provider],
    observe_commit: Callable[[float], None],
    *,
    is_capped: Capped,
    spenders: Spenders | None = None,
    meanwhile: Meanwhile,
) -> AsyncIterator[Store]:
    """The configured store, as soon as it is there: processes may be started before it, in any order.

    What `meanwhile` makes is open until then.
    """
    async with AsyncExitStack() as stack:
        async with meanwhile():
            while True:
                try:
                    opening = configured_store(
                        settings, clock, further, observe_commit, is_capped=is_capped, spenders=spenders
                    )
                    store = await stack.enter_async_context(opening)
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
    async with configured_store(settings, SystemClock(), (), patient=False) as store:
        yield store.services


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the store keeps as proof, for those who check it."""

    ledger: LedgerStore
    audit: AuditStore
    services: ServiceStore
    pseudonyms: Pseudonyms


@asynccontextmanager
async def open_records(settings: Settings) -> AsyncIterator[Records]:
    """The consent ledger and the audit trail of the configured store, for a command beside a gateway that runs.

    Raises ConfigurationError where there is no store: a fresh one would prove nothing.
    """
    configure_logs(settings.log)
    if not may_exist(settings.store.url):
        raise ConfigurationError(f"There is no store at {masked_url(settings.store.url)}.")
    async with configured_store(settings, SystemClock(), (), patient=False) as store:
        yield Records(ledger=store.ledger, audit=store.audit, services=store.services, pseudonyms=store.pseudonyms)


async def make_first_key(services: ServiceStore, clock: Clock) -> str | None:
    """The text of a key that may do everything, where there is no key yet; None where there is one."""
    token = await issue_first_key(services, clock.now())
    return None if token is None else token.text
