"""The gateway, put together from the settings and taken apart in the opposite order."""

import random
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace

from gateway.bootstrap.bells import Bells, open_bells
from gateway.bootstrap.bounces import make_bounce_desk, open_bounce_listeners
from gateway.bootstrap.connections import make_routing, open_providers, require_routes
from gateway.bootstrap.content import open_content
from gateway.bootstrap.gateway import Gateway, draining
from gateway.bootstrap.imprints import imprint_check, postal_addresses
from gateway.bootstrap.limits import open_pacing
from gateway.bootstrap.notifying import make_notice_loop, open_service_calls
from gateway.bootstrap.rules import follow_rules, make_terms, record_overrides
from gateway.bootstrap.stores import (
    Meanwhile,
    SystemClock,
    awaited_store,
    derived_webhook_secret,
    link_secret,
    make_first_key,
)
from gateway.delivery.accepting.accept import Acceptor
from gateway.delivery.accepting.admission import Admission
from gateway.delivery.accepting.attachments import AttachmentLimits
from gateway.delivery.accepting.drafting import Drafter
from gateway.delivery.accepting.senders import Senders
from gateway.delivery.dispatching.breaker import BreakerRules
from gateway.delivery.dispatching.composition import Composer
from gateway.delivery.dispatching.dispatch import Dispatcher
from gateway.delivery.dispatching.envelopes import Addressing
from gateway.delivery.dispatching.facts import Terms
from gateway.delivery.dispatching.fallbacks import FallbackReport
from gateway.delivery.dispatching.health import Health, watching
from gateway.delivery.dispatching.judging import DispatchRules
from gateway.delivery.dispatching.links import UnsubscribeLinks
from gateway.delivery.dispatching.pacing import Pacing
from gateway.delivery.dispatching.retry import RetryPolicy
from gateway.delivery.dispatching.routing import RoutingTable
from gateway.delivery.engagement.conversions import Converter
from gateway.delivery.engagement.desk import EngagementDesk
from gateway.delivery.engagement.links import EngagementLinks
from gateway.delivery.engagement.told import ToldByProviders
from gateway.delivery.engagement.wrapping import Wrapper
from gateway.delivery.notifying.desk import EndpointDesk
from gateway.delivery.people.confirmation import Confirmation, ConfirmationLinks
from gateway.delivery.people.consents import Recorder
from gateway.delivery.people.erasure import Eraser
from gateway.delivery.people.export import Exporter
from gateway.delivery.people.inbound import InboundDesk
from gateway.delivery.people.unsubscribe import Unsubscriber
from gateway.delivery.tracking.looks import LookRules
from gateway.delivery.tracking.recalling import Recaller
from gateway.delivery.tracking.receipts import Tracker
from gateway.delivery.tracking.settling import Settler
from gateway.delivery.upkeep.readiness import ReadinessCheck
from gateway.delivery.upkeep.recovery import Sweeper
from gateway.delivery.upkeep.retention import Forgetter
from gateway.delivery.upkeep.spending import SpendingReport
from gateway.delivery.upkeep.steering import Steering
from gateway.delivery.what_if.explain import Explainer
from gateway.delivery.what_if.preview import Previewer
from gateway.domain.preferences import Category
from gateway.localization.catalogs import CatalogLibrary
from gateway.metrics import Metrics
from gateway.policy.stopwords.lexicon import load_lexicon
from gateway.ports import (
    Clock,
    Provider,
    Retention,
    Searchable,
    StatusSource,
    Wake,
)
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.renderer import Renderer
from gateway.settings import Settings
from gateway.settings.providers import MailboxProviderSettings
from gateway.storage.engines.driver import Engine
from gateway.storage.engines.engine import engine_of
from gateway.storage.engines.sqlite import warn_of_defects
from gateway.storage.store import Store
from gateway.work.gauges import Gauges
from gateway.work.worker import Worker
from providers.service_calls import ServiceCalls


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    *,
    work: bool = True,
    accept: bool = True,
    together: bool = False,
    meanwhile: Meanwhile = nullcontext,
    clock: Clock | None = None,
    further: Collection[Provider] = (),
) -> AsyncIterator[Gateway]:
    """Open everything that the settings name, and close it in the opposite order.

    The store's tables are brought up to date first. Without `work` nothing is claimed: messages are accepted and
    wait for other processes. Without `accept` no first key is made, for nobody would show it, and no bounces are
    listened for. One of several
    processes that run `together` shares fixed ports with them. A store that is not there yet is waited for, with
    what `meanwhile` makes open. `further` providers serve beside the configured ones. Leaving the block finishes the
    calls under way. Raises ConfigurationError before anything is sent.
    """
    require_routes(settings)
    if engine_of(settings.store.url) is Engine.SQLITE:
        warn_of_defects()
    async with AsyncExitStack() as stack:
        together = together or bool(settings.queue.url)
        parts = await _open_parts(
            settings, clock or SystemClock(), further, stack, work=work, together=together, meanwhile=meanwhile
        )
        # In scaled mode nobody watches a process's standard output: there `heliograph keys create` makes the keys.
        embedded = accept and not settings.queue.url
        key = await make_first_key(parts.store.services, parts.clock) if embedded else None
        gateway = _assemble(parts, key)
        gateway.readiness.watch_queue(parts.bells.is_connected)
        if accept:
            desk = make_bounce_desk(settings, parts.store.receipts, gateway.tracker)
            addresses = await open_bounce_listeners(settings, desk, stack, together=together)
            gateway = replace(gateway, bounce_addresses=addresses)
        await stack.enter_async_context(
            Gauges(
                store=parts.store.watching,
                clock=parts.clock,
                metrics=parts.metrics,
                spending=gateway.spending if parts.terms.spending else None,
            )
        )
        if work:
            await follow_rules(parts.terms, parts.store.database, parts.clock.now())
            await record_overrides(parts.terms.rules, parts.store.audit, parts.clock.now())
            pacing = await open_pacing(settings, parts.clock, random.random, stack)
            worker = await stack.enter_async_context(_make_worker(parts, _make_dispatcher(parts, pacing)))
            gateway.readiness.watch(lambda: worker.is_working)
            await stack.enter_async_context(
                make_notice_loop(parts.settings, parts.store, parts.service_calls, parts.clock, parts.metrics)
            )
            gateway = replace(gateway, worker=worker)
        yield gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
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
    eraser: Eraser
    senders: Senders
    admission: Admission
    terms: Terms
    service_calls: ServiceCalls


async def _open_parts(
    settings: Settings,
    clock: Clock,
    further: Collection[Provider],
    stack: AsyncExitStack,
    *,
    work: bool,
    together: bool,
    meanwhile: Meanwhile,
) -> _Parts:
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
    providers = await open_providers(
        settings,
        store.mailbox,
        clock,
        stack,
        further,
        together=together,
        webhook_secret=derived_webhook_secret(secret),
    )
    renderer = Renderer(templates, catalogs, FallbackReport(metrics))
    links = UnsubscribeLinks(secret, settings.public_url)
    engagement_links = EngagementLinks(secret, settings.public_url)
    wrapper = _make_wrapper(settings, engagement_links)
    return _Parts(
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
        composer=Composer(renderer, links, settings.policy.default_timezone, postal_addresses(settings), wrapper),
        eraser=Eraser(store=store.erasures, pseudonyms=store.pseudonyms, clock=clock),
        senders=Senders(store.services, clock),
        terms=terms,
        service_calls=open_service_calls(settings, clock, stack),
        admission=await stack.enter_async_context(Admission(store.accepting, clock, settings.delivery.shed_after)),
    )


def _assemble(parts: _Parts, first_key: str | None) -> Gateway:
    settings, clock, store, wake = parts.settings, parts.clock, parts.store, parts.bells.accepted
    zone, composer = settings.policy.default_timezone, parts.composer
    drafter = Drafter(
        renderer=parts.renderer,
        composer=composer,
        recipients=store.recipients,
        senders=parts.senders,
        limits=AttachmentLimits(files=settings.limits.attachments, total_bytes=settings.limits.attachment_bytes),
        default_timezone=zone,
    )
    confirmation = Confirmation(
        consents=store.consents,
        recipients=store.recipients,
        drafter=drafter,
        links=parts.confirmations,
        within=settings.consents.confirm_within,
        clock=clock,
    )
    return Gateway(
        settings=settings,
        clock=clock,
        metrics=parts.metrics,
        store=store,
        templates=parts.templates,
        catalogs=parts.catalogs,
        page_catalogs=parts.page_catalogs,
        renderer=parts.renderer,
        links=parts.links,
        routing=parts.routing,
        providers=parts.providers,
        acceptor=Acceptor(
            store=store.accepting,
            drafter=drafter,
            admission=parts.admission,
            wake=wake,
            clock=clock,
            metrics=parts.metrics,
        ),
        explainer=Explainer(
            store=store.dispatch,
            drafter=drafter,
            composer=composer,
            routing=parts.routing,
            terms=parts.terms,
            addressing=_make_addressing(parts),
            clock=clock,
        ),
        previewer=Previewer(
            renderer=parts.renderer,
            links=parts.links,
            clock=clock,
            default_timezone=zone,
            addresses=postal_addresses(settings),
            wrapper=parts.wrapper,
        ),
        steering=Steering(
            store=store.steering,
            log=store.log,
            audit=store.audit,
            recaller=Recaller(providers=parts.providers, tracker=_make_tracker(parts, wake)),
            wake=wake,
            clock=clock,
        ),
        eraser=parts.eraser,
        exporter=Exporter(
            belongings=store.belongings,
            recipients=store.recipients,
            consents=store.consents,
            suppressions=store.suppressions,
            log=store.log,
            engagements=store.engagements,
            audit=store.audit,
            pseudonyms=store.pseudonyms,
            clock=clock,
        ),
        unsubscriber=Unsubscriber(
            links=parts.links,
            log=store.log,
            consents=store.consents,
            suppressions=store.suppressions,
            recipients=store.recipients,
            readers=store.readers,
            default_timezone=zone,
            templates=parts.templates,
            clock=clock,
        ),
        confirmation=confirmation,
        confirmation_links=parts.confirmations,
        recorder=Recorder(
            consents=store.consents,
            confirmation=confirmation,
            pseudonyms=store.pseudonyms,
            wake=wake,
            clock=clock,
        ),
        engagement=EngagementDesk(
            store=store.engagements,
            links=parts.engagement_links,
            opens=settings.engagement.opens,
            clicks=settings.engagement.clicks,
            click_parameter=settings.engagement.click_parameter,
            clock=clock,
            metrics=parts.metrics,
        ),
        converter=Converter(
            store=store.engagements, within=settings.engagement.converted_within, clock=clock, metrics=parts.metrics
        ),
        tracker=_make_tracker(parts, wake),
        inbound=InboundDesk(
            store=store.inbound,
            services=store.services,
            senders=parts.senders,
            drafter=drafter,
            lexicon=load_lexicon(),
            covers=settings.policy.stop_covers,
            wake=wake,
            clock=clock,
            metrics=parts.metrics,
        ),
        endpoint_desk=EndpointDesk(
            store=store.endpoints, caller=parts.service_calls, source=settings.public_url, clock=clock
        ),
        spending=SpendingReport(store=store.spending, services=store.services, terms=parts.terms, clock=clock),
        readiness=ReadinessCheck(
            store=store.condition,
            templates=parts.templates,
            catalogs=parts.catalogs,
            clock=clock,
            warn=imprint_check(settings, parts.templates).warnings,
        ),
        worker=None,
        first_key=first_key,
    )


def _make_tracker(parts: _Parts, wake: Wake) -> Tracker:
    asked = parts.settings.engagement
    readers = ToldByProviders(parts.store.engagements, opens=asked.opens, clicks=asked.clicks)
    return Tracker(store=parts.store.receipts, readers=readers, wake=wake, clock=parts.clock, metrics=parts.metrics)


def _make_wrapper(settings: Settings, links: EngagementLinks) -> Wrapper | None:
    asked = settings.engagement
    if not asked.opens and not asked.clicks:
        return None
    return Wrapper(links, opens=asked.opens, clicks=asked.clicks, hosts=asked.hosts)


def _make_addressing(parts: _Parts) -> Addressing:
    configured = parts.settings.providers
    outside = {name: one for name, one in configured.items() if not isinstance(one, MailboxProviderSettings)}
    timeouts = {name: one.timeout.total_seconds() for name, one in outside.items()}
    senders = {name: getattr(one, "sender", None) for name, one in outside.items()}
    of_providers = {name: sender for name, sender in senders.items() if sender is not None}
    return Addressing(parts.senders, of_providers, timeouts)


def _make_dispatcher(parts: _Parts, pacing: Pacing) -> Dispatcher:
    settings = parts.settings.delivery
    breaker = BreakerRules(slow_seconds=settings.slow_after.total_seconds())
    health, looks = Health(parts.clock, breaker, watching(parts.metrics)), _look_rules(parts)
    return Dispatcher(
        store=parts.store.dispatch,
        composer=parts.composer,
        routing=parts.routing,
        terms=parts.terms,
        providers=parts.providers,
        health=health,
        pacing=pacing,
        addressing=_make_addressing(parts),
        rules=DispatchRules(
            retry=RetryPolicy(attempts=settings.attempts, first=settings.retry_first, longest=settings.retry_max),
            looks=looks,
            release_over=parts.settings.policy.release_over,
        ),
        settler=Settler(
            store=parts.store.calls,
            tracker=_make_tracker(parts, parts.bells.worker),
            providers=parts.providers,
            rules=looks,
            clock=parts.clock,
            chance=random.random,
            metrics=parts.metrics,
        ),
        clock=parts.clock,
        chance=random.random,
        wake=parts.bells.worker,
        metrics=parts.metrics,
    )


def _look_rules(parts: _Parts) -> LookRules:
    settings, providers = parts.settings.delivery, parts.providers.items()
    return LookRules(
        searched=frozenset(name for name, one in providers if isinstance(one, Searchable)),
        asked=frozenset(name for name, one in providers if isinstance(one, StatusSource) and one.capabilities.receipts),
        ask_after=settings.ask_after,
        unknown_after=settings.unknown_after,
        resent=frozenset(category for category in Category if settings.on_unknown.resends(category)),
        attempts=settings.attempts,
    )


def _make_forgetter(parts: _Parts) -> Forgetter:
    retention = Retention(**parts.settings.retention.model_dump())
    return Forgetter(store=parts.store.forgetting, retention=retention, clock=parts.clock)


def _make_worker(parts: _Parts, dispatcher: Dispatcher) -> Worker:
    wake = parts.bells.worker
    sweeper = Sweeper(
        leases=parts.store.leases,
        refunds=parts.store.dispatch,
        forgetter=_make_forgetter(parts),
        eraser=parts.eraser,
        tracker=_make_tracker(parts, wake),
        wake=wake,
        clock=parts.clock,
        metrics=parts.metrics,
    )
    return Worker(
        queue=parts.store.dispatch,
        leases=parts.store.leases,
        dispatcher=dispatcher,
        sweeper=sweeper,
        wake=parts.bells.worker,
        others=parts.bells.others,
        clock=parts.clock,
        metrics=parts.metrics,
        in_flight=parts.settings.delivery.in_flight,
        longest_retry=parts.settings.delivery.retry_max,
        drain=draining(parts.settings),
    )
