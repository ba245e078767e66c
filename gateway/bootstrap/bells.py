"""Who rings whom: within one process, through pipes beside a SQLite file, or through Redis."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from gateway.ports import Wake
from gateway.settings import Settings
from gateway.storage.engines.driver import Engine
from gateway.storage.engines.engine import engine_of
from gateway.storage.engines.sqlite import database_path
from gateway.work.doorbell import Doorbell
from gateway.work.pipes import PipeBell, PipeListener


@dataclass(frozen=True, slots=True, kw_only=True)
class Bells:
    """What is rung when something falls due."""

    worker: Doorbell
    """That of this process's worker."""
    accepted: Wake
    """For what was accepted, or steered, here."""
    others: Wake | None = None
    """For what this process's worker cannot take at once; None where no other worker can be told."""
    is_connected: Callable[[], bool] | None = None
    """Whether Redis carries rings now; None where none is used."""


async def open_bells(settings: Settings, stack: AsyncExitStack, *, work: bool) -> Bells:
    """The bells of a process that works itself or leaves that to others. None needs Redis to be there."""
    worker = Doorbell()
    if settings.queue.url:
        return await _open_redis_bells(settings.queue.url, worker, stack, work=work)
    if engine_of(settings.store.url) is not Engine.SQLITE:
        # Without a queue workers on other machines look for themselves, every second.
        return Bells(worker=worker, accepted=worker)
    path = database_path(settings.store.url)
    if work:
        await stack.enter_async_context(PipeListener(path, worker))
        return Bells(worker=worker, accepted=worker)
    return Bells(worker=worker, accepted=await stack.enter_async_context(PipeBell(path)))


async def _open_redis_bells(url: str, worker: Doorbell, stack: AsyncExitStack, *, work: bool) -> Bells:
    # The client of Redis takes a tenth of a process's memory and of its start: whoever names no queue goes without.
    from gateway.work.arq import RedisBell, RedisListener  # noqa: PLC0415

    bell = await stack.enter_async_context(RedisBell(url))
    if not work:
        return Bells(worker=worker, accepted=bell, others=bell, is_connected=lambda: bell.is_connected)
    listener = await stack.enter_async_context(RedisListener(url, worker))
    return Bells(worker=worker, accepted=worker, others=bell, is_connected=lambda: listener.is_connected)
