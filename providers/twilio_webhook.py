"""What Twilio calls us with: status callbacks of the messages that we sent, and texts that people send to us.

`X-Twilio-Signature` is the Base64 of HMAC-SHA1 over the address as Twilio called it and the sorted names and values of
the form (twilio.com/docs/usage/security). There is no time in it: a replay is genuine, and harmless by its event id.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlsplit

from multidict import MultiDict
from twilio.request_validator import RequestValidator

from gateway.errors import InvalidRequest
from providers.base import AttemptId, DeliveryId, Inbound, Receipt, WebhookRequest, redacted
from providers.http_answers import OutcomeTable
from providers.receipts import suppression_of
from providers.twilio_codes import evidence_of

SIGNATURE: Final = "X-Twilio-Signature"
DELIVERY: Final = "delivery"
ATTEMPT: Final = "attempt"
"""Parameters of the callback's address, which the signature covers."""
_MOST_FIELDS: Final = 200


def callback_url(base: str, delivery_id: str, attempt_id: str) -> str:
    """Where Twilio shall tell what becomes of a message."""
    return f"{base}?{DELIVERY}={delivery_id}&{ATTEMPT}={attempt_id}"


def is_signed(tokens: Collection[str], request: WebhookRequest) -> bool:
    """Whether one of the tokens signed the call.

    `X-Twilio-Webhooks-Signature-Settings` may name another algorithm; a caller does not choose how it is checked.
    """
    try:
        given = base64.b64decode(request.headers.get(SIGNATURE.lower(), ""), validate=True)
        form = _signed_form(request)
    except (binascii.Error, ValueError):
        return False
    signed = False
    for validator in map(RequestValidator, tokens):
        for url in _spellings(request.url):
            wanted = base64.b64decode(validator.compute_signature(url, form))
            signed |= hmac.compare_digest(given, wanted)
    return signed


def read_call(request: WebhookRequest, codes: OutcomeTable) -> Sequence[Inbound | Receipt]:
    """The one text or receipt of a call; members that are not known are passed over. Raises InvalidRequest."""
    try:
        form = _form(request)
    except ValueError as error:
        raise InvalidRequest("The body must be a form in UTF-8.") from error
    fields = {name: form[name] for name in form}
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    if not sid:
        raise InvalidRequest("The call names no message: MessageSid is missing.")
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
    if "Body" in fields and status.lower() in ("", "receiving", "received"):
        return (_text(sid, fields),)
    address = dict(parse_qsl(urlsplit(request.url).query))
    code, words = fields.get("ErrorCode"), fields.get("ErrorMessage")
    return (receipt_of(sid, status, code=code, words=words, codes=codes, address=address),)


def receipt_of(
    sid: str,
    status: str,
    *,
    code: str | None,
    words: str | None,
    codes: OutcomeTable,
    address: Mapping[str, str] = MappingProxyType({}),
) -> Receipt:
    """What a status and code tell of a message; `address` holds the parameters that the callback was made with."""
    code = code if code not in ("", "0") else None
    evidence = evidence_of(status, code, codes)
    return Receipt(
        # Of the message, what is told, and why: Twilio gives its callbacks no id of their own.
        event_id=f"{sid}:{status.lower()}:{code or ''}",
        delivery_id=DeliveryId(address[DELIVERY]) if DELIVERY in address else None,
        attempt_id=AttemptId(address[ATTEMPT]) if ATTEMPT in address else None,
        provider_message_id=sid,
        status=status,
        code=code,
        detail=redacted(words) if words else None,
        evidence=evidence,
        suppress=suppression_of(evidence, code, codes),
    )


def _text(sid: str, fields: Mapping[str, str]) -> Inbound:
    sender = fields.get("From", "")
    if not sender:
        raise InvalidRequest("The text names no sender: From is missing.")
    return Inbound(event_id=sid, sender=sender, recipient=fields.get("To", ""), text=fields["Body"])


def _signed_form(request: WebhookRequest) -> "MultiDict[str]":
    """What is signed beside the address: the form, or nothing where the address carries the digest of a JSON body.

    Raises ValueError for a body that is neither.
    """
    digests = parse_qs(urlsplit(request.url).query).get("bodySHA256")
    if digests is None:
        return _form(request)
    if not hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), digests[0].encode()):
        raise ValueError("another body")
    return MultiDict()


def _form(request: WebhookRequest) -> "MultiDict[str]":
    """The form in the body. Raises ValueError."""
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    if any("\0" in text for pair in pairs for text in pair):
        raise ValueError("NUL is no text")
    return MultiDict(pairs)


def _spellings(url: str) -> Iterator[str]:
    """The ways in which Twilio may have written an address: with or without its port, with ' or %27."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
    port = parts.port if parts.port is not None else {"https": 443, "http": 80}.get(parts.scheme)
    for netloc in (host, f"{host}:{port}"):
        spelled = parts._replace(netloc=netloc).geturl()
        yield from {spelled, spelled.replace("'", "%27"), spelled.replace("%27", "'")}
