"""`heliograph serve`: the gateway itself, until it is told to stop."""

import asyncio
import sys
from typing import Annotated, Final

import structlog
import typer

from gateway.bootstrap import Gateway, open_gateway
from gateway.cli.output import command, notes
from gateway.cli.running import LifelineNumber, Stopping, run_together, stop_signals, supervised
from gateway.configuration import load_settings
from gateway.logs import configure_logs
from gateway.resources import refuse_foreign_providers, version
from gateway.settings import Dispatching, Settings, masked_url
from gateway.web.app import ADMISSION, make_app
from gateway.web.server import listening, reserved
from gateway.web.site import page_routes
from gateway.web.waiting import answering
from gateway.work.supervisor import Child

log = structlog.get_logger(__name__)

_LAST_ANSWERS_SECONDS: Final = 1.0
"""For answers that are being written when the listener closes."""


@command
async def serve(
    *,
    processes: Annotated[int | None, typer.Option(min=1, help="How many processes accept, on one port.")] = None,
    dispatch: Annotated[
        Dispatching | None,
        typer.Option(
            help="Who hands over to providers: each accepting process (inside), one process beside them, or "
            "heliograph worker (elsewhere)."
        ),
    ] = None,
    lifeline: LifelineNumber = None,
) -> None:
    """Run the gateway: HTTP API, pages and, in embedded mode, the worker, until SIGTERM or Ctrl-C.

    The first start prints one API key, alone on its line of standard output; all else goes to standard error.
    Settings come from heliograph.toml and HELIOGRAPH_* variables; see `heliograph config show --sources`.
    """
    refuse_foreign_providers()
    loaded = load_settings()
    settings = loaded.settings
    configure_logs(settings.log)
    many = processes or settings.server.processes
    where = dispatch or settings.dispatching(many)
    with loaded.placing(), stop_signals() as stopping:
        if lifeline is None and (many > 1 or where is Dispatching.BESIDE):
            await _serve_together(settings, stopping, many, where)
        else:
            await _serve_alone(settings, stopping, where, lifeline)


async def _serve_together(settings: Settings, stopping: Stopping, many: int, where: Dispatching) -> None:
    host = settings.server.host
    async with reserved(host, settings.server.port) as port:
        environment = {"HELIOGRAPH_SERVER_PORT": str(port)}
        inside = where if where is Dispatching.INSIDE else Dispatching.ELSEWHERE
        words = ("serve", "--processes=1", f"--dispatch={inside}")
        children = [Child(name=f"serve-{number + 1}", words=words, environment=environment) for number in range(many)]
        if where is Dispatching.BESIDE:
            children.append(Child(name="worker", words=("worker", "--processes=1", "--silent"), environment={}))
        log.info("server.starting", address=f"http://{host}:{port}", processes=[child.name for child in children])
        await run_together(children, settings, stopping, "server")


async def _serve_alone(settings: Settings, stopping: Stopping, where: Dispatching, lifeline: int | None) -> None:
    server, shared = settings.server, lifeline is not None
    together = shared or where is Dispatching.ELSEWHERE
    async with open_gateway(
        settings,
        work=where is Dispatching.INSIDE,
        together=together,
        meanwhile=lambda: answering(server.host, server.port, shared=shared),
    ) as gateway:
        app = make_app(gateway, page_routes(gateway))
        async with (
            listening(app, server.host, server.port, shared=shared, last_answers=_LAST_ANSWERS_SECONDS) as port,
            supervised(gateway, stopping, lifeline),
        ):
            stopping.settle()
            _announce(gateway, f"http://{server.host}:{port}", alone=lifeline is None)
            await stopping.wait()
            log.info("server.draining")
            # From here on new posts get 503, until the calls under way are done and the listener closes.
            app[ADMISSION].drain()
            await asyncio.gather(gateway.drain(), app[ADMISSION].idle(gateway.drain_seconds))
    log.info("server.stopped")


def _announce(gateway: Gateway, address: str, *, alone: bool) -> None:
    if gateway.first_key is not None:
        sys.stdout.write(f"{gateway.first_key}\n")
        sys.stdout.flush()
    log.info("server.started", address=address, store=masked_url(gateway.settings.store.url), version=version())
    if gateway.settings.log.format == "json" or not alone:
        return
    notes.print(f"Heliograph {version()} is ready", style="bold")
    for name, path in (("log", "/log"), ("mailbox", "/mailbox"), ("API", "/docs")):
        notes.print(f"  {name:<8} {address}{path}")
    if gateway.first_key is not None:
        notes.print("  The line on standard output is the first API key; it is not shown again.")
