"""`/metrics`: for Prometheus."""

from typing import Final

from aiohttp import web

from gateway.web.endpoints import Answer, Call, Nothing, endpoint

_TEXT: Final = "text/plain"
_VERSION: Final = "0.0.4"
"""Of the text format; the one that every scraper reads."""


@endpoint(
    "GET",
    "/metrics",
    summary="What it measures",
    tag="Service",
    public=True,
    answers={200: Answer(description="Prometheus text format.", content_type=_TEXT)},
)
async def get_metrics(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Counters, gauges and histograms of all processes that were started as one; labels hold no id and no address."""
    content_type = f"{_TEXT}; version={_VERSION}; charset=utf-8"
    return web.Response(body=await call.gateway.metrics.exposition(), headers={"Content-Type": content_type})


ENDPOINTS: Final = (get_metrics,)
