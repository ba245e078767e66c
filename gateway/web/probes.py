"""What a process without an API answers; apart from the API, whose shapes are megabytes that a worker does not need."""

from typing import Final

from aiohttp import web

from gateway.web.admission import Admission
from gateway.web.api import health, metrics
from gateway.web.endpoints import Endpoint, api_routes
from gateway.web.gateway import Gateway
from gateway.web.metrics import HttpMetrics
from gateway.web.middlewares import Guard

PROBES: Final[tuple[Endpoint, ...]] = (*health.ENDPOINTS, *metrics.ENDPOINTS)
_MOST_PROBES_AT_ONCE: Final = 16


def make_probe_app(gateway: Gateway) -> web.Application:
    """The application of a worker: whether it lives, whether it can work, and what it measures."""
    guard = Guard(Admission(_MOST_PROBES_AT_ONCE), HttpMetrics(gateway.metrics.registry), is_https=False)
    app = web.Application(middlewares=[guard.middleware()])
    app.add_routes(api_routes(PROBES, gateway))
    return app
