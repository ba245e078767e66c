"""How fast one key may call: a token bucket for each, in memory of this process."""

import math
from dataclasses import dataclass
from typing import Final

from gateway.domain.ids import KeyId
from gateway.errors import RateLimited
from gateway.ports import Clock

_REMEMBERED_BUCKETS: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    """What a key has left, as of an instant of the monotonic clock."""

    tokens: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a key may still do, for the RateLimit headers (draft-ietf-httpapi-ratelimit-headers)."""

    quota: int
    """Calls that a full bucket holds: one second's worth, at least one."""
    remaining: int
    reset_seconds: int
    """Until the bucket is full again."""

    @property
    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit`."""
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w=1',
            "RateLimit": f'"default";r={self.remaining};t={self.reset_seconds}',
        }


class RateLimiter:
    """Lets each key through at its own rate; a bucket holds one second's worth.

    A batch goes in while one token is left and then costs as many as it has items: the debt delays what
    follows, so that the rate holds for messages and no batch is too large to ever pass.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[KeyId, _Bucket] = {}

    def take(self, key_id: KeyId, rate_per_second: float) -> Allowance:
        """Take one token. Raises RateLimited that says when one is there again."""
        now = self._clock.monotonic()
        size = max(1.0, rate_per_second)
        bucket = self._buckets.get(key_id)
        if bucket is None:
            if len(self._buckets) >= _REMEMBERED_BUCKETS:
                self._buckets.clear()
            bucket = self._buckets[key_id] = _Bucket(size, now)
        bucket.tokens = min(size, bucket.tokens + (now - bucket.at) * rate_per_second)
        bucket.at = now
        if bucket.tokens < 1.0:
            wait = (1.0 - bucket.tokens) / rate_per_second
            raise RateLimited(f"This key may make {rate_per_second:g} calls a second.", wait)
        bucket.tokens -= 1.0
        return Allowance(
            quota=int(size),
            remaining=max(0, int(bucket.tokens)),
            reset_seconds=math.ceil((size - bucket.tokens) / rate_per_second),
        )

    def charge(self, key_id: KeyId, cost: int) -> None:
        """Take `cost` more tokens, if need be into debt."""
        if bucket := self._buckets.get(key_id):
            bucket.tokens -= cost
