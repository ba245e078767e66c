"""Who tells services what becomes of their messages."""

import random
from contextlib import AsyncExitStack

from gateway.delivery.notifying.notifier import Notifier
from gateway.delivery.notifying.pacing import Pacing
from gateway.metrics import Metrics
from gateway.ports import Clock, EndpointCaller
from gateway.settings import Settings
from gateway.storage.store import Store
from gateway.work.notices import NoticeLoop
from providers.endpoints import EndpointGuard
from providers.http import HttpSettings
from providers.service_calls import ServiceCalls


def open_service_calls(settings: Settings, clock: Clock, stack: AsyncExitStack) -> ServiceCalls:
    """The way to endpoints; closed with the stack."""
    how, guard = settings.webhooks, EndpointGuard(settings.security.allow_private_endpoints)
    # A place for each call that may be under way, and for trials: none waits for another's connection.
    http = HttpSettings(timeout_seconds=how.timeout.total_seconds(), connections=2 * how.in_flight)
    calls = ServiceCalls(guard, http, clock)
    stack.push_async_callback(calls.aclose)
    return calls


def make_notice_loop(
    settings: Settings, store: Store, calls: EndpointCaller, clock: Clock, metrics: Metrics
) -> NoticeLoop:
    """What calls notices out, to be opened beside the worker."""
    how = settings.webhooks
    notifier = Notifier(
        store=store.notices,
        caller=calls,
        pacing=Pacing(
            first=how.retry_first,
            longest=how.retry_max,
            give_up_after=how.give_up_after,
            disable_after=how.disable_after,
        ),
        source=settings.public_url,
        clock=clock,
        chance=random.random,
        metrics=metrics,
    )
    return NoticeLoop(
        store=store.notices,
        notifier=notifier,
        clock=clock,
        in_flight=how.in_flight,
        timeout=how.timeout,
        longest=how.retry_max,
    )
