"""What the use cases are made of: the store, the contents, the providers, and what more than one of them shares."""

from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from gateway.bootstrap.bells import Bells, open_bells
from gateway.bootstrap.connections import make_routing, open_providers
from gateway.bootstrap.content import open_content
from gateway.bootstrap.imprints import postal_addresses
from gateway.bootstrap.notifying import open_service_calls
from gateway.bootstrap.rules import make_terms
from gateway.bootstrap.stores import Meanwhile, awaited_store, derived_webhook_secret, link_secret
from gateway.delivery.accepting.admission import Admission
from gateway.delivery.accepting.attachments import AttachmentLimits
from gateway.delivery.accepting.drafting import Drafter
from gateway.delivery.accepting.senders import Senders
from gateway.delivery.dispatching.composition import Composer
from gateway.delivery.dispatching.envelopes import Addressing
from gateway.delivery.dispatching.facts import Terms
from gateway.delivery.dispatching.fallbacks import FallbackReport
from gateway.delivery.dispatching.links import UnsubscribeLinks
from gateway.delivery.dispatching.routing import RoutingTable
from gateway.delivery.engagement.links import EngagementLinks
from gateway.delivery.engagement.wrapping import Wrapper
from gateway.delivery.people.confirmation import ConfirmationLinks
from gateway.delivery.people.erasure import Eraser
from gateway.localization.catalogs import CatalogLibrary
from gateway.metrics import Metrics
from gateway.ports import Clock, Provider
from gateway.ports.kinds import SendingSection
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.renderer import Renderer
from gateway.settings import Settings
from gateway.settings.providers import MailboxProviderSettings
from gateway.storage.store import Store
from providers.service_calls import ServiceCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the use cases are made of, open and ready."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    bells: Bells
    store: Store
    templates: TemplateLibrary
    catalogs: CatalogLibrary
    page_catalogs: CatalogLibrary
    providers: Mapping[str, Provider]
    routing: RoutingTable
    renderer: Renderer
    links: UnsubscribeLinks
    confirmations: ConfirmationLinks
    engagement_links: EngagementLinks
    wrapper: Wrapper | None
    """None where nothing is to be told of opens and clicks."""
    composer: Composer
    drafter: Drafter
    addressing: Addressing
    eraser: Eraser
    senders: Senders
    admission: Admission
    terms: Terms
    service_calls: ServiceCalls


async def open_parts(
    settings: Settings,
    clock: Clock,
    further: Collection[Provider],
    stack: AsyncExitStack,
    *,
    work: bool,
    together: bool,
    meanwhile: Meanwhile,
) -> Parts:
    """Open what the settings name, to be closed with the stack. Raises ConfigurationError."""
    metrics, terms = Metrics(), make_terms(settings)
    opening = awaited_store(
        settings,
        clock,
        further,
        metrics.commit_seconds.observe,
        is_capped=terms.may_be_capped,
        spenders=terms.spending or None,
        meanwhile=meanwhile,
    )
    store = await stack.enter_async_context(opening)
    templates, catalogs, page_catalogs = await open_content(settings, metrics, stack)
    secret = await link_secret(settings, store.database)
    webhook_secret = derived_webhook_secret(secret)
    providers = await open_providers(
        settings, store.mailbox, clock, stack, further, together=together, webhook_secret=webhook_secret
    )
    renderer = Renderer(templates, catalogs, FallbackReport(metrics))
    links = UnsubscribeLinks(secret, settings.public_url)
    engagement_links = EngagementLinks(secret, settings.public_url)
    wrapper = _make_wrapper(settings, engagement_links)
    composer = Composer(renderer, links, settings.policy.default_timezone, postal_addresses(settings), wrapper)
    senders = Senders(store.services, clock)
    return Parts(
        settings=settings,
        clock=clock,
        metrics=metrics,
        bells=await open_bells(settings, stack, work=work),
        store=store,
        templates=templates,
        catalogs=catalogs,
        page_catalogs=page_catalogs,
        providers=providers,
        routing=make_routing(settings, providers),
        renderer=renderer,
        links=links,
        confirmations=ConfirmationLinks(secret, settings.public_url),
        engagement_links=engagement_links,
        wrapper=wrapper,
        composer=composer,
        drafter=_make_drafter(settings, store, renderer, composer, senders),
        addressing=_make_addressing(settings, senders),
        eraser=Eraser(store=store.erasures, pseudonyms=store.pseudonyms, clock=clock),
        senders=senders,
        terms=terms,
        service_calls=open_service_calls(settings, clock, stack),
        admission=await stack.enter_async_context(Admission(store.accepting, clock, settings.delivery.shed_after)),
    )


def _make_wrapper(settings: Settings, links: EngagementLinks) -> Wrapper | None:
    asked = settings.engagement
    if not asked.opens and not asked.clicks:
        return None
    return Wrapper(links, opens=asked.opens, clicks=asked.clicks, hosts=asked.hosts)


def _make_drafter(
    settings: Settings, store: Store, renderer: Renderer, composer: Composer, senders: Senders
) -> Drafter:
    limits = settings.limits
    return Drafter(
        renderer=renderer,
        composer=composer,
        recipients=store.recipients,
        senders=senders,
        limits=AttachmentLimits(files=limits.attachments, total_bytes=limits.attachment_bytes),
        default_timezone=settings.policy.default_timezone,
    )


def _make_addressing(settings: Settings, senders: Senders) -> Addressing:
    configured = settings.providers.items()
    outside = {name: one for name, one in configured if not isinstance(one, MailboxProviderSettings)}
    timeouts = {name: one.timeout.total_seconds() for name, one in outside.items()}
    of_providers = {name: one.sender for name, one in configured if isinstance(one, SendingSection) and one.sender}
    return Addressing(senders, of_providers, timeouts)
