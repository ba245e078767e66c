"""What the HTTP layer measures: requests by route, method and status, and how long they took."""

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram

_UNROUTED = "(none)"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class HttpMetrics:
    """Counters of one app; a route is named by its pattern, so that ids make no series of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "heliograph_http_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "heliograph_http_request_seconds",
            "From the request's head to its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count(self, request: web.Request, status: int, seconds: float) -> None:
        """Count one answered request."""
        resource = request.match_info.route.resource
        route = _UNROUTED if resource is None else resource.canonical
        # Methods are the caller's words: on no route of ours they would make series without end.
        method = request.method if resource is not None else _UNROUTED
        series = self._series.get((route, method, status))
        if series is None:
            series = self._requests.labels(route, method, str(status)), self._seconds.labels(route)
            self._series[route, method, status] = series
        series[0].inc()
        series[1].observe(seconds)
