"""Wake-ups through Redis: web processes ring, and arq's workers hear.

A job of ours says "claim a batch" and carries nothing: what is due, and until when, stands in the store. So Redis may
be emptied, killed or away; each worker looks by itself every second and sweeps every ten.

What arq does by default and we do not want, each measured (arq 0.28):

- It refuses an id while its job is queued: that bounds our queue at `_SLOTS` jobs, however long no worker runs. It
  refuses it also while its result is kept, so none is kept.
- It reads so many jobs each time it polls, twice a second: no cap for jobs of which one wakes a whole worker.
- It dies with its connection to Redis: `RedisListener` makes another as soon as Redis is back.
- It drops jobs of a name it does not know, as a newer version's: `_Functions` keeps them for a worker who does.
- It compares wall clocks of two machines: our jobs are due since 1970.
- It pickles, cancels jobs at SIGTERM, runs crons in every worker at once, and holds a lease without a heartbeat: jobs
  are JSON, signals are ours, there are no crons, and a job only rings a bell.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.worker import Function, Retry, Worker, func
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from gateway.ports import Wake

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

QUEUE: Final = "heliograph:queue"
CLAIM: Final = "claim_batch"
"""The only kind of job: take what is due."""
_SLOTS: Final = 8
"""So many rings may stand in Redis at once: each wakes one worker, and more say nothing new."""
_LONG_DUE: Final = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
_KEPT: Final = timedelta(days=1)
_GAP_SECONDS: Final = 0.02
"""The shortest time between two rings of a process: what is accepted meanwhile shares one."""
_POLL_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 5.0
"""How often a bell that nobody rings asks whether Redis is there."""
_AGAIN_SECONDS: Final = 1.0
"""How long Redis is left alone once it did not answer."""
_CANCEL_AGAIN_SECONDS: Final = 0.1
_JOB_SECONDS: Final = 5.0
_UNKNOWN_SECONDS: Final = 15.0
_FOR_EVER: Final = 2**31
_AWAY: Final = (RedisError, OSError, TimeoutError)


def _dump(value: dict[str, Any]) -> bytes:
    # arq also serializes what a job failed with, though no result is kept.
    return json.dumps(value, default=repr).encode()


def _load(raw: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(raw)
    return value


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[ArqRedis]:
    """A client of a Redis that answered just now, and that gives up on a silent one."""
    pool = ConnectionPool.from_url(
        url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS, encoding="utf8"
    )
    redis = ArqRedis(pool, job_serializer=_dump, job_deserializer=_load, default_queue_name=QUEUE)
    try:
        await redis.ping()
        yield redis
    finally:
        await redis.aclose(close_connection_pool=True)


class _Link:
    """A task that talks to Redis while its block is open, and what it knows of it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.is_connected = False
        """Whether Redis answered the last time."""
        self._said: bool | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._talk(), name=type(self).__name__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # redis-py may take a cancellation for the end of a time-out of its own, and go on.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_AGAIN_SECONDS)

    async def _talk(self) -> None:
        while True:
            try:
                await self._converse()
            except _AWAY as error:
                self._note(connected=False, error=type(error).__name__)
            except Exception as error:  # the job wrapper: messages go out without Redis too, so nothing ends here
                _log.error("queue.link_failed", link=type(self).__name__, error=type(error).__name__)
                self._note(connected=False, error=type(error).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _converse(self) -> None:
        """Talk until it fails."""
        raise NotImplementedError

    def _note(self, *, connected: bool, error: str | None = None) -> None:
        self.is_connected = connected
        if connected is not self._said:
            if connected:
                _log.info("queue.connected", link=type(self).__name__)
            else:
                _log.warning("queue.away", link=type(self).__name__, error=error, until="it is back, sweeps deliver")
            self._said = connected


class RedisBell(_Link):
    """`gateway.ports.Wake` through Redis: wakes some worker. Rings while Redis is away are lost, and cost a second."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._rung = asyncio.Event()
        self._slot = 0

    def ring(self) -> None:
        """Say that something may be due; the rings of one moment are one."""
        self._rung.set()

    async def _converse(self) -> None:
        async with _connected(self._url) as redis:
            # Whatever was rung while it was away.
            self._rung.set()
            while True:
                self._note(connected=True)
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._rung.wait()
                except TimeoutError:
                    await redis.ping()
                    continue
                await self._enqueue(redis)
                await asyncio.sleep(_GAP_SECONDS)

    async def _enqueue(self, redis: ArqRedis) -> None:
        self._rung.clear()
        # A slot that is taken will ring, unless a worker has just heard it: the next one is tried as well.
        for _ in range(2):
            self._slot = (self._slot + 1) % _SLOTS
            job = await redis.enqueue_job(
                CLAIM, _job_id=f"{QUEUE}:{self._slot}", _defer_until=_LONG_DUE, _expires=_KEPT
            )
            if job is not None:
                return


class RedisListener(_Link):
    """Hears the rings of other processes, as an arq worker, and rings the bell of this one."""

    def __init__(self, url: str, bell: Wake) -> None:
        super().__init__(url)
        self._bell = bell

    async def _converse(self) -> None:
        async with _connected(self._url) as redis:
            worker = _make_worker(redis, self._bell)
            try:
                self._note(connected=True)
                # What was rung while nobody could hear it.
                self._bell.ring()
                await worker.async_run()
            finally:
                await _finish_jobs(worker)


async def _finish_jobs(worker: Worker) -> None:
    """Let jobs under way end by themselves, for as long as one word to Redis may take, and cut what is left."""
    jobs = [*worker.tasks.values()]
    try:
        if jobs:
            # arq shields a job's last word from a cancellation, and then nobody would hear how that word ended.
            await asyncio.wait(jobs, timeout=_ANSWER_SECONDS)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


def _make_worker(redis: ArqRedis, bell: Wake) -> Worker:
    async def claim_batch(ctx: dict[Any, Any], *_: Any, **__: Any) -> None:
        del ctx
        bell.ring()

    worker = Worker(
        [func(claim_batch, name=CLAIM, timeout=_JOB_SECONDS, max_tries=1)],
        queue_name=QUEUE,
        redis_pool=redis,
        handle_signals=False,
        job_timeout=_JOB_SECONDS,
        keep_result=0,
        poll_delay=_POLL_SECONDS,
        job_serializer=_dump,
        job_deserializer=_load,
        log_results=False,
    )
    worker.functions = _Functions(worker.functions)
    return worker


class _Functions(dict[str, Any]):
    """Our kinds of job; one of another kind is put back, for a worker of the version that knows it."""

    def __missing__(self, name: str) -> Function:
        return Function(
            name=name,
            coroutine=_put_back,
            timeout_s=_JOB_SECONDS,
            keep_result_s=0,
            keep_result_forever=False,
            max_tries=_FOR_EVER,
        )


async def _put_back(ctx: dict[Any, Any], *_: Any, **__: Any) -> None:
    redis: ArqRedis = ctx["redis"]
    # arq forgets a job a day after it was due; this one may have to wait for longer.
    await redis.pexpire(job_key_prefix + ctx["job_id"], _KEPT)
    raise Retry(defer=_UNKNOWN_SECONDS)
