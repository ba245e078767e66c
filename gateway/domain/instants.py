"""Instants: as the API, the events and the pages write them, and as whole numbers to be kept and compared."""

from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.domain.encoding import encode

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def rfc3339(at: datetime) -> str:
    """An aware instant in UTC with `Z`, such as `2026-11-22T18:00:00Z`."""
    # As msgspec writes it, within quotes: six times as fast as `isoformat`.
    return encode(at if at.tzinfo is UTC else at.astimezone(UTC))[1:-1].decode()


def rfc3339_or_none(at: datetime | None) -> str | None:
    """The same, or null."""
    return None if at is None else rfc3339(at)


def to_micros(at: datetime) -> int:
    """Whole microseconds since 1970 of an aware datetime; exact, unlike `timestamp()`."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of `to_micros`."""
    # A timedelta that is multiplied is made in half the time of one out of so many microseconds.
    return _EPOCH + micros * _MICROSECOND
