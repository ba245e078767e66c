"""Whether it may be spent: where a service may send texts, budgets per period, and complaints that stop marketing.

A rolling window is counted in twelve parts, and a part counts until the whole of it is older than the window: so no
window ever holds more than the limit, and what was spent is free again up to a twelfth later.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.decisions import Facts
from gateway.domain.durations import format_duration
from gateway.domain.instants import from_micros, to_micros
from gateway.domain.recipients import JsonValue
from gateway.domain.rules import Calendar, Over
from gateway.domain.spending import NOTHING, Buckets, Budget, Charge, ComplaintLimit, SpendingFacts, Spent, price_shown
from gateway.domain.values import replace
from gateway.policy.frequency import period_start
from gateway.policy.rulings import Ruling, passes, suppresses
from gateway.policy.wall_clocks import WallClock, wall_clock

PARTS: Final = 12
_MICROSECOND: Final = timedelta(microseconds=1)
_INTO_NEXT: Final = {
    Calendar.DAY: timedelta(hours=36) // _MICROSECOND,
    Calendar.WEEK: timedelta(days=10) // _MICROSECOND,
    Calendar.MONTH: timedelta(days=45) // _MICROSECOND,
}
"""So long after its beginning every period is over, and the next is not."""
COUNTRY: Final = "spending_countries"
COMPLAINTS: Final = "complaint_rate"
COMPLAINTS_OF: Final = "|complaints|"
"""With what the counters of sending domains begin; no limit has such a one, whatever its name."""


class Spending:
    """A budget, as a clause that may put a delivery off."""

    reason, ends = "spending_limit", True

    def __init__(self, budget: Budget, facts: SpendingFacts, zone: str) -> None:
        limit = budget.limit
        self.name = limit.name
        self.defers = limit.over is Over.DEFER
        self.falls_through = limit.over is Over.NEXT_CHANNEL
        self._budget = budget
        self._facts = facts
        self._takes = Spent(messages=1, cost=facts.cost)
        self._time = _Time(limit.per, wall_clock(zone))

    def earliest(self, instant: int, _limit: int) -> int | None:
        """When so much is left of it; None where it never is."""
        if not self._fits(NOTHING):
            return None
        for at in self._time.instants(self._budget.spent, instant):
            if self._fits(self._time.spent(self._budget.spent, at)):
                return at
        raise AssertionError("the last instant is one at which nothing of what was spent counts")

    def saw(self, instant: int) -> dict[str, JsonValue]:
        """The limit, what it counts together, and how much of it is used."""
        limit, used = self._budget.limit, self._time.spent(self._budget.spent, instant)
        saw: dict[str, JsonValue] = {
            "by": limit.by.value,
            "of": self._budget.of,
            "per": limit.per.value if isinstance(limit.per, Calendar) else format_duration(limit.per),
            "over": limit.over.value,
        }
        if limit.messages is not None:
            saw["messages"] = {"limit": limit.messages, "used": used.messages}
        if limit.cost is not None:
            saw["cost"] = {
                "limit": price_shown(limit.cost),
                "used": price_shown(used.cost),
                "this": price_shown(self._takes.cost),
                "currency": self._facts.currency,
            }
        return saw

    def charge(self, now: int) -> Charge:
        """What a call at this instant counts to it."""
        limit, time = self._budget.limit, self._time
        return Charge(
            counter=self._budget.counter,
            bucket=time.bucket(now),
            counted_from=time.counted_from(now),
            spent=self._takes,
            messages=limit.messages,
            cost=limit.cost,
            kept_until=from_micros(time.forgotten_at(now)),
        )

    def _fits(self, spent: Spent) -> bool:
        limit, total = self._budget.limit, spent.plus(self._takes)
        return (limit.messages is None or total.messages <= limit.messages) and (
            limit.cost is None or total.cost <= limit.cost
        )


class _Time:
    """How the time of a limit is cut: calendar periods are one part each, a rolling window has twelve."""

    def __init__(self, per: timedelta | Calendar, clock: WallClock) -> None:
        self._per = per
        self._clock = clock
        self._window = 0 if isinstance(per, Calendar) else per // _MICROSECOND
        self._width = max(self._window // PARTS, 1)

    def bucket(self, instant: int) -> int:
        """With which instant the part begins that this one lies in."""
        if isinstance(self._per, Calendar):
            return period_start(self._per, self._clock, instant)
        return instant - instant % self._width

    def counted_from(self, instant: int) -> int:
        """Parts that begin then or later count at the instant."""
        if isinstance(self._per, Calendar):
            return period_start(self._per, self._clock, instant)
        return instant - self._window - self._width + 1

    def forgotten_at(self, instant: int) -> int:
        """When the part that the instant lies in counts for nothing any more."""
        return self._end(self.bucket(instant))

    def _end(self, start: int) -> int:
        """When a part counts for nothing that begins then, as one may that was counted while the limit's time was
        another."""
        if isinstance(self._per, Calendar):
            return period_start(self._per, self._clock, self.bucket(start) + _INTO_NEXT[self._per])
        return start + self._width + self._window

    def spent(self, buckets: Buckets, instant: int) -> Spent:
        """What counts at the instant."""
        counted_from, total = self.counted_from(instant), NOTHING
        for start, spent in buckets.items():
            if start >= counted_from:
                total = total.plus(spent)
        return total

    def instants(self, buckets: Buckets, instant: int) -> Sequence[int]:
        """This one, and the later ones at which less counts."""
        return [instant, *sorted(end for start in buckets if (end := self._end(start)) > instant)]


def clauses_of(spending: SpendingFacts, zone: str) -> list[Spending]:
    """One for each budget that speaks of the delivery; calendar periods are the zone's."""
    return [Spending(budget, spending, zone) for budget in spending.budgets]


def charges_of(facts: Facts, now: datetime) -> tuple[Charge, ...]:
    """What the call of a delivery counts to that the gate let go at `now`."""
    spending, instant = facts.spending, to_micros(now)
    if spending is None:
        return ()
    charges = [clause.charge(instant) for clause in clauses_of(spending, facts.default_timezone)]
    if spending.complaints is not None and spending.domain is not None:
        charges.append(_mailed(spending.domain, spending.complaints.per, instant))
    return tuple(charges)


def complaint_of(domain: str, per: timedelta, now: datetime) -> Charge:
    """What a complaint about an e-mail from the domain counts to."""
    return replace(_mailed(domain, per, to_micros(now)), spent=Spent(cost=1))


def complaints_counter(domain: str) -> str:
    """The counter of a sending domain."""
    return f"{COMPLAINTS_OF}{domain}"


def _mailed(domain: str, per: timedelta, instant: int) -> Charge:
    time = _Time(per, wall_clock("UTC"))
    return Charge(
        counter=complaints_counter(domain),
        bucket=time.bucket(instant),
        counted_from=time.counted_from(instant),
        spent=Spent(messages=1),
        messages=None,
        cost=None,
        kept_until=from_micros(time.forgotten_at(instant)),
    )


def refusals_of(spending: SpendingFacts, now: datetime) -> Iterator[Ruling]:
    """What may refuse the delivery for good, as far as it applies."""
    if spending.countries is not None:
        yield _check_country(spending, spending.countries)
    if spending.complaints is not None and spending.domain is not None:
        yield _check_complaints(spending, spending.complaints, spending.domain, to_micros(now))


def _check_country(spending: SpendingFacts, allowed: Collection[str]) -> Ruling:
    saw: dict[str, JsonValue] = {"country": spending.country, "allowed": [*sorted(allowed)]}
    if spending.country in allowed:
        return passes(COUNTRY, saw)
    return suppresses(COUNTRY, "country_not_allowed", saw)


def _check_complaints(spending: SpendingFacts, limit: ComplaintLimit, domain: str, instant: int) -> Ruling:
    time = _Time(limit.per, wall_clock("UTC"))
    sent = time.spent(spending.complained.get(complaints_counter(domain), {}), instant)
    rate = complaint_rate(sent)
    saw: dict[str, JsonValue] = {
        "domain": domain,
        "sent": sent.messages,
        "complaints": sent.cost,
        "rate": rate,
        "stop_at": limit.stop_at,
        "at_least": limit.at_least,
        "per": format_duration(limit.per),
    }
    return suppresses(COMPLAINTS, "complaint_rate", saw) if is_stopped(limit, sent) else passes(COMPLAINTS, saw)


def spent_until(counters: Mapping[str, Buckets], at: datetime) -> Mapping[str, Buckets]:
    """The counters as they stood at a past instant, as far as their parts tell."""
    end = to_micros(at)
    return {
        counter: {start: spent for start, spent in buckets.items() if start <= end}
        for counter, buckets in counters.items()
    }


def complaint_rate(sent: Spent) -> float:
    """Complaints for each e-mail, to five decimals."""
    return round(sent.cost / sent.messages, 5) if sent.messages else 0.0


def is_telling(limit: ComplaintLimit, sent: Spent) -> bool:
    """Whether enough was sent for the rate to say something."""
    return sent.messages >= limit.at_least


def is_stopped(limit: ComplaintLimit, sent: Spent) -> bool:
    """Whether so many readers complained that no more marketing e-mail goes."""
    return is_telling(limit, sent) and complaint_rate(sent) >= limit.stop_at


def spent_in(per: timedelta | Calendar, zone: str, buckets: Buckets, now: datetime) -> Spent:
    """What counts at an instant to a limit over that time."""
    return _Time(per, wall_clock(zone)).spent(buckets, to_micros(now))
