"""`heliograph serve`: the gateway itself, until it is told to stop."""

import sys

import structlog

from gateway.bootstrap import Gateway, open_gateway
from gateway.cli.output import command, notes
from gateway.cli.running import stop_signals
from gateway.configuration import load_settings
from gateway.logs import configure_logs
from gateway.resources import refuse_foreign_providers, version
from gateway.settings import masked_url
from gateway.web.app import ADMISSION, make_app
from gateway.web.server import listening
from gateway.web.site import page_routes

log = structlog.get_logger(__name__)


@command
async def serve() -> None:
    """Run the gateway: HTTP API, pages and, in embedded mode, the worker, until SIGTERM or Ctrl-C.

    The first start prints one API key, alone on its line of standard output; all else goes to standard error.
    Settings come from heliograph.toml and HELIOGRAPH_* variables; see `heliograph config show --sources`.
    """
    refuse_foreign_providers()
    loaded = load_settings()
    settings = loaded.settings
    configure_logs(settings.log)
    with loaded.placing(), stop_signals() as stop:
        async with open_gateway(settings, work=not settings.queue.url) as gateway:
            app = make_app(gateway, page_routes(gateway))
            server = settings.server
            async with listening(app, server.host, server.port) as port:
                _announce(gateway, f"http://{server.host}:{port}")
                await stop.wait()
                log.info("server.draining")
                # From here on new posts get 503, until the calls under way are done and the listener closes.
                app[ADMISSION].drain()
                await gateway.drain()
    log.info("server.stopped")


def _announce(gateway: Gateway, address: str) -> None:
    if gateway.first_key is not None:
        sys.stdout.write(f"{gateway.first_key}\n")
        sys.stdout.flush()
    log.info("server.started", address=address, store=masked_url(gateway.settings.store.url), version=version())
    if gateway.settings.log.format == "json":
        return
    notes.print(f"Heliograph {version()} is ready", style="bold")
    for name, path in (("log", "/log"), ("mailbox", "/mailbox"), ("API", "/docs")):
        notes.print(f"  {name:<8} {address}{path}")
    if gateway.first_key is not None:
        notes.print("  The line on standard output is the first API key; it is not shown again.")
