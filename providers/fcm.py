"""Firebase Cloud Messaging: notifications to Android and to whatever else has a registration token (HTTP v1).

There is no receipt, and no idempotency: each message carries the delivery's id in its data, so that an app can drop
what comes twice.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from gateway.domain.push_payloads import LIMITS, payload_fields
from gateway.domain.values import replace
from providers.base import (
    Clock,
    Envelope,
    Fitness,
    Outcome,
    ProbeResult,
    PushContent,
    PushDevice,
    PushPlatform,
    SendResult,
    plain_text,
)
from providers.fcm_access import Access, read_service_account
from providers.fcm_codes import CODES, error_code
from providers.http import Answer, HttpClient, NoAnswer
from providers.http_adapter import AdapterSettings, PushAdapter
from providers.http_answers import read_object, refusal
from providers.push_devices import collapse_id

BASE_URL: Final = "https://fcm.googleapis.com"
_LONGEST: Final = timedelta(days=28)
_QUOTA_SECONDS: Final = 60.0
"""How long Google asks to wait where a refusal for the quota names no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FcmSettings(AdapterSettings):
    """One Firebase project."""

    service_account: str = field(repr=False)
    """Its key file, as JSON."""
    base_url: str = BASE_URL


class FcmProvider(PushAdapter):
    """One Firebase project. `sent` means that FCM has the message."""

    platform = PushPlatform.FCM
    table = CODES

    def __init__(self, name: str, settings: FcmSettings, clock: Clock) -> None:
        """Raises ConfigurationError for a key file or a `ca_file` that cannot be read."""
        account = read_service_account(name, settings.service_account)
        self._settings = settings
        self._http = HttpClient(name, settings.http)
        super().__init__(name, settings, self._http, clock)
        self._access = Access(account, self._http, clock)
        self._url = f"{settings.base_url.rstrip('/')}/v1/projects/{quote(account.project_id, safe='')}/messages:send"

    async def health(self) -> ProbeResult:
        """Fetch an access token: whether Google is there and knows the account."""
        token = await self._access.token(self._settings.http.timeout_seconds)
        if isinstance(token, str):
            return ProbeResult(fitness=Fitness.OK)
        refused = token.outcome is Outcome.MISCONFIGURED
        return ProbeResult(fitness=Fitness.MISCONFIGURED if refused else Fitness.DOWN, detail=token.detail)

    async def _send_one(self, envelope: Envelope, device: PushDevice, content: PushContent) -> SendResult:
        loop = asyncio.get_running_loop()
        ends = loop.time() + envelope.deadline_seconds
        token = await self._access.token(envelope.deadline_seconds)
        if isinstance(token, SendResult):
            return token
        body = {"message": self._message(envelope, device.address, content)}
        answer = await self._http.call(
            "POST",
            self._url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"},
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
            deadline_seconds=max(ends - loop.time(), 0.001),
        )
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        named = plain_text(read_object(answer).get("name"), 500)
        if answer.status == 200 and named is not None:
            return SendResult(outcome=Outcome.SENT, provider_message_id=named, code="200")
        if answer.status == 401:
            self._access.forget(token)
        return self._refusal(answer, device)

    def _refusal(self, answer: Answer, device: PushDevice) -> SendResult:
        error = read_object(answer).get("error")
        told = error if isinstance(error, dict) else {}
        words = plain_text(told.get("message"), 1000) or ""
        result = refusal(answer, error_code(told), words, self._codes, device.address, now=self._clock.now())
        if result.outcome is Outcome.THROTTLED and result.retry_after_seconds is None:
            return replace(result, retry_after_seconds=_QUOTA_SECONDS)
        return result

    def _message(self, envelope: Envelope, token: str, content: PushContent) -> dict[str, Any]:
        """The message, in the names of the API's own description."""
        left = max(min(envelope.expires_at - self._clock.now(), _LONGEST), timedelta())
        if content.ttl_seconds is not None:
            left = min(left, timedelta(seconds=content.ttl_seconds))
        seconds, until = int(left.total_seconds()), int((self._clock.now() + left).timestamp())
        android: dict[str, Any] = {"ttl": f"{seconds}s"}
        apns: dict[str, Any] = {"headers": {"apns-expiration": str(until)}}
        if content.collapse_key is not None:
            android["collapseKey"] = content.collapse_key
            apns["headers"]["apns-collapse-id"] = collapse_id(content.collapse_key)
        if content.badge is not None:
            apns["payload"] = {"aps": {"badge": content.badge}}
        return {
            "token": token,
            **_payload(envelope, content),
            "android": android,
            "apns": apns,
            "webpush": {"headers": {"TTL": str(seconds)}},
        }


def _payload(envelope: Envelope, content: PushContent) -> dict[str, Any]:
    """What the device gets; the delivery's id as far as there is room for it."""
    fields = payload_fields(content, PushPlatform.FCM)
    with_id = {**fields, "data": {**fields.get("data", {}), "delivery_id": envelope.delivery_id}}
    size = len(json.dumps(with_id, ensure_ascii=False, separators=(",", ":")).encode())
    return with_id if size <= LIMITS[PushPlatform.FCM] else fields
