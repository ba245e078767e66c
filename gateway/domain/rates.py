"""How many calls may begin in so long: rates as people write them, and a token bucket as one number; all pure."""

import re
from typing import Final

from gateway.domain.values import Value

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE: Final = re.compile(r"([0-9]{1,9})/(s|m|h|d)", re.ASCII)


_TOLERANCE_SECONDS: Final = 1e-6
"""What sums of parts of a second may be off by."""


class Rate(Value, frozen=True, kw_only=True):
    """So many on the average; after a rest a second's worth at once, and one in any case."""

    per_second: float

    @property
    def burst(self) -> float:
        """How many a full bucket holds."""
        return max(self.per_second, 1.0)

    def shared(self, by: int) -> "Rate":
        """The even part of one of so many."""
        return Rate(per_second=self.per_second / by)


class Turn(Value, frozen=True, kw_only=True):
    """What asking a bucket for tokens came to."""

    is_taken: bool
    wait_seconds: float
    """Until one may go: of one that took its tokens, or until it is worth asking again."""
    full_at: float = 0.0
    """When the bucket is full again, if nobody else comes: all there is to remember of it."""


def parse_rate_over(text: str) -> Rate:
    """Read `10/s`, `600/m`, `1000/h` or `50000/d`. Raises ValueError that names the forms."""
    match = _RATE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is no rate: write a whole number and a unit of time, such as 10/s, 600/m or 1000/h")
    return Rate(per_second=int(match[1]) / _SECONDS[match[2]])


def take_tokens(full_at: float, now: float, rate: Rate, cost: float, patience_seconds: float) -> Turn:
    """Take `cost` tokens from a bucket that is full at `full_at`, unless that takes longer than one has patience.

    What costs more than a bucket holds goes in once it is full, and leaves a debt that delays what follows. The
    generic cell rate algorithm (ITU-T I.371) in its form of virtual scheduling.
    """
    full_at = max(full_at, now)
    wait = max(full_at + (min(cost, rate.burst) - rate.burst) / rate.per_second - now, 0.0)
    if wait > patience_seconds + _TOLERANCE_SECONDS:
        return Turn(is_taken=False, wait_seconds=wait, full_at=full_at)
    return Turn(is_taken=True, wait_seconds=wait, full_at=full_at + cost / rate.per_second)
