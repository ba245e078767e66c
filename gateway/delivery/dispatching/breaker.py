"""Whether a provider is left alone, and how much of its traffic it gets: a state machine over its last calls; pure.

    closed ── too many bad calls among the last ──► open ── it has rested ──► one probe now and then
      ▲                                              ▲                                │     │
      └────────────────── a good one ────────────────┼────────────────────────────────┘     │
                                                     └───────────── a bad one ──────────────┘

Instants are seconds of a monotonic clock, and parameters.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Sign(IntEnum):
    """What the end of one call says of its provider."""

    GOOD = 0
    """It took the message, or refused that very message for good."""
    BAD = 1
    """It did not, and another message might have fared no better. One alone says little (greylisting)."""
    FATAL = 2
    """It refuses us: any other message would fare no better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a provider is left alone, for how long, and how soon it is trusted again."""

    calls: int = 20
    """How many of its last calls count."""
    most_bad: int = 5
    """With so many bad ones among them it opens: a quarter, and in an outage after no more than these."""
    slow_seconds: float = 5.0
    """A call that takes longer is bad, as soon as it does: its end is not waited for."""
    forget_seconds: float = 600.0
    """What is longer ago says nothing of today."""
    rest_seconds: float = 15.0
    """For how long it is left alone before each probe."""
    longest_rest_seconds: float = 300.0
    """It may ask for more than that, as by Retry-After, but not for more than this."""
    probe_every_seconds: float = 10.0
    """A probe that has not ended by then is followed by another."""
    regain_seconds: float = 300.0
    """How long it takes to win back its whole share from nothing."""
    least_share: float = 0.05
    """What it starts from when it closes, so that it has anything to show itself by."""


RULES: Final = BreakerRules()


@dataclass(frozen=True, slots=True)
class _Ended:
    at: float
    is_refused: bool
    """Not merely slow."""


class Breaker:
    """What is known of one provider from the calls of this process."""

    def __init__(self, rules: BreakerRules = RULES) -> None:
        self._rules = rules
        self._ended: deque[_Ended | None] = deque(maxlen=rules.calls)
        """The last calls that ended, oldest first; None for a good one."""
        self._bad_count = 0
        self._pending: dict[int, float] = {}
        """Calls under way and when they began, oldest first."""
        self._probes: set[int] = set()
        """Those of them that began while it was open."""
        self._tickets = 0
        self._is_open = False
        self._next_probe_at = 0.0
        self._is_fatal = False
        self._wishes_until = 0.0
        """It asked to be left alone until then."""
        self._share, self._share_at = 1.0, 0.0

    def is_at_its_best(self, now: float) -> bool:
        """Closed, with all of its share and nothing against it: the common case, told quickly."""
        return not self._is_open and self._bad_count == 0 and self._regained(now) >= 1.0 and self._late_count(now) == 0

    def is_closed(self, now: float) -> bool:
        """Whether it is not left alone."""
        self._look(now)
        return not self._is_open

    def is_only_slow(self, now: float) -> bool:
        """Left alone, yet what it is given it takes in the end: better than nobody."""
        if self.is_closed(now) or self._is_fatal or now < self._wishes_until:
            return False
        refused = sum(one is not None and one.is_refused for one in self._ended)
        return refused < self._rules.most_bad <= self._bad_count + self._late_count(now)

    def share(self, now: float) -> float:
        """The part of its traffic that it gets, in (0, 1]: lost with each bad call, won back slowly; 0 while open."""
        if not self.is_closed(now):
            return 0.0
        self._forget(now)
        return max(min(self._regained(now), self._deserved(now)), self._rules.least_share)

    def admits_probe(self, now: float) -> bool:
        """Whether one call may find out now if it is well again; the asker is the one that makes it."""
        if self.is_closed(now) or now < self._next_probe_at:
            return False
        self._next_probe_at = now + self._rules.probe_every_seconds
        return True

    def rest_seconds(self, now: float) -> float:
        """How long until it may be called; 0 when it may."""
        return 0.0 if self.is_closed(now) else max(self._next_probe_at - now, 0.0)

    def begin(self, now: float) -> int:
        """A call begins; the ticket ends it."""
        self._tickets += 1
        self._pending[self._tickets] = now
        if self._is_open:
            self._probes.add(self._tickets)
        return self._tickets

    def end(self, ticket: int, sign: Sign, now: float, wish_seconds: float | None = None) -> None:
        """A call has ended; `wish_seconds` is for how long the provider asks to be left alone."""
        began = self._pending.pop(ticket, None)
        if began is None:
            return
        is_probe = ticket in self._probes
        self._probes.discard(ticket)
        is_bad = sign is not Sign.GOOD or now - began > self._rules.slow_seconds
        self._count(_Ended(now, sign is not Sign.GOOD) if is_bad else None, now)
        if sign is not Sign.GOOD and wish_seconds is not None:
            self._wishes_until = max(self._wishes_until, now + min(wish_seconds, self._rules.longest_rest_seconds))
        self._is_fatal |= sign is Sign.FATAL
        if self._is_open and is_probe and not is_bad:
            self._close(now)
        elif sign is Sign.FATAL or (self._is_open and is_probe):
            self._open(now)
        else:
            self._look(now)

    def _count(self, ended: _Ended | None, now: float) -> None:
        if len(self._ended) == self._ended.maxlen:
            self._bad_count -= self._ended.popleft() is not None
        self._ended.append(ended)
        if ended is None:
            return
        self._bad_count += 1
        share = min(self._regained(now), self._deserved(now))
        self._share, self._share_at = share, now

    def _look(self, now: float) -> None:
        """Open where the last calls say so, those that have not come back among them."""
        if self._is_open:
            return
        late = self._late_count(now)
        if self._bad_count + late < self._rules.most_bad:
            return
        self._forget(now)
        if self._bad_count + late >= self._rules.most_bad:
            self._open(now)

    def _forget(self, now: float) -> None:
        """Drop what is too long ago; a good call before it says as little."""
        oldest = now - self._rules.forget_seconds
        while self._bad_count and any(one is not None and one.at < oldest for one in self._ended):
            self._bad_count -= self._ended.popleft() is not None

    def _open(self, now: float) -> None:
        self._is_open = True
        self._next_probe_at = max(now + self._rules.rest_seconds, self._wishes_until)

    def _close(self, now: float) -> None:
        self._is_open = False
        self._ended.clear()
        self._bad_count = 0
        self._is_fatal, self._wishes_until = False, 0.0
        self._share, self._share_at = self._rules.least_share, now
        # What began before it was left alone says nothing of today.
        self._pending = {ticket: began for ticket, began in self._pending.items() if ticket in self._probes}

    def _regained(self, now: float) -> float:
        if self._share >= 1.0:
            return 1.0
        return min(self._share + max(now - self._share_at, 0.0) / self._rules.regain_seconds, 1.0)

    def _deserved(self, now: float) -> float:
        """One bad call costs little, the last before it opens much."""
        bad = min((self._bad_count + self._late_count(now)) / self._rules.most_bad, 1.0)
        return max(1.0 - bad * bad, self._rules.least_share)

    def _late_count(self, now: float) -> int:
        """How many calls have been under way for too long by now."""
        late, since = 0, now - self._rules.slow_seconds
        for began in self._pending.values():
            if began >= since:
                break
            late += 1
        return late
