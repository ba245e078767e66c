"""Web Push: notifications to browsers, by the push service that each subscription names (RFC 8030, 8291, 8292).

The addresses come from browsers, through callers: only public ones are called, and by https. There is no receipt.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from yarl import URL

from gateway.domain.push_payloads import payload
from gateway.errors import ConfigurationError
from providers.base import (
    Clock,
    Envelope,
    Outcome,
    PushContent,
    PushDevice,
    PushPlatform,
    SendResult,
    plain_text,
)
from providers.endpoints import EndpointGuard
from providers.http import Answer, HttpClient, NoAnswer
from providers.http_adapter import AdapterSettings, PushAdapter
from providers.http_answers import OutcomeTable, read_object, refusal
from providers.tokens import from_base64url, sign_token, to_base64url
from providers.webpush_encryption import BrowserKeys, encrypt, public_bytes

CODES: Final[OutcomeTable] = MappingProxyType(
    {
        # By HTTP status (RFC 8030 section 8; services differ on the first two, and both mean that it is gone).
        "404": Outcome.INVALID_RECIPIENT,
        "410": Outcome.INVALID_RECIPIENT,
        "400": Outcome.MISCONFIGURED,  # headers or token (VAPID)
        "401": Outcome.MISCONFIGURED,
        "403": Outcome.MISCONFIGURED,  # the subscription was made for another public key
        "413": Outcome.REJECTED,
    }
)
_LONGEST: Final = timedelta(days=28)
"""No service keeps a message for longer."""
_TOKEN_LASTS: Final = timedelta(hours=12)
"""RFC 8292 section 2 allows a day."""
_TOKEN_RENEWED: Final = timedelta(hours=1)
_MOST_ORIGINS: Final = 256
_LONGEST_PLACE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPushSettings(AdapterSettings):
    """Who sends."""

    vapid_private_key: str = field(repr=False)
    """On P-256: 32 bytes in Base64url, or PEM."""
    subject: str
    """Whom a push service may write to: `mailto:…` or `https://…`."""
    allow_private_endpoints: tuple[str, ...] = ()


class WebPushProvider(PushAdapter):
    """One application server. `sent` means that the browser's push service has the notification."""

    platform = PushPlatform.WEBPUSH
    table = CODES

    def __init__(self, name: str, settings: WebPushSettings, clock: Clock) -> None:
        """Raises ConfigurationError for a key or a `ca_file` that cannot be read."""
        self._settings = settings
        self._tokens = _Tokens(_private_key(name, settings.vapid_private_key), settings.subject, clock)
        self._http = HttpClient(name, settings.http, EndpointGuard(settings.allow_private_endpoints))
        super().__init__(name, settings, self._http, clock)

    async def _send_one(self, envelope: Envelope, device: PushDevice, content: PushContent) -> SendResult:
        try:
            keys = _browser_keys(device)
            body = encrypt(payload(content, PushPlatform.WEBPUSH), keys)
            origin = str(URL(device.address).origin())
        except ValueError:
            return SendResult(
                outcome=Outcome.INVALID_RECIPIENT, code="bad_subscription", detail="It lacks an address or its keys."
            )
        answer = await self._http.call(
            "POST",
            device.address,
            headers=self._headers(envelope, content, origin),
            body=body,
            deadline_seconds=envelope.deadline_seconds,
        )
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        if answer.status in (201, 202):
            place = _place(device.address, answer.headers.get("location", ""))
            return SendResult(outcome=Outcome.SENT, provider_message_id=place, code=str(answer.status))
        code, words = self._error(answer)
        return refusal(answer, code, words, self._codes, device.address, now=self._clock.now())

    async def cancel(self, provider_message_id: str) -> bool:
        """Delete a message that the browser has not fetched yet (RFC 8030 section 5: it is a resource of its own)."""
        try:
            headers = {"Authorization": self._tokens.authorization(str(URL(provider_message_id).origin()))}
        except ValueError:
            return False
        answer = await self._http.call("DELETE", provider_message_id, headers=headers)
        # Services differ on the status; a page in the body is somebody else's between us.
        return not isinstance(answer, NoAnswer) and answer.status in (200, 202, 204) and answer.body == b""

    def _headers(self, envelope: Envelope, content: PushContent, origin: str) -> dict[str, str]:
        left = min(envelope.expires_at - self._clock.now(), _LONGEST)
        seconds = max(int(left.total_seconds()), 0)
        return {
            "Authorization": self._tokens.authorization(origin),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(seconds if content.ttl_seconds is None else min(content.ttl_seconds, seconds)),
            "Topic": _topic(envelope, content),
        }

    def _error(self, answer: Answer) -> tuple[str | None, str]:
        """The status where the table has it, else what the service says in a JSON object of its own."""
        told = read_object(answer)
        own = next((str(told[name]) for name in ("errno", "reason", "error", "code") if told.get(name)), None)
        words = plain_text(told.get("message")) or plain_text(told.get("reason")) or ""
        return (str(answer.status) if str(answer.status) in self._codes else own), words


def _place(endpoint: str, told: str) -> str | None:
    """The address of a message that was taken, by which it can be taken back; None for none at the same service."""
    try:
        place = URL(endpoint).join(URL(told)) if told else None
        if place is None or place.origin() != URL(endpoint).origin():
            return None
    except ValueError:
        return None
    return plain_text(str(place)) if len(str(place)) <= _LONGEST_PLACE else None


class _Tokens:
    """The signed tokens by which we say who we are, one for each push service (RFC 8292)."""

    def __init__(self, key: EllipticCurvePrivateKey, subject: str, clock: Clock) -> None:
        self._key = key
        self._subject = subject
        self._clock = clock
        self._public = to_base64url(public_bytes(key))
        self._made: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """By origin, with the instant (in seconds since 1970) from which another is to be made."""

    def __repr__(self) -> str:
        return f"_Tokens({len(self._made)} made)"

    def authorization(self, origin: str) -> str:
        """The header for one push service; made once for hours, since a signature costs more than the rest."""
        now = self._clock.now().timestamp()
        token, renewed = self._made.get(origin, ("", 0.0))
        if now >= renewed:
            expires = int(now + _TOKEN_LASTS.total_seconds())
            claims = {"aud": origin, "exp": expires, "sub": self._subject}
            token = sign_token(self._key, claims, {"typ": "JWT"})
            self._made[origin] = (token, now + (_TOKEN_LASTS - _TOKEN_RENEWED).total_seconds())
        self._made.move_to_end(origin)
        if len(self._made) > _MOST_ORIGINS:
            self._made.popitem(last=False)
        return f"vapid t={token}, k={self._public}"


def _topic(envelope: Envelope, content: PushContent) -> str:
    """Of two with one topic only the later is kept for a browser that is away: at most 32 letters of Base64url.

    Without a collapse key it is the delivery's id, so that a second call for one delivery takes the place of the first.
    """
    if content.collapse_key is None:
        return str(envelope.delivery_id)[:32]
    return to_base64url(hashlib.sha256(content.collapse_key.encode()).digest())[:32]


def _browser_keys(device: PushDevice) -> BrowserKeys:
    """The keys in a subscription. Raises ValueError."""
    keys = (device.subscription or {}).get("keys")
    public, secret = (keys.get(name) if isinstance(keys, dict) else None for name in ("p256dh", "auth"))
    if not isinstance(public, str) or not isinstance(secret, str):
        raise ValueError("a key is missing")
    found = BrowserKeys(public=from_base64url(public), secret=from_base64url(secret))
    if len(found.public) != 65 or len(found.secret) != 16:
        raise ValueError("a key has another length")
    return found


def _private_key(name: str, text: str) -> EllipticCurvePrivateKey:
    try:
        if text.lstrip().startswith("-----"):
            key = load_pem_private_key(text.encode(), None)
            if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
                raise ValueError("another kind of key")
            return key
        return derive_private_key(int.from_bytes(_exactly_32(from_base64url(text))), SECP256R1())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The words of the error might show some of the key.
        raise ConfigurationError(
            f"providers.{name}.vapid_private_key: this is no private key on P-256, in Base64url or PEM."
        ) from None


def _exactly_32(data: bytes) -> bytes:
    if len(data) != 32:
        raise ValueError("another length")
    return data
