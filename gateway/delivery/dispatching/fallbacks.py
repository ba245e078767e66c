"""Languages that were given up for another: counted each time, logged once for each reason."""

from typing import Final

import structlog

from gateway.metrics import Metrics
from gateway.rendering.renderer import Fallback

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MOST_REMEMBERED: Final = 1_000


class FallbackReport:
    """What the renderer calls when a language lacks a string or a translation fails."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: set[Fallback] = set()

    def __call__(self, fallback: Fallback) -> None:
        """Count it; a translator hears of each cause once."""
        self._metrics.fallbacks.labels(fallback.template).inc()
        if fallback in self._told:
            return
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told.add(fallback)
        # What a render failed of may quote the caller's data; a missing string is the template's own.
        lacks = fallback.reason if fallback.channel is None else None
        _log.warning(
            "locale.fell_back",
            template=fallback.template,
            locale=fallback.locale,
            channel=fallback.channel,
            lacks=lacks,
        )
