"""What `POST /webhooks/{mailbox}` takes: a text as if someone had sent it, signed with the mailbox's own secret.

    {"id": "evt-1", "from": "+33612345678", "to": "+33700000000", "text": "STOP"}

`Heliograph-Timestamp` carries the seconds since 1970, `Heliograph-Signature` is `sha256=` and the hex digits of
HMAC-SHA256 (RFC 2104) over the timestamp, a full stop and the raw body.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.errors import FieldProblem, InvalidRequest
from providers.base import Inbound, WebhookRequest

TIMESTAMP: Final = "Heliograph-Timestamp"
SIGNATURE: Final = "Heliograph-Signature"
_FRESH: Final = timedelta(minutes=5)
"""How far the timestamp may lie from our clock, on either side."""
_LONGEST: Final = {"id": 200, "from": 64, "to": 64, "text": 10_000}
"""Characters."""


def sign(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The two headers that make a body ours."""
    return {TIMESTAMP: str(timestamp), SIGNATURE: f"sha256={_digest(secret, str(timestamp), body)}"}


def is_signed(secret: str, request: WebhookRequest) -> bool:
    """Whether the request is signed with the secret, and lately."""
    timestamp = request.headers.get(TIMESTAMP.lower(), "")
    given = request.headers.get(SIGNATURE.lower(), "")
    wanted = f"sha256={_digest(secret, timestamp, request.body)}"
    # Compared before anything is read of either: as bytes, since a header may hold any.
    signed = hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
    return signed and _is_fresh(timestamp, request.received_at)


def read_text(body: bytes) -> Inbound:
    """The text in a body; members that it does not know are passed over.

    Raises InvalidRequest that names what is missing or too long.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body must be JSON in UTF-8.") from error
    if not isinstance(document, dict):
        raise InvalidRequest('The body must be an object: {"id", "from", "text"}, and "to" where you know it.')
    problems: list[FieldProblem] = []
    texts = {name: _text(document, name, problems) for name in _LONGEST}
    sent_at = _instant(document, problems)
    if problems:
        raise InvalidRequest("The text cannot be taken as it stands.", problems)
    return Inbound(
        event_id=texts["id"],
        sender=texts["from"],
        recipient=texts["to"],
        text=texts["text"],
        sent_at=sent_at,
        live=False,
    )


def _digest(secret: str, timestamp: str, body: bytes) -> str:
    signed = timestamp.encode("utf-8", "surrogateescape") + b"." + body
    return hmac.digest(secret.encode(), signed, "sha256").hex()


def _is_fresh(timestamp: str, now: datetime) -> bool:
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    return abs(now.timestamp() - int(timestamp)) <= _FRESH.total_seconds()


def _text(document: Mapping[str, object], name: str, problems: list[FieldProblem]) -> str:
    given = document.get(name, "" if name == "to" else None)
    if not isinstance(given, str) or (not given and name in ("id", "from")):
        problems.append(FieldProblem(pointer=f"/{name}", code="missing", message="Give a text."))
        return ""
    if len(given) > _LONGEST[name]:
        told = f"It has at most {_LONGEST[name]} characters."
        problems.append(FieldProblem(pointer=f"/{name}", code="too_long", message=told))
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in given):
        told = "NUL and halves of surrogate pairs are no text."
        problems.append(FieldProblem(pointer=f"/{name}", code="not_text", message=told))
    return given


def _instant(document: Mapping[str, object], problems: list[FieldProblem]) -> datetime | None:
    given = document.get("at")
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given) if isinstance(given, str) else None
        in_utc = None if at is None or at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        # The last hours of the calendar are beyond it elsewhere.
        in_utc = None
    if in_utc is None:
        told = "Give an instant such as 2026-11-22T08:00:00Z (RFC 3339)."
        problems.append(FieldProblem(pointer="/at", code="wrong_format", message=told))
    return in_utc
