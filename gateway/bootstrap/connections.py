"""Providers, opened from their settings, and the routes to them."""

from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import Final

import structlog

from gateway.bootstrap.accounts import Account, callback_url, make_account
from gateway.delivery.dispatching.routing import Route, RoutingTable
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from gateway.ports import Clock, MailboxStore, Opening, Provider, ProviderSection
from gateway.settings import Settings
from gateway.settings.kinds import load_kind
from gateway.settings.providers import (
    MailboxProviderSettings,
    SmtpProviderSettings,
)
from providers.dkim import DkimKey
from providers.mailbox import MailboxProvider
from providers.smtp import SmtpProvider, SmtpSettings

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MAILBOX: Final = "mailbox"
Outside = Account | SmtpProviderSettings | ProviderSection
"""Settings of what is not ours: everything but a mailbox."""


def mailbox_name(settings: Settings) -> str:
    """The mailbox that test keys and channels without a route go to: the first configured, else one of our own."""
    for name, one in settings.providers.items():
        if isinstance(one, MailboxProviderSettings):
            return name
    if _MAILBOX in settings.providers:
        raise ConfigurationError(f"providers.{_MAILBOX}: this name is the mailbox's; give the other provider another")
    return _MAILBOX


async def open_providers(
    settings: Settings,
    mailbox: MailboxStore,
    clock: Clock,
    stack: AsyncExitStack,
    further: Collection[Provider],
    *,
    together: bool,
    webhook_secret: str,
) -> Mapping[str, Provider]:
    """All providers, closed with the stack; `together` with other processes a mailbox shares its port.

    With `webhook_secret` texts to a mailbox are signed that names no secret of its own, and addresses for receipts
    from a provider that signs nothing.
    """
    configured = dict(settings.providers)
    configured.setdefault(mailbox_name(settings), MailboxProviderSettings(kind="mailbox"))
    providers: dict[str, Provider] = {provider.name: provider for provider in further}
    for provider in further:
        stack.push_async_callback(provider.aclose)
    for name, one in configured.items():
        match one:
            case MailboxProviderSettings():
                shared = together and one.port != 0
                opened: Provider = await _open_mailbox(name, one, mailbox, clock, webhook_secret, shared=shared)
            case _:
                opened = open_outside(name, one, settings, clock, receipt_key=webhook_secret)
        stack.push_async_callback(opened.aclose)
        providers[name] = opened
    return providers


def open_outside(name: str, one: Outside, settings: Settings, clock: Clock, *, receipt_key: str) -> Provider:
    """A provider that is not ours: a relay, an account, or a kind that another distribution brought.

    Raises ConfigurationError for keys and files that cannot be read.
    """
    match one:
        case SmtpProviderSettings():
            return SmtpProvider(name, _smtp_settings(one))
        case ProviderSection():
            return _open_foreign(name, one, settings, clock)
        case _:
            return make_account(name, one, settings, clock, receipt_key=receipt_key)


async def _open_mailbox(
    name: str,
    one: MailboxProviderSettings,
    mailbox: MailboxStore,
    clock: Clock,
    webhook_secret: str,
    *,
    shared: bool,
) -> Provider:
    secret = webhook_secret if one.webhook_secret is None else one.webhook_secret.get_secret_value()
    try:
        return await MailboxProvider.open(
            name, mailbox, clock, host=one.host, port=one.port, shared=shared, webhook_secret=secret
        )
    except OSError as error:
        raise ConfigurationError(f"providers.{name}: cannot listen on {one.host}:{one.port}: {error}") from error


def _open_foreign(name: str, one: ProviderSection, settings: Settings, clock: Clock) -> Provider:
    """An account of a kind that another distribution brought."""
    allowed = settings.security.allow_private_endpoints
    opening = Opening(clock=clock, webhook_url=callback_url(settings, name), allow_private_endpoints=allowed)
    return load_kind(one.kind).open(name, one, opening)


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
        bounce_domain=one.bounce_domain,
        dkim=tuple(
            DkimKey(domain=key.domain, selector=key.selector, pem=key.key.get_secret_value())
            for key in one.dkim.values()
        ),
    )


def require_routes(settings: Settings) -> None:
    """Outside the embedded mode nobody looks into a mailbox: each channel must be routed on purpose.

    Raises ConfigurationError that names the channels without a route.
    """
    if not settings.queue.url:
        return
    routed = {route.channel for route in settings.routes}
    unrouted = [channel.value for channel in Channel if channel not in routed]
    if unrouted:
        raise ConfigurationError(
            f"routes: outside the embedded mode each channel needs one, and {', '.join(unrouted)} has none; write"
            f' [[routes]] with channel = "{unrouted[0]}" and its providers; one of kind "mailbox" keeps what it gets'
        )


def make_routing(settings: Settings, providers: Mapping[str, Provider]) -> RoutingTable:
    """The configured routes; in embedded mode what they leave open goes to the mailbox, with a warning.

    Outside of it policy refuses what the routes of its channel leave out: a country, or a category.
    """
    routes = [
        Route(
            channel=one.channel,
            countries=frozenset(one.countries),
            categories=frozenset(one.categories),
            providers=one.names,
            weights=one.weights,
        )
        for one in settings.routes
    ]
    for route in routes:
        for name in route.providers:
            if route.channel not in providers[name].capabilities.channels:
                raise ConfigurationError(f"routes: the provider {name!r} cannot send {route.channel}")
    mailbox = mailbox_name(settings)
    routed = {route.channel for route in routes}
    for channel in RoutingTable(routes=tuple(routes), mailbox=mailbox).missing():
        event = "route.partial" if channel in routed else "route.missing"
        if settings.queue.url:
            _log.warning(event, channel=channel.value)
        else:
            _log.warning(event, channel=channel.value, using=mailbox)
            routes.append(Route(channel=channel, providers=(mailbox,)))
    platforms = {name: one.capabilities.platforms for name, one in providers.items()}
    return RoutingTable(routes=tuple(routes), mailbox=mailbox, platforms=platforms)
