"""When a message may go and until when it is worth sending: pure rules over wall times, zones and defaults."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytz

from gateway.delivery.accepting.addresses import UnknownTimezone, check_timezone
from gateway.domain.messages import LocalTime, SendRequest
from gateway.domain.preferences import Category
from gateway.errors import FieldProblem

RECIPIENT_ZONE: Final = "recipient"
FARTHEST: Final = timedelta(days=2 * 366)
"""How far away an instant in a request may be."""
_DEFAULT_LIFE: Final = {
    Category.CRITICAL: timedelta(minutes=10),
    Category.TRANSACTIONAL: timedelta(days=3),
    Category.MARKETING: timedelta(days=3),
}
_DAY: Final = timedelta(days=1)


class WrongSchedule(ValueError):
    """A time that cannot be meant; says which field and why."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = FieldProblem(pointer=pointer, code=code, message=message)


def instants_of(local: datetime, zone: str) -> tuple[datetime, ...]:
    """The instants at which a clock in the zone shows this wall time, in order: none in a gap, two in an overlap."""
    timezone = pytz.timezone(zone)
    # Every offset in force around that day; pytz's own is_dst flag cannot name the first of two standard times.
    offsets = {timezone.fromutc(local + shift).utcoffset() or timedelta(0) for shift in (-_DAY, timedelta(0), _DAY)}
    candidates = sorted(local - offset for offset in offsets)
    return tuple(
        candidate.replace(tzinfo=UTC)
        for candidate in candidates
        if timezone.fromutc(candidate).replace(tzinfo=None) == local
    )


def needs_recipient_zone(request: SendRequest) -> bool:
    """Whether `send_at` is a wall time in a zone that the request itself does not name."""
    asked = request.send_at
    return isinstance(asked, LocalTime) and asked.timezone == RECIPIENT_ZONE and request.to.timezone is None


def settle_send_at(request: SendRequest, stored_zone: str | None, default_zone: str, now: datetime) -> datetime | None:
    """The instant that `send_at` means; of two in an overlap the first.

    A wall time in a gap is wrong where the zone is known; in the default zone, which is only a guess, it moves
    past the gap. Raises WrongSchedule.
    """
    asked = request.send_at
    if asked is None or isinstance(asked, datetime):
        return _near(asked, now, "/send_at")
    of_recipient = asked.timezone == RECIPIENT_ZONE
    known = (request.to.timezone or stored_zone) if of_recipient else _checked_zone(asked.timezone)
    _near(asked.local.replace(tzinfo=UTC), now, "/send_at/local")
    found = instants_of(asked.local, known or default_zone)
    if found:
        return found[0]
    if known is not None:
        raise WrongSchedule(
            "/send_at/local",
            "nonexistent_local_time",
            f"This wall time does not occur in {known} on that day: the clocks go forward past it.",
        )
    return _after_gap(asked.local, default_zone)


def settle_expiry(
    asked: datetime | None, after: timedelta | None, category: Category, send_at: datetime | None, now: datetime
) -> datetime:
    """The caller's instant, else the template's `expires_after`, else the category's, counted from `send_at`.

    Raises WrongSchedule when nothing could be sent before it.
    """
    start = now if send_at is None else max(send_at, now)
    if asked is None:
        life = after if after is not None else _DEFAULT_LIFE[category]
        return start + min(life, FARTHEST)
    if send_at is not None and asked <= send_at:
        raise WrongSchedule("/expires_at", "before_send_at", "It would expire before it may be sent.")
    if asked <= now:
        raise WrongSchedule("/expires_at", "in_the_past", "It has expired already; give a later instant or none.")
    _near(asked, now, "/expires_at")
    return asked.astimezone(UTC)


def _near(at: datetime | None, now: datetime, pointer: str) -> datetime | None:
    if at is not None and not now - FARTHEST <= at <= now + FARTHEST:
        raise WrongSchedule(pointer, "too_far", f"Give an instant less than {FARTHEST.days} days away.")
    return None if at is None else at.astimezone(UTC)


def _checked_zone(name: str) -> str:
    try:
        return check_timezone(name)
    except UnknownTimezone as error:
        raise WrongSchedule("/send_at/timezone", error.code, f"{error} Or write `recipient`.") from error


def _after_gap(local: datetime, zone: str) -> datetime:
    timezone = pytz.timezone(zone)
    before = timezone.fromutc(local - _DAY).utcoffset() or timedelta(0)
    return (local - before).replace(tzinfo=UTC)
