"""SendGrid: e-mail by its v3 mail/send, with its own Event Webhook.

It takes everything that is well-formed (202) and tells by webhook what became of it; it knows no idempotency.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.domain.messages import Attachment
from gateway.errors import ConfigurationError
from providers.base import (
    Channel,
    Clock,
    EmailContent,
    Envelope,
    Outcome,
    ProbeResult,
    Receipt,
    SendResult,
    WebhookRequest,
    plain_text,
    wrong_channel,
)
from providers.http import Answer, HttpClient, NoAnswer
from providers.http_adapter import AdapterSettings, HttpAdapter
from providers.http_answers import probed, read_object, refusal
from providers.sendgrid_events import ATTEMPT, CODES, DELIVERY, read_events

BASE_URL: Final = "https://api.sendgrid.com"
SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
_BELIEVED: Final = timedelta(hours=25)
"""SendGrid repeats for a day what was not taken; what is older is refused, and a replay within is known by its ids."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_AHEAD: Final = timedelta(minutes=5)
_NO_TRACKING: Final = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
}
"""What is shown in previews is what arrives: no account's setting rewrites links or adds a footer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendGridSettings(AdapterSettings):
    """One account."""

    api_key: str = field(repr=False)
    webhook_public_keys: Sequence[str] = ()
    """Base64 of DER, as SendGrid shows them; each that may sign. Without one no webhook is believed."""
    base_url: str = BASE_URL


class SendGridProvider(HttpAdapter):
    """One account. `sent` means that SendGrid has the e-mail; its webhook tells what became of it."""

    channel = Channel.EMAIL
    receipts = True
    table = CODES

    def __init__(self, name: str, settings: SendGridSettings, clock: Clock) -> None:
        """Raises ConfigurationError for a key or a `ca_file` that cannot be read."""
        self._settings = settings
        self._keys = [_public_key(name, text) for text in settings.webhook_public_keys]
        self._http = HttpClient(name, settings.http)
        super().__init__(name, settings, self._http, clock)
        self._url = f"{settings.base_url.rstrip('/')}/v3"

    async def send(self, envelope: Envelope) -> SendResult:
        """Hand one e-mail over and classify the answer."""
        content = envelope.content
        if not isinstance(content, EmailContent):
            return wrong_channel(envelope)
        body = json.dumps(mail_body(envelope, content), ensure_ascii=False, separators=(",", ":")).encode()
        answer = await self._call("POST", "/mail/send", body, envelope.deadline_seconds)
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        message_id = plain_text(answer.headers.get("x-message-id"))
        if answer.status == 202 and (message_id is not None or answer.body == b""):
            return SendResult(outcome=Outcome.SENT, provider_message_id=message_id, code="202")
        code, words = _first_error(answer)
        return refusal(answer, code, words, self._codes, envelope.to, envelope.sender, now=self._clock.now())

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether one of the keys signed it (ECDSA on P-256 with SHA-256), within the last day."""
        timestamp = request.headers.get(TIMESTAMP.lower(), "")
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 11:
            return False
        age = request.received_at - datetime.fromtimestamp(int(timestamp), UTC)
        try:
            signature = base64.b64decode(request.headers.get(SIGNATURE.lower(), ""), validate=True)
        except (binascii.Error, ValueError):
            return False
        signed = timestamp.encode() + request.body
        return -_AHEAD <= age <= _BELIEVED and any(_is_signed(key, signature, signed) for key in self._keys)

    def parse(self, request: WebhookRequest) -> Sequence[Receipt]:
        """The events of a verified call. Raises InvalidRequest."""
        return read_events(request.body)

    async def health(self) -> ProbeResult:
        """Ask what the key may do: whether SendGrid is there and knows it."""
        return probed(await self._call("GET", "/scopes"))

    async def _call(
        self, method: str, path: str, body: bytes | None = None, deadline_seconds: float | None = None
    ) -> Answer | NoAnswer:
        headers = {"Authorization": f"Bearer {self._settings.api_key}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._http.call(
            method, self._url + path, headers=headers, body=body, deadline_seconds=deadline_seconds
        )


def mail_body(envelope: Envelope, content: EmailContent) -> dict[str, Any]:
    """The body of mail/send."""
    headers = {name: _one_line(value) for name, value in content.headers}
    headers["Content-Language"] = content.locale
    if envelope.message_id_header is not None:
        headers["Message-ID"] = envelope.message_id_header
    body: dict[str, Any] = {
        "from": _mailbox(envelope.sender),
        "personalizations": [{"to": [{"email": envelope.to}]}],
        "subject": _one_line(content.subject),
        "content": [{"type": "text/plain", "value": content.text}],
        "headers": headers,
        "custom_args": {DELIVERY: envelope.delivery_id, ATTEMPT: envelope.attempt_id},
        "tracking_settings": _NO_TRACKING,
    }
    if content.html:
        body["content"].append({"type": "text/html", "value": content.html})
    if envelope.attachments:
        body["attachments"] = [_attachment(one) for one in envelope.attachments]
    return body


def _one_line(text: str) -> str:
    """What stands in a header: SendGrid passes line ends on, and what follows one would be a header of its own."""
    return _CONTROLS.sub(" ", text)


def _mailbox(sender: str) -> dict[str, str]:
    """`Name <a@b>` as an object."""
    name, opening, rest = _one_line(sender).rpartition("<")
    if not opening:
        return {"email": sender.strip()}
    bare = {"email": rest.removesuffix(">").strip()}
    shown = name.strip().removeprefix('"').removesuffix('"').replace('\\"', '"')
    return {**bare, "name": shown} if shown else bare


def _attachment(one: Attachment) -> dict[str, str]:
    described = {
        "content": base64.b64encode(one.content).decode(),
        "type": one.content_type,
        "filename": _one_line(one.filename),
        "disposition": "attachment" if one.inline_id is None else "inline",
    }
    return described if one.inline_id is None else {**described, "content_id": one.inline_id}


def _first_error(answer: Answer) -> tuple[str | None, str]:
    """The field of the first error and all that is said; no field where the body is not SendGrid's own."""
    errors = read_object(answer).get("errors")
    told = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    if not told:
        return None, ""
    words = "; ".join(text for one in told if (text := plain_text(one.get("message"))) is not None)
    return plain_text(told[0].get("field")) or "error", words


def _public_key(name: str, text: str) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"providers.{name}.webhook_public_keys: {text[:12]}… is no public key in Base64."
        ) from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ConfigurationError(f"providers.{name}.webhook_public_keys: {text[:12]}… is no key of an elliptic curve.")
    return key


def _is_signed(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
