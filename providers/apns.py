"""Apple Push Notification service: notifications to apps on Apple's systems, by HTTP/2 with a provider token.

There is no receipt. A second call for one delivery has the same `apns-id`, which Apple gives back.
"""

import uuid
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

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
from providers.http import NoAnswer
from providers.http2 import Http2Client
from providers.http_adapter import AdapterSettings, PushAdapter
from providers.http_answers import OutcomeTable, read_object, refusal
from providers.push_devices import collapse_id
from providers.tokens import sign_token

BASE_URL: Final = "https://api.push.apple.com"

CODES: Final[OutcomeTable] = MappingProxyType(
    {
        # By the reason in the answer (developer.apple.com, "Handling notification responses from APNs").
        "BadDeviceToken": Outcome.INVALID_RECIPIENT,  # also a token of the other environment: see `base_url`
        "Unregistered": Outcome.INVALID_RECIPIENT,
        "ExpiredToken": Outcome.INVALID_RECIPIENT,
        # A wrong `topic` makes every token say this: too little to condemn one.
        "DeviceTokenNotForTopic": Outcome.REJECTED,
        "BadCollapseId": Outcome.REJECTED,
        "BadExpirationDate": Outcome.REJECTED,
        "BadMessageId": Outcome.REJECTED,
        "BadPriority": Outcome.REJECTED,
        "PayloadEmpty": Outcome.REJECTED,
        "PayloadTooLarge": Outcome.REJECTED,
        "BadTopic": Outcome.MISCONFIGURED,
        "MissingTopic": Outcome.MISCONFIGURED,
        "TopicDisallowed": Outcome.MISCONFIGURED,
        "BadPath": Outcome.MISCONFIGURED,
        "MissingProviderToken": Outcome.MISCONFIGURED,
        "InvalidProviderToken": Outcome.MISCONFIGURED,
        "ExpiredProviderToken": Outcome.TRANSIENT,  # ours was made by a clock that differs: the next is new
        "TooManyProviderTokenUpdates": Outcome.THROTTLED,
        "TooManyRequests": Outcome.THROTTLED,  # to one device
        "IdleTimeout": Outcome.TRANSIENT,
        "InternalServerError": Outcome.TRANSIENT,
        "ServiceUnavailable": Outcome.TRANSIENT,
        "Shutdown": Outcome.TRANSIENT,
    }
)
_RENEWED_SECONDS: Final = 40 * 60
"""Apple takes a token for an hour, and a new one at most every twenty minutes."""
_SOONEST_SECONDS: Final = 20 * 60
_NAMES: Final = uuid.UUID("3f8f6d1e-6f4e-5c1b-9f0c-2b6f2f1f7a10")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApnsSettings(AdapterSettings):
    """One app's account."""

    key: str = field(repr=False)
    """The signing key (.p8), as PEM."""
    key_id: str
    team_id: str
    topic: str
    """The app's bundle id."""
    base_url: str = BASE_URL


class ApnsProvider(PushAdapter):
    """One app. `sent` means that APNs has the notification."""

    platform = PushPlatform.APNS
    table = CODES

    def __init__(self, name: str, settings: ApnsSettings, clock: Clock) -> None:
        """Raises ConfigurationError for a key or a `ca_file` that cannot be read."""
        self._settings = settings
        self._token = _ProviderToken(_signing_key(name, settings.key), settings, clock)
        self._http = Http2Client(name, settings.http)
        super().__init__(name, settings, self._http, clock)

    async def _send_one(self, envelope: Envelope, device: PushDevice, content: PushContent) -> SendResult:
        answer = await self._http.call(
            "POST",
            f"{self._settings.base_url.rstrip('/')}/3/device/{quote(device.address, safe='')}",
            headers=self._headers(envelope, device, content),
            body=payload(content, PushPlatform.APNS),
            deadline_seconds=envelope.deadline_seconds,
        )
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        if answer.status == 200 and answer.body == b"":
            apns_id = plain_text(answer.headers.get("apns-id"), 64)
            return SendResult(outcome=Outcome.SENT, provider_message_id=apns_id, code="200")
        reason = plain_text(read_object(answer).get("reason"), 64)
        if reason == "ExpiredProviderToken":
            self._token.expire()
        return refusal(answer, reason, reason or "", self._codes, device.address, now=self._clock.now())

    def _headers(self, envelope: Envelope, device: PushDevice, content: PushContent) -> dict[str, str]:
        until = int(envelope.expires_at.timestamp())
        if content.ttl_seconds is not None:
            until = min(until, int(self._clock.now().timestamp()) + content.ttl_seconds)
        headers = {
            "authorization": f"bearer {self._token.get()}",
            "content-type": "application/json",
            "apns-id": apns_id_of(envelope.delivery_id, device.address),
            "apns-topic": self._settings.topic,
            "apns-push-type": "alert",
            "apns-priority": "10",
            # 0 would mean now or never.
            "apns-expiration": str(max(until, 1)),
        }
        if content.collapse_key is not None:
            headers["apns-collapse-id"] = collapse_id(content.collapse_key)
        return headers


class _ProviderToken:
    """The signed token by which we say who we are; one for all calls of most of an hour."""

    def __init__(self, key: EllipticCurvePrivateKey, settings: ApnsSettings, clock: Clock) -> None:
        self._key = key
        self._settings = settings
        self._clock = clock
        self._text = ""
        self._made = 0.0
        """In seconds since 1970."""

    def get(self) -> str:
        """The token in force."""
        if self._age() >= _RENEWED_SECONDS:
            self._made = self._clock.now().timestamp()
            claims = {"iss": self._settings.team_id, "iat": int(self._made)}
            self._text = sign_token(self._key, claims, {"kid": self._settings.key_id})
        return self._text

    def expire(self) -> None:
        """Make another next time, unless this one is so young that Apple would take offence at another."""
        if self._age() >= _SOONEST_SECONDS:
            self._made = 0.0

    def __repr__(self) -> str:
        return "_ProviderToken()"

    def _age(self) -> float:
        return abs(self._clock.now().timestamp() - self._made)


def apns_id_of(delivery_id: str, device: str) -> str:
    """The id of one notification: the same for each call for this delivery to this device."""
    return str(uuid.uuid5(_NAMES, f"{delivery_id} {device}"))


def _signing_key(name: str, text: str) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        # The words of the error might show some of the key.
        raise ConfigurationError(f"providers.{name}.key: this is no signing key of Apple's (.p8).")
    return key
