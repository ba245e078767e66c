"""What Kannel calls us with, by GET: receipts at the `dlr-url` of each message, and texts at the `get-url`.

It signs nothing. So each receipt comes to an address of its own, signed by us for the one delivery, and texts to one
that holds a token which the settings name. Neither tells a time: a replay is genuine, and harmless by its event id.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from gateway.errors import InvalidRequest
from providers.base import AttemptId, DeliveryId, Inbound, Receipt, WebhookRequest, plain_text, redacted
from providers.http_answers import OutcomeTable
from providers.kannel_codes import evidence_of
from providers.receipts import suppression_of

_TOLD: Final = "status=%d&answer=%A&smsc=%i&id=%F&at=%T"
"""What Kannel puts in: kind, the carrier's answer, the carrier, its id, the instant. %p and %P would be addresses."""
_REFUSAL: Final = re.compile(r"NACK/(?:(0x[0-9a-fA-F]{1,8})(?:/|$))?(.*)", re.DOTALL)
_STATE: Final = re.compile(r"\bstat:(\w{1,10})(?: err:(\w{1,10}))?")
"""Of an SMPP receipt, whose rest may quote the message."""
_UNKEPT: Final = re.compile("[\0\ud800-\udfff]")
"""What no store keeps."""
_MOST_FIELDS: Final = 50
_DIGEST: Final = 40
"""Hex digits of the token: 160 bits."""


def receipt_url(base: str, key: str, delivery_id: str, attempt_id: str) -> str:
    """Where Kannel shall tell what becomes of a message; %-words are Kannel's to fill in."""
    token = _token(key, delivery_id, attempt_id)
    return f"{base}?delivery={delivery_id}&attempt={attempt_id}&{_TOLD}&token={token}"


def is_signed(key: str, inbound_token: str | None, request: WebhookRequest) -> bool:
    """Whether the address is one of ours; a body is never Kannel's."""
    fields = _fields(request.url)
    if "delivery" in fields:
        wanted: str | None = _token(key, fields["delivery"], fields.get("attempt", ""))
    else:
        wanted = inbound_token
    given = fields.get("token", "")
    return (
        wanted is not None
        and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
        and not request.body
    )


def read_call(request: WebhookRequest, codes: OutcomeTable) -> Inbound | Receipt:
    """The text or the receipt that an address tells. Raises InvalidRequest."""
    fields = _fields(request.url)
    return _receipt(fields, codes) if "delivery" in fields else _text(request.url, fields)


def _token(key: str, delivery_id: str, attempt_id: str) -> str:
    signed = f"kannel\n{delivery_id}\n{attempt_id}".encode("utf-8", "replace")
    return hmac.digest(key.encode(), signed, "sha256").hex()[:_DIGEST]


def _fields(url: str, charset: str = "utf-8") -> Mapping[str, str]:
    """The query's parameters, of a repeated one the last; none where it cannot be read."""
    try:
        return dict(
            parse_qsl(
                urlsplit(url).query,
                keep_blank_values=True,
                encoding=charset,
                errors="replace",
                max_num_fields=_MOST_FIELDS,
            )
        )
    except ValueError:
        return {}


def _receipt(fields: Mapping[str, str], codes: OutcomeTable) -> Receipt:
    status = plain_text(fields.get("status"), 32)
    if status is None:
        raise InvalidRequest("The call tells nothing: `status` is missing.")
    code, words = _reason(fields.get("answer", ""))
    carrier_id = plain_text(fields.get("id"))
    evidence = evidence_of(status, code, codes)
    told = (fields.get("attempt", ""), fields.get("smsc", ""), carrier_id or "", status, code or "")
    return Receipt(
        # Of the attempt, the carrier and its id, and what is told: Kannel gives its receipts no id of their own.
        event_id=hashlib.sha256("\n".join(told).encode("utf-8", "replace")).hexdigest(),
        delivery_id=DeliveryId(fields["delivery"]),
        attempt_id=AttemptId(fields["attempt"]) if fields.get("attempt") else None,
        provider_message_id=carrier_id,
        status=status,
        code=code,
        detail=redacted(words) or None if words else None,
        evidence=evidence,
        suppress=suppression_of(evidence, code, codes),
        at=_instant(fields.get("at", "")),
    )


def _reason(answer: str) -> tuple[str | None, str | None]:
    """Code and words of a refusal; of a receipt by SMPP its state alone, since it may quote the message."""
    if refusal := _REFUSAL.match(answer):
        code = None if refusal[1] is None else f"0x{int(refusal[1], 16):08x}"
        return code, plain_text(refusal[2], 200)
    if state := _STATE.search(answer):
        return state[1] if state[2] is None else f"{state[1]}/{state[2]}", None
    return None, None


def _text(url: str, fields: Mapping[str, str]) -> Inbound:
    sender = plain_text(fields.get("from"), 64)
    if sender is None or "text" not in fields:
        raise InvalidRequest("The text names no sender, or there is none: `from` or `text` is missing.")
    return Inbound(
        event_id=plain_text(fields.get("id")) or hashlib.sha256(url.encode("utf-8", "replace")).hexdigest(),
        sender=sender,
        recipient=plain_text(fields.get("to"), 64) or "",
        text=_UNKEPT.sub("", _spoken(url, fields))[:10_000],
        sent_at=_instant(fields.get("at", "")),
    )


def _spoken(url: str, fields: Mapping[str, str]) -> str:
    """The text in the charset that Kannel names; where Python knows none of that name, what can be read as UTF-8."""
    try:
        return _fields(url, fields.get("charset") or "utf-8")["text"]
    except (LookupError, UnicodeError):
        return fields["text"]


def _instant(seconds: str) -> datetime | None:
    if not seconds.isascii() or not seconds.isdigit() or not 0 < len(seconds) < 11:
        return None
    return datetime.fromtimestamp(int(seconds), UTC)
