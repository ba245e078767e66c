"""`heliograph worker`: dispatch on its own, beside processes that accept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from gateway.bootstrap import Gateway, open_gateway
from gateway.cli.output import command
from gateway.cli.running import stop_signals
from gateway.configuration import load_settings
from gateway.logs import configure_logs
from gateway.resources import refuse_foreign_providers, version
from gateway.settings import masked_url
from gateway.web.app import make_probe_app
from gateway.web.server import listening

log = structlog.get_logger(__name__)


@command
async def worker() -> None:
    """Hand over what `heliograph serve` accepts, until SIGTERM or Ctrl-C; any number may run, on any machines.

    With `[queue] url` it is rung through Redis, without it looks every second. `[worker] port` answers probes.
    """
    refuse_foreign_providers()
    loaded = load_settings()
    settings = loaded.settings
    configure_logs(settings.log)
    with loaded.placing(), stop_signals() as stop:
        async with open_gateway(settings, work=True) as gateway, _probes(gateway) as port:
            store, queue = masked_url(settings.store.url), masked_url(settings.queue.url)
            log.info("worker.started", store=store, queue=queue or None, probes=port, version=version())
            await stop.wait()
            log.info("worker.stopping")
            await gateway.drain()
    log.info("worker.stopped")


@asynccontextmanager
async def _probes(gateway: Gateway) -> AsyncIterator[int | None]:
    host, port = gateway.settings.worker.host, gateway.settings.worker.port
    if port is None:
        yield None
        return
    async with listening(make_probe_app(gateway), host, port) as bound:
        yield bound
