"""May this message go, and when: suppression, consent and quiet hours."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from courier.models import Consent, Message, Suppression

_QUIET = {
    category: (time.fromisoformat(start), time.fromisoformat(end))
    for category, (start, end) in settings.QUIET_HOURS.items()
}


@dataclass(frozen=True)
class Decision:
    verdict: Literal["send", "hold", "suppress", "expire"]
    reason: str | None = None
    not_before: datetime | None = None


def decide(message: Message, now: datetime) -> Decision:
    """What may be done with the message at this instant."""
    if now >= message.expires_at:
        return Decision("expire", "expired")
    if _is_suppressed(message.recipient["email"], now):
        return Decision("suppress", "suppression")
    if message.category == "marketing" and not _has_consent(message):
        return Decision("suppress", "consent")
    if opening := _next_opening(message, now):
        return Decision("hold", "quiet_hours", opening) if opening < message.expires_at else Decision("expire")
    return Decision("send")


def _is_suppressed(address: str, now: datetime) -> bool:
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    return Suppression.objects.filter(lasting, channel="email", address=address).exists()


def _has_consent(message: Message) -> bool:
    given = Consent.objects.filter(
        service_id=message.service_id, recipient_id=message.recipient["id"], channel="email", topic=message.topic
    )
    return given.order_by("-recorded_at").values_list("state", flat=True).first() == "granted"


def _next_opening(message: Message, now: datetime) -> datetime | None:
    """When the quiet hours that it is now in end; None outside them."""
    if message.category not in _QUIET:
        return None
    start, end = _QUIET[message.category]
    local = now.astimezone(ZoneInfo(message.recipient["timezone"]))
    at = local.time()
    is_quiet = start <= at < end if start <= end else at >= start or at < end
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1) if at >= end else local.date()
    return datetime.combine(day, end, tzinfo=local.tzinfo)
