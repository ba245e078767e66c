"""The composition root: the only module that names concrete stores, wakers, clocks and providers."""

import random
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, assert_never

import structlog
from babel import Locale

from gateway.delivery.accept import Acceptor
from gateway.delivery.admission import Admission
from gateway.delivery.attachments import AttachmentLimits
from gateway.delivery.composition import Composer
from gateway.delivery.dispatch import Dispatcher, DispatchRules
from gateway.delivery.drafting import Drafter
from gateway.delivery.envelopes import Addressing
from gateway.delivery.explain import Explainer
from gateway.delivery.fallbacks import FallbackReport
from gateway.delivery.links import UnsubscribeLinks
from gateway.delivery.preview import Previewer
from gateway.delivery.readiness import ReadinessCheck
from gateway.delivery.recovery import Sweeper
from gateway.delivery.retry import RetryPolicy
from gateway.delivery.routing import Health, Route, RoutingTable
from gateway.delivery.senders import Senders
from gateway.delivery.steering import Steering
from gateway.delivery.unsubscribe import Unsubscriber
from gateway.domain import ids
from gateway.domain.ids import ServiceId
from gateway.domain.keys import Scope, make_token
from gateway.domain.preferences import Category
from gateway.errors import ConfigurationError, Conflict
from gateway.localization.catalogs import CatalogLibrary
from gateway.localization.locales import UnknownLocale, parse_locale
from gateway.logs import configure_logs
from gateway.metrics import Metrics
from gateway.ports import (
    ApiKey,
    Clock,
    ConsentStore,
    LogStore,
    MailboxStore,
    Provider,
    RecipientStore,
    Service,
    ServiceStore,
    SuppressionStore,
)
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.renderer import Renderer
from gateway.resources import shipped_templates, shipped_translations
from gateway.settings import MailboxProviderSettings, Settings, SmtpProviderSettings
from gateway.storage import migrations
from gateway.storage.engine import database_path, open_database
from gateway.storage.secret import signing_secret
from gateway.storage.store import SqliteStore, open_store
from gateway.work.content import ContentWatcher, Watched
from gateway.work.embedded import Doorbell, Worker
from providers.mailbox import MailboxProvider
from providers.smtp import SmtpProvider, SmtpSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

FIRST_SERVICE: Final = "default"
_MAILBOX: Final = "mailbox"
_PAGES: Final = "console"
"""The gettext domain of the pages, which are ours and in English at the source whatever a team's own texts are in."""
_CLOSING: Final = timedelta(seconds=2)
"""What is kept of the draining time for closing connections and the store."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The running gateway: its use cases, what they read, and what the outside may look at."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    store: SqliteStore
    templates: TemplateLibrary
    catalogs: CatalogLibrary
    page_catalogs: CatalogLibrary
    """What the pages say, in every language: the gettext domain `console`."""
    renderer: Renderer
    links: UnsubscribeLinks
    routing: RoutingTable
    providers: Mapping[str, Provider]
    acceptor: Acceptor
    explainer: Explainer
    previewer: Previewer
    steering: Steering
    unsubscriber: Unsubscriber
    readiness: ReadinessCheck
    first_key: str | None = field(repr=False)
    """The key that the first start made, to be printed once; None at every later start."""

    @property
    def log(self) -> LogStore:
        """The delivery log."""
        return self.store.log

    @property
    def recipients(self) -> RecipientStore:
        """People."""
        return self.store.recipients

    @property
    def consents(self) -> ConsentStore:
        """What people said."""
        return self.store.consents

    @property
    def suppressions(self) -> SuppressionStore:
        """Addresses never to be written to."""
        return self.store.suppressions

    @property
    def services(self) -> ServiceStore:
        """Services and their keys."""
        return self.store.services

    @property
    def mailbox(self) -> MailboxStore:
        """What the mailbox provider was given."""
        return self.store.mailbox


@asynccontextmanager
async def open_gateway(
    settings: Settings, *, work: bool = True, clock: Clock | None = None, further: Collection[Provider] = ()
) -> AsyncIterator[Gateway]:
    """Open everything that the settings name, and close it in the opposite order.

    The store's tables are brought up to date first. Without `work` nothing is claimed: messages are accepted and
    wait. `further` providers serve beside the configured ones. Leaving the block finishes the calls under way.
    Raises ConfigurationError before anything is sent.
    """
    clock, metrics, wake = clock or SystemClock(), Metrics(), Doorbell()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_open_store(settings, clock, further))
        templates, catalogs, page_catalogs = await _open_content(settings, metrics, stack)
        providers = await _open_providers(settings, store, clock, stack, further)
        routing = _make_routing(settings, providers)
        renderer = Renderer(templates, catalogs, FallbackReport(metrics))
        links = UnsubscribeLinks(_secret(settings), settings.public_url)
        zone = settings.policy.default_timezone
        composer = Composer(renderer, links, zone)
        senders = Senders(store.services, clock)
        limits = AttachmentLimits(files=settings.limits.attachments, total_bytes=settings.limits.attachment_bytes)
        drafter = Drafter(
            renderer=renderer,
            composer=composer,
            recipients=store.recipients,
            senders=senders,
            limits=limits,
            default_timezone=zone,
        )
        gateway = Gateway(
            settings=settings,
            clock=clock,
            metrics=metrics,
            store=store,
            templates=templates,
            catalogs=catalogs,
            page_catalogs=page_catalogs,
            renderer=renderer,
            links=links,
            routing=routing,
            providers=providers,
            acceptor=Acceptor(
                store=store.accepting,
                drafter=drafter,
                admission=Admission(store.accepting, clock, settings.delivery.shed_after),
                wake=wake,
                clock=clock,
                metrics=metrics,
            ),
            explainer=Explainer(store=store.dispatch, drafter=drafter, composer=composer, routing=routing, clock=clock),
            previewer=Previewer(renderer=renderer, links=links, clock=clock, default_timezone=zone),
            steering=Steering(store=store.steering, log=store.log, wake=wake, clock=clock),
            unsubscriber=Unsubscriber(
                links=links,
                log=store.log,
                consents=store.consents,
                suppressions=store.suppressions,
                templates=templates,
                clock=clock,
            ),
            readiness=ReadinessCheck(store=store.condition, templates=templates, catalogs=catalogs, clock=clock),
            first_key=await _make_first_key(store.services, clock),
        )
        if work:
            dispatcher = _make_dispatcher(gateway, composer, senders)
            worker = await stack.enter_async_context(_make_worker(gateway, dispatcher, wake))
            gateway.readiness.watch(lambda: worker.is_working)
        yield gateway


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[ServiceStore]:
    """Services and keys in the configured store, for a command; a gateway that runs beside it sees the changes.

    Logs go where the settings say, which is never standard output: a command's data stands there alone.
    """
    configure_logs(settings.log)
    async with _open_store(settings, SystemClock(), ()) as store:
        yield store.services


async def upgrade_store(settings: Settings) -> None:
    """Bring the store's tables up to date; safe to repeat and to run from many places."""
    async with _open_store(settings, SystemClock(), ()):
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


def _open_store(
    settings: Settings, clock: Clock, further: Collection[Provider]
) -> AbstractAsyncContextManager[SqliteStore]:
    mailboxes = {name for name, one in settings.providers.items() if isinstance(one, MailboxProviderSettings)}
    others = {provider.name for provider in further if provider.capabilities.idempotent}
    return open_store(
        settings.store.url,
        clock,
        idempotent_providers=mailboxes | others | {_mailbox_name(settings)},
        unknown_after=settings.delivery.unknown_after,
    )


def _secret(settings: Settings) -> bytes:
    if settings.security.secret is not None:
        return settings.security.secret.get_secret_value().encode()
    return signing_secret(database_path(settings.store.url))


async def _open_content(
    settings: Settings, metrics: Metrics, stack: AsyncExitStack
) -> tuple[TemplateLibrary, CatalogLibrary, CatalogLibrary]:
    try:
        default = parse_locale(settings.locales.default)
    except UnknownLocale as error:
        raise ConfigurationError(f"locales.default: {error}") from error
    template_root = _folder("content.templates", settings.content.templates or shipped_templates())
    catalog_root = _folder("content.translations", settings.content.translations or shipped_translations())
    templates = TemplateLibrary(template_root, default=default)
    catalogs = CatalogLibrary(catalog_root, default=default)
    page_catalogs = CatalogLibrary(shipped_translations(), _PAGES, default=Locale("en"))
    watched = (
        Watched("catalogs", catalog_root, catalogs, lambda: catalogs.snapshot.broken, metrics),
        Watched("templates", template_root, templates, lambda: templates.snapshot.broken, metrics),
        Watched("pages", shipped_translations(), page_catalogs, lambda: page_catalogs.snapshot.broken, metrics),
    )
    await stack.enter_async_context(ContentWatcher(watched, settings.content.refresh))
    return templates, catalogs, page_catalogs


def _folder(key: str, path: Path) -> Path:
    if not path.is_dir():
        raise ConfigurationError(f"{key}: there is no folder {path}")
    return path


def _mailbox_name(settings: Settings) -> str:
    """The mailbox that test keys and channels without a route go to: the first configured, else one of our own."""
    for name, one in settings.providers.items():
        if isinstance(one, MailboxProviderSettings):
            return name
    if _MAILBOX in settings.providers:
        raise ConfigurationError(f"providers.{_MAILBOX}: this name is the mailbox's; give the other provider another")
    return _MAILBOX


async def _open_providers(
    settings: Settings, store: SqliteStore, clock: Clock, stack: AsyncExitStack, further: Collection[Provider]
) -> Mapping[str, Provider]:
    configured = dict(settings.providers)
    configured.setdefault(_mailbox_name(settings), MailboxProviderSettings(kind="mailbox"))
    providers: dict[str, Provider] = {provider.name: provider for provider in further}
    for provider in further:
        stack.push_async_callback(provider.aclose)
    for name, one in configured.items():
        match one:
            case MailboxProviderSettings():
                opened: Provider = await _open_mailbox(name, one, store, clock)
            case SmtpProviderSettings():
                opened = SmtpProvider(name, _smtp_settings(one))
            case never:
                assert_never(never)
        stack.push_async_callback(opened.aclose)
        providers[name] = opened
    return providers


async def _open_mailbox(name: str, one: MailboxProviderSettings, store: SqliteStore, clock: Clock) -> Provider:
    try:
        return await MailboxProvider.open(name, store.mailbox, clock, host=one.host, port=one.port)
    except OSError as error:
        raise ConfigurationError(f"providers.{name}: cannot listen on {one.host}:{one.port}: {error}") from error


def _smtp_settings(one: SmtpProviderSettings) -> SmtpSettings:
    return SmtpSettings(
        host=one.host,
        port=one.port,
        tls=one.tls,
        ca_file=one.ca_file,
        username=one.username,
        password=None if one.password is None else one.password.get_secret_value(),
        timeout_seconds=one.timeout.total_seconds(),
        connections=one.connections,
        messages_per_connection=one.messages_per_connection,
    )


def _make_routing(settings: Settings, providers: Mapping[str, Provider]) -> RoutingTable:
    """The configured routes; a channel that they leave open somewhere goes to the mailbox, with a warning."""
    routes = [
        Route(channel=one.channel, countries=frozenset(one.countries), providers=one.providers)
        for one in settings.routes
    ]
    for route in routes:
        for name in route.providers:
            if route.channel not in providers[name].capabilities.channels:
                raise ConfigurationError(f"routes: the provider {name!r} cannot send {route.channel}")
    mailbox = _mailbox_name(settings)
    for channel in RoutingTable(routes=tuple(routes), mailbox=mailbox).missing():
        _log.warning("route.missing", channel=channel.value, using=mailbox)
        routes.append(Route(channel=channel, countries=frozenset(), providers=(mailbox,)))
    return RoutingTable(routes=tuple(routes), mailbox=mailbox)


def _make_dispatcher(gateway: Gateway, composer: Composer, senders: Senders) -> Dispatcher:
    settings = gateway.settings.delivery
    configured = gateway.settings.providers
    smtp = {name: one for name, one in configured.items() if isinstance(one, SmtpProviderSettings)}
    timeouts = {name: one.timeout.total_seconds() for name, one in smtp.items()}
    of_providers = {name: one.sender for name, one in smtp.items() if one.sender is not None}
    return Dispatcher(
        store=gateway.store.dispatch,
        composer=composer,
        routing=gateway.routing,
        providers=gateway.providers,
        health=Health(gateway.clock),
        addressing=Addressing(senders, of_providers, timeouts),
        rules=DispatchRules(
            retry=RetryPolicy(attempts=settings.attempts, first=settings.retry_first, longest=settings.retry_max),
            unknown_after=settings.unknown_after,
            resent=frozenset(category for category in Category if settings.on_unknown.resends(category)),
        ),
        clock=gateway.clock,
        chance=random.random,
        metrics=gateway.metrics,
    )


def _make_worker(gateway: Gateway, dispatcher: Dispatcher, wake: Doorbell) -> Worker:
    sweeper = Sweeper(
        leases=gateway.store.leases,
        backlog=gateway.store.accepting,
        wake=wake,
        clock=gateway.clock,
        metrics=gateway.metrics,
    )
    return Worker(
        queue=gateway.store.dispatch,
        leases=gateway.store.leases,
        dispatcher=dispatcher,
        sweeper=sweeper,
        wake=wake,
        clock=gateway.clock,
        metrics=gateway.metrics,
        in_flight=gateway.settings.delivery.in_flight,
        drain=max(gateway.settings.server.drain - _CLOSING, timedelta(0)),
    )


async def _make_first_key(services: ServiceStore, clock: Clock) -> str | None:
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
