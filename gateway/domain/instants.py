"""Instants as the API, the events and the pages write them."""

from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    """An aware instant in UTC with `Z`, such as `2026-11-22T18:00:00Z`."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return f"{utc.isoformat()[:-6]}Z"


def rfc3339_or_none(at: datetime | None) -> str | None:
    """The same, or null."""
    return None if at is None else rfc3339(at)
