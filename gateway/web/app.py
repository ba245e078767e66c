"""The web application: every route, one middleware around them, and the gateway that they reach."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from gateway.domain.preferences import Category
from gateway.rendering.renderer import Renderer
from gateway.web.admission import Admission
from gateway.web.api import (
    batch,
    consents,
    conversions,
    explain,
    export,
    health,
    inbound,
    messages,
    metrics,
    recipients,
    spending,
    steering,
    suppressions,
    templates,
    webhooks,
)
from gateway.web.documentation import documentation_routes
from gateway.web.doorway import DOORWAY, Doorway
from gateway.web.endpoints import Endpoint, api_routes
from gateway.web.gateway import Gateway
from gateway.web.hooks import hook_routes
from gateway.web.metrics import HttpMetrics
from gateway.web.middlewares import Guard
from gateway.web.shortcuts import SHORTCUTS, shortcuts_to
from gateway.web.static_files import static_routes

ADMISSION: Final = web.AppKey("admission", Admission)
"""Tells the process that stops to drain first: `app[ADMISSION].drain()`."""

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *messages.ENDPOINTS,
    *batch.ENDPOINTS,
    *explain.ENDPOINTS,
    *steering.ENDPOINTS,
    *templates.ENDPOINTS,
    *recipients.ENDPOINTS,
    *export.ENDPOINTS,
    *consents.ENDPOINTS,
    *suppressions.ENDPOINTS,
    *conversions.ENDPOINTS,
    *inbound.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *spending.ENDPOINTS,
    *health.ENDPOINTS,
    *metrics.ENDPOINTS,
)
"""The whole API, in the order of its document."""

_MOST_REQUESTS_AT_ONCE: Final = 256
"""As many as share a commit; more only wait longer, and those who are refused with them."""


def make_app(gateway: Gateway, pages: Iterable[web.AbstractRouteDef] = ()) -> web.Application:
    """The application over a running gateway, which its caller opened and closes; `pages` are routes beside the API."""
    settings = gateway.settings
    admission = Admission(_MOST_REQUESTS_AT_ONCE)
    measured = HttpMetrics(gateway.metrics.registry)
    guard = Guard(admission, measured, is_https=settings.public_url.startswith("https://"))
    limit = max(settings.limits.body_bytes, settings.limits.batch_body_bytes)
    app = web.Application(middlewares=[guard.middleware()], client_max_size=limit + 1)
    app[ADMISSION] = admission
    app[DOORWAY] = Doorway(
        admission,
        gateway.acceptor,
        measured,
        guard.ids,
        standing=guard.standing,
        urgent=lambda: _urgent_templates(gateway.renderer),
    )
    routes = api_routes(ENDPOINTS, gateway)
    app[SHORTCUTS] = shortcuts_to(routes, guard)
    app.add_routes(routes)
    app.add_routes(documentation_routes(ENDPOINTS, server=settings.public_url))
    app.add_routes(static_routes())
    app.add_routes(
        hook_routes(
            receivers=gateway.receivers,
            desk=gateway.inbound,
            tracker=gateway.tracker,
            clock=gateway.clock,
            public_url=settings.public_url,
        )
    )
    app.add_routes(pages)
    return app


def _urgent_templates(renderer: Renderer) -> list[str]:
    templates = renderer.pin().templates.templates
    return [name for name, template in templates.items() if template.category is Category.CRITICAL]
