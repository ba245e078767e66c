"""`heliograph worker`: dispatch on its own, beside processes that accept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Annotated

import structlog
import typer

from gateway.bootstrap import Gateway, open_gateway
from gateway.cli.output import command
from gateway.cli.running import LifelineNumber, Stopping, run_together, stop_signals, supervised
from gateway.configuration import load_settings
from gateway.logs import configure_logs
from gateway.resources import refuse_foreign_providers, version
from gateway.settings import Settings, masked_url
from gateway.web.probes import make_probe_app
from gateway.web.server import listening, reserved
from gateway.web.waiting import answering
from gateway.work.supervisor import Child

log = structlog.get_logger(__name__)


@command
async def worker(
    *,
    processes: Annotated[int | None, typer.Option(min=1, help="How many processes dispatch.")] = None,
    silent: Annotated[bool, typer.Option("--silent", hidden=True)] = False,
    lifeline: LifelineNumber = None,
) -> None:
    """Hand over what `heliograph serve` accepts, until SIGTERM or Ctrl-C; any number may run, on any machines.

    With `queue.url` it is rung through Redis, without it looks every second. `worker.port` answers probes.
    """
    refuse_foreign_providers()
    loaded = load_settings()
    settings = loaded.settings
    configure_logs(settings.log)
    many = processes or settings.worker.processes
    with loaded.placing(), stop_signals() as stopping:
        if lifeline is None and many > 1:
            await _work_together(settings, stopping, many)
        else:
            await _work_alone(settings, stopping, None if silent else settings.worker.port, lifeline)


async def _work_together(settings: Settings, stopping: Stopping, many: int) -> None:
    async with _reserved_probes(settings) as environment:
        words = ("worker", "--processes=1")
        children = [Child(name=f"worker-{number + 1}", words=words, environment=environment) for number in range(many)]
        await run_together(children, settings, stopping, "worker")


@asynccontextmanager
async def _reserved_probes(settings: Settings) -> AsyncIterator[dict[str, str]]:
    if settings.worker.port is None:
        yield {}
        return
    async with reserved(settings.worker.host, settings.worker.port) as port:
        yield {"HELIOGRAPH_WORKER_PORT": str(port)}


async def _work_alone(settings: Settings, stopping: Stopping, port: int | None, lifeline: int | None) -> None:
    host, shared = settings.worker.host, lifeline is not None
    meanwhile = nullcontext if port is None else partial(answering, host, port, shared=shared)
    async with (
        open_gateway(settings, work=True, accept=False, together=True, meanwhile=meanwhile) as gateway,
        _probes(gateway, port, shared=shared) as bound,
        supervised(gateway, stopping, lifeline),
    ):
        stopping.settle()
        store, queue = masked_url(settings.store.url), masked_url(settings.queue.url)
        log.info("worker.started", store=store, queue=queue or None, probes=bound, version=version())
        await stopping.wait()
        log.info("worker.stopping")
        await gateway.drain()
    log.info("worker.stopped")


@asynccontextmanager
async def _probes(gateway: Gateway, port: int | None, *, shared: bool) -> AsyncIterator[int | None]:
    if port is None:
        yield None
        return
    async with listening(make_probe_app(gateway), gateway.settings.worker.host, port, shared=shared) as bound:
        yield bound
