"""The worker, and all that a claim meets on its way."""

import random

from gateway.bootstrap.gateway import draining
from gateway.bootstrap.parts import Parts
from gateway.bootstrap.tracking import make_tracker
from gateway.delivery.dispatching.breaker import BreakerRules
from gateway.delivery.dispatching.dispatch import Dispatcher
from gateway.delivery.dispatching.health import Health, watching
from gateway.delivery.dispatching.judging import DispatchRules
from gateway.delivery.dispatching.pacing import Pacing
from gateway.delivery.dispatching.retry import RetryPolicy
from gateway.delivery.tracking.looks import LookRules
from gateway.delivery.tracking.receipts import Tracker
from gateway.delivery.tracking.settling import Settler
from gateway.delivery.upkeep.recovery import Sweeper
from gateway.delivery.upkeep.retention import Forgetter
from gateway.domain.preferences import Category
from gateway.ports import Retention, Searchable, StatusSource
from gateway.work.worker import Worker


def make_worker(parts: Parts, pacing: Pacing) -> Worker:
    """What claims deliveries and works them, to be opened; its bell is this process's own."""
    wake = parts.bells.worker
    tracker = make_tracker(parts, wake)
    return Worker(
        queue=parts.store.dispatch,
        leases=parts.store.leases,
        dispatcher=_make_dispatcher(parts, pacing, tracker),
        sweeper=_make_sweeper(parts, tracker),
        wake=wake,
        others=parts.bells.others,
        clock=parts.clock,
        metrics=parts.metrics,
        in_flight=parts.settings.delivery.in_flight,
        longest_retry=parts.settings.delivery.retry_max,
        drain=draining(parts.settings),
    )


def _make_dispatcher(parts: Parts, pacing: Pacing, tracker: Tracker) -> Dispatcher:
    settings, looks = parts.settings.delivery, _look_rules(parts)
    breaker = BreakerRules(slow_seconds=settings.slow_after.total_seconds())
    return Dispatcher(
        store=parts.store.dispatch,
        composer=parts.composer,
        routing=parts.routing,
        terms=parts.terms,
        providers=parts.providers,
        health=Health(parts.clock, breaker, watching(parts.metrics)),
        pacing=pacing,
        addressing=parts.addressing,
        rules=DispatchRules(
            retry=RetryPolicy(attempts=settings.attempts, first=settings.retry_first, longest=settings.retry_max),
            looks=looks,
            release_over=parts.settings.policy.release_over,
        ),
        settler=Settler(
            store=parts.store.calls,
            tracker=tracker,
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


def _look_rules(parts: Parts) -> LookRules:
    settings, providers = parts.settings.delivery, parts.providers.items()
    return LookRules(
        searched=frozenset(name for name, one in providers if isinstance(one, Searchable)),
        asked=frozenset(name for name, one in providers if isinstance(one, StatusSource) and one.capabilities.receipts),
        ask_after=settings.ask_after,
        unknown_after=settings.unknown_after,
        resent=frozenset(category for category in Category if settings.on_unknown.resends(category)),
        attempts=settings.attempts,
    )


def _make_sweeper(parts: Parts, tracker: Tracker) -> Sweeper:
    retention = Retention(**parts.settings.retention.model_dump())
    return Sweeper(
        leases=parts.store.leases,
        refunds=parts.store.dispatch,
        forgetter=Forgetter(store=parts.store.forgetting, retention=retention, clock=parts.clock),
        eraser=parts.eraser,
        tracker=tracker,
        wake=parts.bells.worker,
        clock=parts.clock,
        metrics=parts.metrics,
    )
