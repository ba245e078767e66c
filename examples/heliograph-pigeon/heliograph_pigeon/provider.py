"""One call to Pigeon for each text, and what its answers mean."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote

from heliograph_pigeon.webhook import is_signed, read_events, receipt_of
from providers.base import (
    Channel,
    Clock,
    Envelope,
    Outcome,
    ProbeResult,
    Receipt,
    SendResult,
    SmsContent,
    WebhookRequest,
    plain_text,
    wrong_channel,
)
from providers.http import HttpClient, NoAnswer
from providers.http_adapter import AdapterSettings, HttpAdapter
from providers.http_answers import probed, read_object, refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class PigeonSettings(AdapterSettings):
    """One account."""

    api_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    """Several while one is being changed."""
    webhook_url: str
    base_url: str


class PigeonProvider(HttpAdapter):
    """One account. `sent` means that the pigeon is on its way; its events tell where it landed."""

    channel = Channel.SMS
    receipts = True
    table: ClassVar = {
        # By Pigeon's own codes; whatever is not here goes by the HTTP status.
        "no_such_roof": Outcome.INVALID_RECIPIENT,
        "asked_us_to_stop": Outcome.OPTED_OUT,
        "too_heavy": Outcome.REJECTED,
        "sender_unknown": Outcome.MISCONFIGURED,
        "storm": Outcome.TRANSIENT,
    }

    def __init__(self, name: str, settings: PigeonSettings, clock: Clock) -> None:
        """Raises ConfigurationError for a `ca_file` that cannot be read."""
        self._settings = settings
        self._http = HttpClient(name, settings.http)
        super().__init__(name, settings, self._http, clock)
        self._url = f"{settings.base_url.rstrip('/')}/v1"

    async def send(self, envelope: Envelope) -> SendResult:
        """Let one pigeon fly, and classify the answer."""
        if not isinstance(envelope.content, SmsContent):
            return wrong_channel(envelope)
        text = {
            "to": envelope.to,
            "from": envelope.sender,
            "text": envelope.content.text,
            # Ours, which Pigeon gives back in its events: never anything of the person's.
            "reference": envelope.delivery_id,
            "events_to": self._settings.webhook_url,
        }
        answer = await self._http.call(
            "POST",
            f"{self._url}/texts",
            headers=self._headers(),
            body=json.dumps(text).encode(),
            deadline_seconds=envelope.deadline_seconds,
        )
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        told = read_object(answer)
        if answer.status == 201 and (text_id := plain_text(told.get("id"))):
            return SendResult(outcome=Outcome.SENT, provider_message_id=text_id, code="201")
        code, words = plain_text(told.get("error")), plain_text(told.get("message")) or ""
        return refusal(answer, code, words, self._codes, envelope.to, envelope.sender, now=self._clock.now())

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether it is signed with one of the secrets, within the last five minutes."""
        return is_signed(self._settings.webhook_secrets, request)

    def parse(self, request: WebhookRequest) -> Sequence[Receipt]:
        """The events of a verified call. Raises InvalidRequest."""
        return read_events(request.body)

    async def fetch_status(self, provider_message_id: str) -> Receipt | None:
        """What Pigeon knows of a text now; None where it does not say."""
        url = f"{self._url}/texts/{quote(provider_message_id, safe='')}"
        answer = await self._http.call("GET", url, headers=self._headers())
        told = {} if isinstance(answer, NoAnswer) or answer.status != 200 else read_object(answer)
        return receipt_of(told) if told else None

    async def health(self) -> ProbeResult:
        """Read the account: whether Pigeon is there and the key is right."""
        return probed(await self._http.call("GET", f"{self._url}/account", headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        # Made for each call: what is kept in an attribute of its own may end up in a text about the provider.
        return {"Authorization": f"Bearer {self._settings.api_key}", "Content-Type": "application/json"}
