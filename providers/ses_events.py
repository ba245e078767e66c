"""Amazon SES's words and what they mean to us, and the events that it puts out by SNS.

Sources: the errors of SendEmail and the common errors of its API version 2, and "Contents of event data that Amazon SES
publishes to Amazon SNS" and "Amazon SNS notification contents" (docs.aws.amazon.com); enhanced codes by RFC 3463.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

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
from providers.sns import Envelope, instant

DELIVERY: Final = "delivery_id"
ATTEMPT: Final = "attempt_id"
"""Our tags of a message, which SES puts into each event."""

CODES: Final[OutcomeTable] = MappingProxyType(
    {
        "MessageRejected": Outcome.REJECTED,
        "MessageRejected/unverified": Outcome.MISCONFIGURED,  # the sender, or in the sandbox the recipient
        "BadRequestException": Outcome.REJECTED,  # an address that SES cannot write to among them: others may
        "MailFromDomainNotVerifiedException": Outcome.MISCONFIGURED,
        "NotFoundException": Outcome.MISCONFIGURED,  # no such configuration set
        "AccountSuspendedException": Outcome.MISCONFIGURED,
        "SendingPausedException": Outcome.MISCONFIGURED,
        "AccessDeniedException": Outcome.MISCONFIGURED,
        "ExpiredTokenException": Outcome.MISCONFIGURED,
        "InvalidClientTokenId": Outcome.MISCONFIGURED,
        "InvalidSignatureException": Outcome.MISCONFIGURED,
        "SignatureDoesNotMatch": Outcome.MISCONFIGURED,
        "UnrecognizedClientException": Outcome.MISCONFIGURED,
        "TooManyRequestsException": Outcome.THROTTLED,
        "LimitExceededException": Outcome.THROTTLED,
        "ThrottlingException": Outcome.THROTTLED,
        "Throttling": Outcome.THROTTLED,
    }
)

_TAKEN, _DELIVERED, _BOUNCED = Evidence.TAKEN, Evidence.DELIVERED, Evidence.BOUNCED
STATUSES: Final[Mapping[str, Evidence]] = MappingProxyType(
    {
        "Send": _TAKEN,
        "DeliveryDelay": _TAKEN,  # SES goes on trying, for up to 14 hours
        "Delivery": _DELIVERED,
        "Reject": _BOUNCED,  # taken, then found to hold a virus
        "Rendering Failure": _BOUNCED,
        # Nobody opens, follows or reports what did not arrive.
        "Open": _DELIVERED,
        "Click": _DELIVERED,
    }
)
REACTIONS: Final[Mapping[str, Reaction]] = MappingProxyType({"Open": Reaction.OPENED, "Click": Reaction.CLICKED})
_MEMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}
)
"""Where the particulars of an event stand, if not under its name in lower case."""
_POLICY: Final = "5.7"
"""The message was refused, not the address."""


def read_events(envelope: Envelope) -> Sequence[Receipt]:
    """The event in a message of SNS; none in what is no event, such as the one that tries a topic out."""
    try:
        event = json.loads(envelope.get("Message", ""))
    except (ValueError, RecursionError):
        return ()
    if not isinstance(event, dict):
        return ()
    kind = plain_text(event.get("eventType"), 64) or plain_text(event.get("notificationType"), 64)
    return () if kind is None else (_receipt(envelope, event, kind),)


def _receipt(envelope: Envelope, event: Mapping[str, Any], kind: str) -> Receipt:
    mail = _object(event.get("mail"))
    told = _object(event.get(_MEMBERS.get(kind, kind.lower())))
    recipient = _first_object(told.get(_recipients(kind)))
    code = plain_text(recipient.get("status"), 32)
    evidence, reaction, suppress = _meaning(kind, told, code or "")
    tags = _object(mail.get("tags"))
    delivery_id, attempt_id = _tag(tags, DELIVERY), _tag(tags, ATTEMPT)
    message_id = plain_text(mail.get("messageId"))
    at = instant(told.get("timestamp")) or (instant(mail.get("timestamp")) if kind == "Send" else None)
    # One event may come twice, by the identity's notifications and by the configuration set's.
    which = plain_text(told.get("feedbackId")) or (None if at is None else at.isoformat())
    known = message_id is not None and which is not None
    return Receipt(
        event_id=f"{message_id}:{kind}:{which}" if known else f"sns:{plain_text(envelope.get('MessageId'))}",
        delivery_id=None if delivery_id is None else DeliveryId(delivery_id),
        attempt_id=None if attempt_id is None else AttemptId(attempt_id),
        provider_message_id=message_id,
        status=_status(kind, told),
        code=code,
        detail=_detail(told, recipient),
        evidence=evidence,
        reaction=reaction,
        suppress=suppress,
        at=at,
    )


def _meaning(
    kind: str, told: Mapping[str, Any], code: str
) -> tuple[Evidence | None, Reaction | None, SuppressionReason | None]:
    match kind, told.get("bounceType"), told.get("bounceSubType"):
        case "Bounce", "Permanent", "UnsubscribedRecipient":
            return _BOUNCED, Reaction.UNSUBSCRIBED, None
        case "Bounce", "Permanent", _:
            return _BOUNCED, None, None if code.startswith(_POLICY) else SuppressionReason.BOUNCE
        case "Bounce", _, _:
            # Transient and undetermined: a full mailbox, a size or content that was refused, time run out.
            return Evidence.UNDELIVERED, None, None
        case "Complaint", _, _:
            return _complained(told)
        case _:
            return STATUSES.get(kind), REACTIONS.get(kind), None


def _complained(told: Mapping[str, Any]) -> tuple[Evidence, Reaction | None, SuppressionReason | None]:
    if told.get("complaintSubType") == "OnAccountSuppressionList":
        # Not sent, for an earlier complaint.
        return _BOUNCED, None, SuppressionReason.COMPLAINT
    if told.get("complaintFeedbackType") == "not-spam":
        return _DELIVERED, None, None
    return _DELIVERED, Reaction.COMPLAINED, SuppressionReason.COMPLAINT


def _status(kind: str, told: Mapping[str, Any]) -> str:
    """Its own word, with type and subtype of a bounce."""
    kinds = (plain_text(told.get(name), 64) for name in ("bounceType", "bounceSubType", "complaintSubType"))
    return "/".join([kind, *filter(None, kinds)])


def _detail(told: Mapping[str, Any], recipient: Mapping[str, Any]) -> str | None:
    words = plain_text(recipient.get("diagnosticCode"), 1000) or plain_text(told.get("reason"), 1000)
    words = words or plain_text(told.get("smtpResponse"), 1000)
    return redacted(words, plain_text(recipient.get("emailAddress")) or "") if words else None


def _recipients(kind: str) -> str:
    return {"Bounce": "bouncedRecipients", "DeliveryDelay": "delayedRecipients"}.get(kind, "complainedRecipients")


def _tag(tags: Mapping[str, Any], name: str) -> str | None:
    values = tags.get(name)
    return plain_text(values[0], 64) if isinstance(values, list) and values else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _first_object(value: object) -> Mapping[str, Any]:
    return _object(value[0]) if isinstance(value, list) and value else {}
