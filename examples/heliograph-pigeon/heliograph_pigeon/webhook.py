"""What Pigeon tells later: signed as `Pigeon-Signature: t=<seconds since 1970>,v1=<hex HMAC-SHA256 of t.body>`."""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gateway.errors import InvalidRequest
from providers.base import DeliveryId, Evidence, Receipt, SuppressionReason, WebhookRequest, plain_text

_FRESH_SECONDS: Final = 300
STATES: Final[Mapping[str, tuple[Evidence, SuppressionReason | None]]] = {
    "in_flight": (Evidence.TAKEN, None),
    "landed": (Evidence.DELIVERED, None),
    "lost": (Evidence.UNDELIVERED, None),
    "shot_down": (Evidence.BOUNCED, SuppressionReason.BOUNCE),
}
"""Pigeon's words and what they say; others are kept and move nothing."""


def is_signed(secrets: Sequence[str], request: WebhookRequest) -> bool:
    """Whether one of the secrets signed the raw bytes, and lately."""
    header = request.headers.get("pigeon-signature", "")
    at, _, given = header.removeprefix("t=").partition(",v1=")
    if not (at.isascii() and at.isdigit() and len(at) < 12 and given.isascii()):
        return False
    if abs(request.received_at.timestamp() - int(at)) > _FRESH_SECONDS:
        return False
    return any(hmac.compare_digest(given, signature(secret, at, request.body)) for secret in secrets)


def signature(secret: str, at: str, body: bytes) -> str:
    """What Pigeon writes as `v1`."""
    return hmac.digest(secret.encode(), at.encode() + b"." + body, "sha256").hex()


def read_events(body: bytes) -> list[Receipt]:
    """The events of a call; what is no event is passed over. Raises InvalidRequest for what holds no list of them."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body must be JSON in UTF-8.") from error
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise InvalidRequest("The body must have a list of events.")
    return [receipt_of(event) for event in events if isinstance(event, dict)]


def receipt_of(event: Mapping[str, Any]) -> Receipt:
    """One word on one text; the same word on it has the same id each time that it is told."""
    text_id, state = plain_text(event.get("id")) or "", plain_text(event.get("state"), 64) or ""
    evidence, suppress = STATES.get(state, (None, None))
    reference = plain_text(event.get("reference"), 64)
    return Receipt(
        event_id=f"{text_id}:{state}",
        delivery_id=None if reference is None else DeliveryId(reference),
        provider_message_id=text_id or None,
        status=state,
        evidence=evidence,
        suppress=suppress,
        at=_instant(event.get("at")),
    )


def _instant(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds < 2**35:
        return None
    return datetime.fromtimestamp(seconds, UTC)
