"""Who rings whom: within one process, or through Redis."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from gateway.ports import Wake
from gateway.settings import Settings
from gateway.work.arq import RedisBell, RedisListener
from gateway.work.doorbell import Doorbell


@dataclass(frozen=True, slots=True, kw_only=True)
class Bells:
    """What is rung when something falls due."""

    worker: Doorbell
    """That of this process's worker."""
    accepted: Wake
    """For what was accepted, or steered, here."""
    others: Wake | None
    """For what this process's worker cannot take at once; None where no other worker can be told."""
    is_connected: Callable[[], bool] | None
    """Whether Redis carries rings now; None where none is used."""


async def open_bells(settings: Settings, stack: AsyncExitStack, *, work: bool) -> Bells:
    """The bells of a process that works itself or leaves that to others. None needs Redis to be there."""
    worker, url = Doorbell(), settings.queue.url
    if not url:
        return Bells(worker=worker, accepted=worker, others=None, is_connected=None)
    bell = await stack.enter_async_context(RedisBell(url))
    if not work:
        return Bells(worker=worker, accepted=bell, others=bell, is_connected=lambda: bell.is_connected)
    listener = await stack.enter_async_context(RedisListener(url, worker))
    return Bells(worker=worker, accepted=worker, others=bell, is_connected=lambda: listener.is_connected)
