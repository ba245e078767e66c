"""The gateway, put together from the settings and taken apart in the opposite order."""

import random
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace

from gateway.bootstrap.bounces import make_bounce_desk, open_bounce_listeners
from gateway.bootstrap.connections import require_routes
from gateway.bootstrap.gateway import Gateway
from gateway.bootstrap.imprints import imprint_check
from gateway.bootstrap.limits import open_pacing
from gateway.bootstrap.messages import make_acceptor, make_explainer, make_previewer, make_steering
from gateway.bootstrap.notifying import make_notice_loop
from gateway.bootstrap.parts import Parts, open_parts
from gateway.bootstrap.people import (
    make_confirmation,
    make_exporter,
    make_inbound_desk,
    make_recorder,
    make_unsubscriber,
)
from gateway.bootstrap.rules import follow_rules, record_overrides
from gateway.bootstrap.stores import Meanwhile, SystemClock, make_first_key
from gateway.bootstrap.tracking import make_converter, make_engagement_desk, make_tracker
from gateway.bootstrap.working import make_worker
from gateway.delivery.notifying.desk import EndpointDesk
from gateway.delivery.upkeep.readiness import ReadinessCheck
from gateway.delivery.upkeep.spending import SpendingReport
from gateway.ports import Clock, Provider
from gateway.settings import Settings
from gateway.storage.engines.driver import Engine
from gateway.storage.engines.engine import engine_of
from gateway.storage.engines.sqlite import warn_of_defects
from gateway.work.gauges import Gauges


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
    listened for. One of several processes that run `together` shares fixed ports with them. A store that is not there
    yet is waited for, with what `meanwhile` makes open. `further` providers serve beside the configured ones. Leaving
    the block finishes the calls under way. Raises ConfigurationError before anything is sent.
    """
    require_routes(settings)
    if engine_of(settings.store.url) is Engine.SQLITE:
        warn_of_defects()
    async with AsyncExitStack() as stack:
        together = together or bool(settings.queue.url)
        parts = await open_parts(
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
            worker = await stack.enter_async_context(make_worker(parts, pacing))
            gateway.readiness.watch(lambda: worker.is_working)
            await stack.enter_async_context(
                make_notice_loop(parts.settings, parts.store, parts.service_calls, parts.clock, parts.metrics)
            )
            gateway = replace(gateway, worker=worker)
        yield gateway


def _assemble(parts: Parts, first_key: str | None) -> Gateway:
    settings, clock, store = parts.settings, parts.clock, parts.store
    tracker, confirmation = make_tracker(parts, parts.bells.accepted), make_confirmation(parts)
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
        acceptor=make_acceptor(parts),
        explainer=make_explainer(parts),
        previewer=make_previewer(parts),
        steering=make_steering(parts, tracker),
        unsubscriber=make_unsubscriber(parts),
        confirmation=confirmation,
        confirmation_links=parts.confirmations,
        recorder=make_recorder(parts, confirmation),
        eraser=parts.eraser,
        exporter=make_exporter(parts),
        inbound=make_inbound_desk(parts),
        engagement=make_engagement_desk(parts),
        converter=make_converter(parts),
        tracker=tracker,
        endpoint_desk=EndpointDesk(
            store=store.endpoints, caller=parts.service_calls, source=settings.public_url, clock=clock
        ),
        readiness=ReadinessCheck(
            store=store.condition,
            templates=parts.templates,
            catalogs=parts.catalogs,
            clock=clock,
            warn=imprint_check(settings, parts.templates).warnings,
        ),
        spending=SpendingReport(store=store.spending, services=store.services, terms=parts.terms, clock=clock),
        worker=None,
        first_key=first_key,
    )
