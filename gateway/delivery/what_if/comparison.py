"""How two sets of terms differ over the same traffic: counts of what would change, and how much later things go."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.delivery.what_if.simulation import Fate, Outcome, Recorded
from gateway.domain.recipients import JsonValue

MOVED: Final = "moved"
"""It goes later under both terms, at another instant."""
DELAYS: Final = {
    "at once": timedelta(0),
    "up to 15m": timedelta(minutes=15),
    "up to 1h": timedelta(hours=1),
    "up to 4h": timedelta(hours=4),
    "up to 12h": timedelta(hours=12),
    "up to 1d": timedelta(days=1),
    "up to 3d": timedelta(days=3),
    "more": timedelta.max,
}
"""How much later than asked for something goes."""
WAYS: Final = ("rule", "topic", "channel", "locale")
"""By what changes are counted."""
_GOES: Final = (Fate.SEND, Fate.HOLD)
Counts = dict[str, Counter[str]]


@dataclass(slots=True)
class Comparison:
    """What was counted: as large as there are rules, topics and locales, however much traffic there was."""

    deliveries: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    """By change, such as `send->hold`."""
    by: dict[str, Counts] = field(default_factory=lambda: {way: {} for way in WAYS})
    """The same by the rule that speaks, the topic, the channel and the locale."""
    before: Counter[str] = field(default_factory=Counter)
    """What goes under the terms in force, by how much later than asked for."""
    after: Counter[str] = field(default_factory=Counter)
    """The same under the other terms."""

    @property
    def changed(self) -> int:
        """How many deliveries would fare otherwise."""
        return self.changes.total()

    def add(self, recorded: Recorded, before: Outcome, after: Outcome) -> None:
        """Count one delivery."""
        self.deliveries += 1
        self.before[_delay(recorded, before)] += 1
        self.after[_delay(recorded, after)] += 1
        change = _change(before, after)
        if change is None:
            return
        self.changes[change] += 1
        message = recorded.claim.message
        places = {
            "rule": after.rule or before.rule,
            "topic": message.topic or "",
            "channel": recorded.claim.delivery.channel.value,
            # None was resolved of what was never rendered.
            "locale": message.locale or recorded.recipient.locale or "",
        }
        for way, place in places.items():
            self.by[way].setdefault(place, Counter())[change] += 1

    def shown(self) -> dict[str, JsonValue]:
        """As JSON."""
        return {
            "deliveries": self.deliveries,
            "changed": self.changed,
            "changes": dict(self.changes),
            "by": {way: {place: dict(of) for place, of in sorted(found.items())} for way, found in self.by.items()},
            "delay": {"before": _in_order(self.before), "after": _in_order(self.after)},
        }


def _change(before: Outcome, after: Outcome) -> str | None:
    if before.fate is not after.fate:
        return f"{before.fate}->{after.fate}"
    return MOVED if before.fate is Fate.HOLD and before.at != after.at else None


def _delay(recorded: Recorded, outcome: Outcome) -> str:
    """How much later than asked for it goes; else what becomes of it."""
    if outcome.fate not in _GOES:
        return outcome.fate.value
    late = outcome.at - recorded.asked_for
    return next(name for name, most in DELAYS.items() if late <= most)


def _in_order(found: Counter[str]) -> dict[str, JsonValue]:
    return {name: found[name] for name in (*DELAYS, Fate.SUPPRESS.value, Fate.EXPIRE.value) if found[name]}
