"""The rules that say when a message may go: hours in which it may not, and how many are enough.

They look the same in the settings, in a country pack, in a person's own wishes and in a request to explain;
`gateway.domain.rule_tables` reads them. Nothing in them is a clock or a place: policy asks both.
"""

from datetime import date, timedelta
from enum import IntEnum, StrEnum
from typing import Final

from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.values import Value

MINUTES_OF_DAY: Final = 24 * 60


class Weekday(IntEnum):
    """Days as Python counts them (`date.weekday`)."""

    MON = 0
    TUE = 1
    WED = 2
    THU = 3
    FRI = 4
    SAT = 5
    SUN = 6


EVERY_DAY: Final = tuple(Weekday)


class Holidays(StrEnum):
    """What a public holiday of the country and region means for the allowed hours."""

    OPEN = "open"
    """A day like any other."""
    CLOSED = "closed"
    """Nothing goes on it."""


class Window(Value, frozen=True, kw_only=True):
    """Local time from `start` until just before `end`, on the days on which it begins."""

    days: tuple[Weekday, ...] = EVERY_DAY
    start: int
    """Minutes after midnight, 0 to 1439."""
    end: int
    """Minutes after midnight, 1 to 1440; less than `start` for a window that ends on the next day. Never `start`."""

    @property
    def wraps(self) -> bool:
        """Whether it ends on the day after the one on which it begins."""
        return self.end < self.start


class QuietHours(Value, frozen=True, kw_only=True, cache_hash=True):
    """One rule on hours. It speaks of a message that fits every list; an empty list fits all."""

    name: str
    """Says in the trace which rule spoke."""
    channels: tuple[Channel, ...] = ()
    categories: tuple[Category, ...] = (Category.MARKETING,)
    topics: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    """ISO 3166-1 alpha-2."""
    regions: tuple[str, ...] = ()
    """ISO 3166-2; the rule speaks only of people of whom one of these is known."""
    allow: tuple[Window, ...] = ()
    """Nothing goes outside these; exactly one of `allow` and `forbid` is given."""
    forbid: tuple[Window, ...] = ()
    """Nothing goes inside these."""
    holidays: Holidays = Holidays.OPEN
    closed_dates: tuple[date, ...] = ()
    """Local dates on which nothing goes: no window that begins on one occurs, and no tail of the night before."""
    valid_from: date | None = None
    """The first local date on which the rule speaks."""
    valid_until: date | None = None
    """The last one."""
    source: str = ""
    confidence: str = ""
    origin: str
    """Whose rule it is: `settings`, `pack:<country>`, `recipient` or `request`."""

    def speaks_of(self, channel: Channel, category: Category, topic: str | None) -> bool:
        """Whether it speaks of such a message, wherever the recipient may be."""
        return (
            category in self.categories
            and (not self.channels or channel in self.channels)
            and (not self.topics or topic in self.topics)
        )


class Calendar(StrEnum):
    """A period of the recipient's own calendar; a week begins on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Over(StrEnum):
    """What becomes of a delivery that finds the cap used up."""

    DEFER = "defer"
    """It waits for the earliest instant at which the cap lets it go."""
    DROP = "drop"
    """It is suppressed."""
    NEXT_CHANNEL = "next_channel"
    """It is suppressed on this channel, and the next one is tried."""


class FrequencyCap(Value, frozen=True, kw_only=True, cache_hash=True):
    """At most `limit` deliveries that fit every list go to one person per period: one counter for all of them."""

    name: str
    """Says in the trace which cap spoke, and names the counter."""
    limit: int
    """At least 1."""
    per: timedelta | Calendar
    """A rolling window, or a period of the recipient's calendar."""
    channels: tuple[Channel, ...] = ()
    categories: tuple[Category, ...] = ()
    """Left out: every category but `critical`."""
    topics: tuple[str, ...] = ()
    over: Over = Over.DEFER
    origin: str

    def speaks_of(self, channel: Channel, category: Category, topic: str | None) -> bool:
        """Whether such a delivery is counted and capped."""
        counted = category in self.categories if self.categories else category is not Category.CRITICAL
        return counted and (not self.channels or channel in self.channels) and (not self.topics or topic in self.topics)

    @property
    def counter(self) -> str:
        """What names the counter: a person's own cap never shares one with the operator's of the same name."""
        return f"own:{self.name}" if self.origin == RECIPIENT else self.name


RECIPIENT: Final = "recipient"
"""The origin of what people asked for themselves."""


class Overridden(Value, frozen=True, kw_only=True):
    """A rule of a country pack that would speak, were it not for the operator."""

    rule: str
    origin: str
    reason: str
    """Why the operator does not follow it."""


class RuleSet(Value, frozen=True, kw_only=True):
    """Rules that are in force together; a message must please all of them."""

    quiet_hours: tuple[QuietHours, ...] = ()
    frequency_caps: tuple[FrequencyCap, ...] = ()
    overridden: tuple[Overridden, ...] = ()
    """They hold nothing, and stand in the trace."""

    def __bool__(self) -> bool:
        return bool(self.quiet_hours or self.frequency_caps or self.overridden)

    def joined(self, other: "RuleSet") -> "RuleSet":
        """Both sets at once."""
        if other is NO_RULES or not other:
            return self
        return RuleSet(
            quiet_hours=self.quiet_hours + other.quiet_hours,
            frequency_caps=self.frequency_caps + other.frequency_caps,
            overridden=self.overridden + other.overridden,
        )

    def speaking_of(self, channel: Channel, category: Category, topic: str | None) -> "RuleSet":
        """Those that speak of such a message, wherever the recipient may be."""
        if not self:
            return self
        return RuleSet(
            quiet_hours=tuple([rule for rule in self.quiet_hours if rule.speaks_of(channel, category, topic)]),
            frequency_caps=tuple([cap for cap in self.frequency_caps if cap.speaks_of(channel, category, topic)]),
            overridden=self.overridden,
        )


NO_RULES: Final = RuleSet()
