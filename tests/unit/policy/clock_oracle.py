"""What the contract says of hours and caps, once more: minute by minute, with zoneinfo, apart from the code."""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from gateway.domain.rules import Calendar, FrequencyCap, QuietHours, Window

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@lru_cache(maxsize=1_024)
def iana_zone(name: str) -> ZoneInfo:
    """The zone of the package tzdata, which is of one release with pytz; the machine's own may be years older."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def wall(instant: datetime, zone: str) -> datetime:
    """What a clock in the zone shows, without an offset."""
    return instant.astimezone(iana_zone(zone)).replace(tzinfo=None)


def is_open(rule: QuietHours, local: datetime, closed: Collection[date] = ()) -> bool:
    """Whether the rule lets a message go when the wall shows this; `closed` are its closed dates and holidays."""
    day = local.date()
    if (rule.valid_from and day < rule.valid_from) or (rule.valid_until and rule.valid_until < day):
        return True
    if day in closed:
        return False
    if rule.forbid:
        return not any(_covers(window, local) for window in rule.forbid)
    return any(_covers(window, local, closed) for window in rule.allow)


def _covers(window: Window, local: datetime, closed: Collection[date] = ()) -> bool:
    """Whether the window began today or yesterday and has not ended."""
    for began in (local.date(), local.date() - DAY):
        if began in closed or began.weekday() not in window.days:
            continue
        midnight = datetime(began.year, began.month, began.day)
        start = midnight + window.start * MINUTE
        end = midnight + window.end * MINUTE + (DAY if window.end < window.start else timedelta(0))
        if start <= local < end:
            return True
    return False


def candidates(now: datetime, minutes: int) -> Iterable[datetime]:
    """Now, and every whole minute after it."""
    yield now
    first = now.replace(second=0, microsecond=0) + MINUTE
    yield from (first + number * MINUTE for number in range(minutes))


def has_room(cap: FrequencyCap, taken: Collection[datetime], at: datetime, zones: Collection[str]) -> bool:
    """Whether one more may go at the instant, when all that was taken lies before it."""
    if isinstance(cap.per, Calendar):
        return all(_in_period(cap.per, taken, at, zone) < cap.limit for zone in zones)
    return sum(at - cap.per < slot for slot in taken) < cap.limit


def _in_period(period: Calendar, taken: Collection[datetime], at: datetime, zone: str) -> int:
    def key(instant: datetime) -> tuple[int, ...]:
        day = wall(instant, zone).date()
        match period:
            case Calendar.DAY:
                return (day.toordinal(),)
            case Calendar.WEEK:
                return tuple(day.isocalendar()[:2])
            case Calendar.MONTH:
                return (day.year, day.month)

    return sum(key(slot) == key(at) for slot in taken)


def utc(*parts: int) -> datetime:
    """An instant, by its parts."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]
