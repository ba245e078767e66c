"""What sending may cost and how fast it may grow: limits for services and blocks of numbers, and what counts to them.

Costs are whole millionths of the one currency that the settings name.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parseaddr
from enum import StrEnum
from typing import Final

from gateway.domain.messages import Message
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rules import Calendar, Over
from gateway.domain.values import Value, field

MILLIONTHS: Final = 1_000_000
_TEST: Final = ":test"


def price_shown(cost: int) -> str:
    """Millionths as people write them, such as `0.065`; two decimals at least."""
    plain = f"{Decimal(cost) / MILLIONTHS:f}".rstrip("0") if cost % MILLIONTHS else str(cost // MILLIONTHS)
    whole, _, part = plain.partition(".")
    return f"{whole}.{part:0<2}"


def is_mailing(message: Message, channel: Channel) -> bool:
    """Whether readers' complaints of it count: live marketing e-mail."""
    return message.live and message.category is Category.MARKETING and channel is Channel.EMAIL


def sending_domain(sender: str) -> str:
    """Whose name an e-mail goes out in, as mailbox providers count complaints."""
    return parseaddr(sender)[1].rpartition("@")[2].lower() or "localhost.localdomain"


class CountedBy(StrEnum):
    """What a limit counts together."""

    SERVICE = "service"
    """All that one service sends."""
    PREFIX = "prefix"
    """All that goes to one block of ten thousand numbers: a number without its last four digits."""


class SpendingLimit(Value, frozen=True, kw_only=True, cache_hash=True):
    """How many calls, or what cost, are enough in a period.

    It speaks of a message that fits every list; an empty list fits all.
    """

    name: str
    services: tuple[str, ...] = ()
    """Their names."""
    channels: tuple[Channel, ...] = ()
    categories: tuple[Category, ...] = ()
    by: CountedBy = CountedBy.SERVICE
    messages: int | None = None
    """Calls to providers, those left out of which nothing was sent; None: any number."""
    cost: int | None = None
    """None: at any cost. One of the two is given."""
    per: timedelta | Calendar
    """A rolling window, or the default zone's day, week or month."""
    over: Over = Over.DEFER

    @property
    def counters(self) -> str:
        """With what the names of its counters begin. No limit's own name holds a `|`, or is empty."""
        return f"{self.name}|"

    def counter(self, of: str, *, live: bool) -> str:
        """The counter of what is counted together: what is tried out takes nothing away from what reaches people."""
        return f"{self.counters}{of}{'' if live else _TEST}"

    def counted(self, counter: str) -> str | None:
        """What one of its counters counts together; None where that is only tried out."""
        return None if counter.endswith(_TEST) else counter.removeprefix(self.counters)

    def speaks_of(self, service: str, channel: Channel, category: Category) -> bool:
        """Whether such a message counts to it."""
        return (
            (not self.services or service in self.services)
            and (not self.channels or channel in self.channels)
            and (not self.categories or category in self.categories)
        )


class Spent(Value, frozen=True, kw_only=True, array_like=True):
    """What was spent: `[messages, cost]`."""

    messages: int = 0
    cost: int = 0

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(messages=self.messages + other.messages, cost=self.cost + other.cost)

    def minus(self, other: "Spent") -> "Spent":
        """Without what was given back."""
        return Spent(messages=self.messages - other.messages, cost=self.cost - other.cost)


NOTHING: Final = Spent()
Buckets = Mapping[int, Spent]
"""A counter: what was spent, by the instant (microseconds since 1970) with which each part of its time begins."""


class Charge(Value, frozen=True, kw_only=True):
    """What one call counts to one limit, and when it is too much; the store compares numbers and knows no zone."""

    counter: str
    bucket: int
    """Where it is counted: the instant with which that part of the time begins."""
    counted_from: int
    """Parts that begin then or later speak against it."""
    spent: Spent
    """What the call takes."""
    messages: int | None
    """With more than so many, this one included, it is refused; None: never."""
    cost: int | None
    kept_until: datetime
    """From this instant on the part counts for nothing."""


class Budget(Value, frozen=True, kw_only=True):
    """A limit that speaks of a delivery, and what was spent of it."""

    limit: SpendingLimit
    counter: str
    of: str
    """What is counted together, for people: the service's name, or a block of numbers."""
    spent: Buckets


class ComplaintLimit(Value, frozen=True, kw_only=True):
    """When marketing e-mail from a domain stops since too many of its readers complain."""

    stop_at: float
    """Complaints for each e-mail handed over, such as 0.0025."""
    at_least: int
    """With fewer e-mails in the time nothing is said: one complaint of ten says little."""
    per: timedelta
    """The time that is looked at."""


class SpendingFacts(Value, frozen=True, kw_only=True):
    """All that limits on spending look at for one delivery."""

    budgets: tuple[Budget, ...] = ()
    currency: str
    cost: int = 0
    """The estimate for the call; 0 until provider and text are known."""
    countries: frozenset[str] | None = None
    """Where the service may send texts; None: everywhere."""
    country: str | None = None
    """The number's own; None for numbers of no country."""
    complaints: ComplaintLimit | None = None
    """Set for marketing e-mail where there is such a limit."""
    domain: str | None = None
    """Whose name the e-mail goes out in; None until the sender is known."""
    complained: Mapping[str, Buckets] = field(default_factory=dict)
    """By counter of each domain: as `messages` its marketing e-mail, as `cost` the complaints about it."""
