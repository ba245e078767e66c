"""What the HTTP layer measures: requests by route, method and status, and how long they took."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_UNROUTED: Final = "(none)"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BOUNDS: Final = (*map(str, _BUCKETS), "+Inf")


class _Durations:
    """A histogram that only the event loop writes: a number goes into its bucket without a lock."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * len(_BOUNDS)
        self.total = 0.0

    def buckets(self) -> list[tuple[str, float]]:
        """Each upper bound with how many were no longer."""
        seen, buckets = 0, []
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        return buckets


class HttpMetrics(Collector):
    """Counters of one app; a route is named by its pattern, so that ids make no series of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[str, _Durations] = {}
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Both metrics, as Prometheus reads them."""
        requests = CounterMetricFamily(
            "heliograph_http_requests", "Requests answered.", labels=("route", "method", "status")
        )
        for (route, method, status), count in self._requests.items():
            requests.add_metric((route, method, str(status)), count)
        seconds = HistogramMetricFamily(
            "heliograph_http_request_seconds", "From the request's head to its answer.", labels=("route",)
        )
        for route, durations in self._seconds.items():
            seconds.add_metric((route,), durations.buckets(), durations.total)
        return requests, seconds

    def count(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        if route is None:
            # Methods are the caller's words: on no route of ours they would make series without end.
            route = method = _UNROUTED
        series = route, method, status
        self._requests[series] = self._requests.get(series, 0) + 1
        durations = self._seconds.get(route)
        if durations is None:
            durations = self._seconds[route] = _Durations()
        durations.counts[bisect_left(_BUCKETS, seconds)] += 1
        durations.total += seconds
