"""SendGrid's words and what they mean to us, and the events that it posts.

Sources: the Event Webhook's reference and the errors of v3/mail/send (sendgrid.com/docs); enhanced codes by RFC 3463.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from gateway.errors import InvalidRequest
from providers.base import (
    AttemptId,
    DeliveryId,
    Evidence,
    Outcome,
    Reaction,
    Receipt,
    SuppressionReason,
    plain_text,
    redacted,
)
from providers.http_answers import OutcomeTable

DELIVERY: Final = "delivery_id"
ATTEMPT: Final = "attempt_id"
"""Our custom arguments, which SendGrid puts into each event beside its own members."""

CODES: Final[OutcomeTable] = MappingProxyType(
    {
        # By the field that the first error names; the rest goes by the HTTP status.
        "personalizations.0.to.0.email": Outcome.INVALID_RECIPIENT,
        "from": Outcome.MISCONFIGURED,  # no verified sender identity
        "from.email": Outcome.MISCONFIGURED,
        "custom_args": Outcome.MISCONFIGURED,
        "headers": Outcome.REJECTED,
    }
)

STATUSES: Final[Mapping[str, Evidence]] = MappingProxyType(
    {
        "processed": Evidence.TAKEN,
        "deferred": Evidence.TAKEN,  # SendGrid goes on trying, for up to 72 hours
        "delivered": Evidence.DELIVERED,
        "bounce": Evidence.BOUNCED,
        "blocked": Evidence.UNDELIVERED,
        "dropped": Evidence.BOUNCED,  # taken, then not sent: for its own list, or for the content
        # Nobody opens, follows or reports what did not arrive.
        "open": Evidence.DELIVERED,
        "click": Evidence.DELIVERED,
        "spamreport": Evidence.DELIVERED,
    }
)
REACTIONS: Final[Mapping[str, Reaction]] = MappingProxyType(
    {
        "open": Reaction.OPENED,
        "click": Reaction.CLICKED,
        "spamreport": Reaction.COMPLAINED,
        "unsubscribe": Reaction.UNSUBSCRIBED,
        "group_unsubscribe": Reaction.UNSUBSCRIBED,
        "group_resubscribe": Reaction.RESUBSCRIBED,
    }
)
DROPPED: Final[Mapping[str, SuppressionReason]] = MappingProxyType(
    {
        "bounced address": SuppressionReason.BOUNCE,
        "invalid": SuppressionReason.BOUNCE,
        "spam reporting address": SuppressionReason.COMPLAINT,
    }
)
"""Why SendGrid itself does not write to an address any more; other reasons are the message's."""
_PASSING: Final = ("4.", "5.2.2")
"""Bounces that are none for good: retries spent, and a full mailbox."""
_POLICY: Final = "5.7"
"""The message was refused, not the address."""


def read_events(body: bytes) -> Sequence[Receipt]:
    """The events of a call, in order; what is no event is passed over. Raises InvalidRequest for what is no list."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body must be JSON in UTF-8.") from error
    if not isinstance(document, list):
        raise InvalidRequest("The body must be a list of events.")
    return [_receipt(event) for event in document if isinstance(event, dict)]


def _receipt(event: Mapping[str, Any]) -> Receipt:
    word = (plain_text(event.get("event")) or "").lower()
    kind = "blocked" if word == "bounce" and event.get("type") == "blocked" else word
    code = plain_text(event.get("status"), 32)
    words = plain_text(event.get("reason"), 1000) or plain_text(event.get("response"), 1000)
    delivery_id, attempt_id = plain_text(event.get(DELIVERY), 64), plain_text(event.get(ATTEMPT), 64)
    evidence, suppress = _meaning(kind, code or "", (words or "").lower())
    message_id, event_id = plain_text(event.get("sg_message_id")), plain_text(event.get("sg_event_id"))
    return Receipt(
        # With the word beside it: samples of its documentation give one id to events of many kinds.
        event_id=_digest(event) if event_id is None else f"{event_id}:{kind}",
        delivery_id=None if delivery_id is None else DeliveryId(delivery_id),
        attempt_id=None if attempt_id is None else AttemptId(attempt_id),
        # The answer to the send has it without what follows the first full stop.
        provider_message_id=None if message_id is None else message_id.partition(".")[0],
        status=kind,
        code=code,
        detail=redacted(words, plain_text(event.get("email")) or "") if words else None,
        evidence=evidence,
        reaction=REACTIONS.get(kind) or _left(kind, words),
        suppress=suppress,
        at=_instant(event.get("timestamp")),
    )


def _meaning(kind: str, code: str, words: str) -> tuple[Evidence | None, SuppressionReason | None]:
    match kind:
        case "bounce" if code.startswith(_PASSING):
            return Evidence.UNDELIVERED, None
        case "bounce":
            return Evidence.BOUNCED, None if code.startswith(_POLICY) else SuppressionReason.BOUNCE
        case "dropped":
            return Evidence.BOUNCED, DROPPED.get(words)
        case "spamreport":
            return Evidence.DELIVERED, SuppressionReason.COMPLAINT
        case _:
            return STATUSES.get(kind), None


def _left(kind: str, words: str | None) -> Reaction | None:
    return Reaction.UNSUBSCRIBED if kind == "dropped" and (words or "").lower() == "unsubscribed address" else None


def _digest(event: Mapping[str, Any]) -> str:
    """An id for an event that has none: the same event told twice has the same."""
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()


def _instant(seconds: object) -> datetime | None:
    # Samples of its own documentation write it as a text.
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 12:
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds < 2**35:
        return None
    return datetime.fromtimestamp(seconds, UTC)
