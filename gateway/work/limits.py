"""Limits that workers share through Redis, by its clock; without it each keeps to its even part.

A provider without a limit in the settings costs no word to Redis. What stands there may be lost at any time: a bucket
is then full again, and calls under way are not counted until their worker makes the next.
"""

from types import TracebackType
from typing import Final, Self
from uuid import uuid4

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.domain.rates import Rate, Turn
from gateway.ports import Clock, Limit, Limits

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PREFIX: Final = "heliograph:limits"
_ANSWER_SECONDS: Final = 0.5
"""A delivery waits for this word."""
_AGAIN_SECONDS: Final = 1.0
"""How long Redis is left alone once it did not answer."""
_MICRO: Final = 1_000_000
_AWAY: Final = (RedisError, OSError, TimeoutError)

_NOW: Final = "local time = redis.call('TIME'); local now = time[1] * 1000000 + time[2]\n"
_TAKE: Final = (
    _NOW
    + """
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local cost, patience = tonumber(ARGV[3]), tonumber(ARGV[4])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = math.max(full_at + (math.min(cost, burst) - burst) * interval - now, 0)
if wait > patience + 1 then return {0, wait} end
full_at = full_at + cost * interval
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000) + 1)
return {1, wait}
"""
)
"""`gateway.domain.rates.take_tokens`, in microseconds."""
_ENTER: Final = (
    _NOW
    + """
local limit, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= limit then return 0 end
redis.call('ZADD', KEYS[1], now + lease, ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(lease / 1000))
return 1
"""
)


class RedisLimits:
    """`gateway.ports.Limits` over all workers that share a Redis; `own` counts while it is away."""

    def __init__(self, url: str, own: Limits, clock: Clock) -> None:
        pool = ConnectionPool.from_url(
            url,
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis(connection_pool=pool)
        self._take = self._redis.register_script(_TAKE)
        self._enter = self._redis.register_script(_ENTER)
        self._own = own
        self._clock = clock
        self._away_until = 0.0
        self._is_away = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._redis.aclose(close_connection_pool=True)

    async def enter(self, provider: str, limit: Limit) -> str | None:
        """Take one of the calls that may be under way; what gives it back, or None when all are taken."""
        if limit.concurrency is not None and self._may_ask():
            taken, lease = uuid4().hex, int(limit.lease_seconds * _MICRO)
            try:
                granted = await self._enter(keys=[_calls(provider)], args=[limit.concurrency, lease, taken])
            except _AWAY as error:
                self._miss(error)
            else:
                self._note(is_away=False)
                return taken if granted else None
        return await self._own.enter(provider, limit)

    async def leave(self, provider: str, taken: str) -> None:
        """Give it back, wherever it was taken."""
        await self._own.leave(provider, taken)
        if self._may_ask():
            try:
                await self._redis.zrem(_calls(provider), taken)
            except _AWAY as error:
                # Its lease ends by itself.
                self._miss(error)

    async def take(self, bucket: str, rate: Rate, cost: float, patience_seconds: float) -> Turn:
        """Take tokens from a bucket, unless that takes longer than one has patience; the caller waits its turn."""
        if self._may_ask():
            args = [_MICRO / rate.per_second, rate.burst, cost, patience_seconds * _MICRO]
            try:
                is_taken, wait = await self._take(keys=[f"{_PREFIX}:rate:{bucket}"], args=args)
            except _AWAY as error:
                self._miss(error)
            else:
                self._note(is_away=False)
                return Turn(is_taken=bool(is_taken), wait_seconds=wait / _MICRO)
        return await self._own.take(bucket, rate, cost, patience_seconds)

    def share(self, workers: int) -> None:
        """So many workers are alive, this one among them."""
        self._own.share(workers)

    def _may_ask(self) -> bool:
        return self._clock.monotonic() >= self._away_until

    def _miss(self, error: Exception) -> None:
        self._away_until = self._clock.monotonic() + _AGAIN_SECONDS
        self._note(is_away=True, error=type(error).__name__)

    def _note(self, *, is_away: bool, error: str | None = None) -> None:
        if is_away and not self._is_away:
            _log.warning("limits.apart", error=error, until="Redis is back, each worker keeps to its part")
        elif self._is_away and not is_away:
            _log.info("limits.together")
        self._is_away = is_away


def _calls(provider: str) -> str:
    return f"{_PREFIX}:calls:{provider}"
