"""How much of each limit on spending is used now, and how many readers complain, for operators."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from gateway.delivery.dispatching.facts import Terms
from gateway.domain.spending import Buckets, ComplaintLimit, CountedBy, SpendingLimit, Spent
from gateway.domain.values import Value
from gateway.policy.spending import COMPLAINTS_OF, complaint_rate, is_stopped, is_telling, spent_in
from gateway.ports import Clock, ServiceStore, SpendingStore

MOST: Final = 100
"""Of each limit so many counters are shown, the fullest first."""


class Used(Value, frozen=True, kw_only=True):
    """What was used of one limit."""

    limit: SpendingLimit
    of: str
    """The service's name, or the block of numbers without its last four digits."""
    spent: Spent

    @property
    def share(self) -> float:
        """The greater of the two parts that are used; 1 where nothing is left."""
        limit, spent = self.limit, self.spent
        pairs = ((spent.messages, limit.messages), (spent.cost, limit.cost))
        return max(1.0 if not most else min(used / most, 1.0) for used, most in pairs if most is not None)


class Complained(Value, frozen=True, kw_only=True):
    """What readers say of the marketing e-mail from one domain."""

    domain: str
    sent: int
    complaints: int
    rate: float
    is_telling: bool
    """Whether enough was sent for the rate to say something."""
    is_stopped: bool


class Standing(Value, frozen=True, kw_only=True):
    """All of it at one instant."""

    at: datetime
    currency: str
    used: tuple[Used, ...]
    complained: tuple[Complained, ...]
    """By domain; empty where complaints are not counted."""


class SpendingReport:
    """Reads the counters; nothing where no limit is set."""

    def __init__(self, *, store: SpendingStore, services: ServiceStore, terms: Terms, clock: Clock) -> None:
        self._store = store
        self._services = services
        self._terms = terms
        self._clock = clock

    async def standing(self) -> Standing:
        """How it stands now. Raises Unavailable."""
        now, spending = self._clock.now(), self._terms.spending
        names = {str(one.id): one.name for one in await self._services.list_services()} if spending.limits else {}
        used: list[Used] = []
        for limit in spending.limits:
            counters = await self._store.counters(limit.counters)
            found = self._used(limit, counters, names, now)
            used += sorted(found, key=lambda one: one.share, reverse=True)[:MOST]
        complained: tuple[Complained, ...] = ()
        if spending.complaints is not None:
            complained = tuple(_complained(spending.complaints, await self._store.counters(COMPLAINTS_OF), now))
        return Standing(at=now, currency=spending.currency, used=tuple(used), complained=complained)

    def _used(
        self, limit: SpendingLimit, counters: Mapping[str, Buckets], names: Mapping[str, str], now: datetime
    ) -> Iterator[Used]:
        for counter, buckets in counters.items():
            of = limit.counted(counter)
            spent = spent_in(limit.per, self._terms.default_timezone, buckets, now)
            if of is not None and spent.messages > 0:
                yield Used(limit=limit, of=names.get(of, of) if limit.by is CountedBy.SERVICE else of, spent=spent)


def _complained(limit: ComplaintLimit, counters: Mapping[str, Buckets], now: datetime) -> Iterator[Complained]:
    for counter, buckets in sorted(counters.items()):
        spent = spent_in(limit.per, "UTC", buckets, now)
        yield Complained(
            domain=counter.removeprefix(COMPLAINTS_OF),
            sent=spent.messages,
            complaints=spent.cost,
            rate=complaint_rate(spent),
            is_telling=is_telling(limit, spent),
            is_stopped=is_stopped(limit, spent),
        )
