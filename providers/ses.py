"""Amazon SES: e-mail by SendEmail of its API version 2, with its events by SNS.

It takes whole messages, knows no idempotency, and tells by events what became of each.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.domain.values import replace
from gateway.errors import ConfigurationError
from providers.aws_signature import Signer
from providers.base import (
    Channel,
    Clock,
    Envelope,
    Fitness,
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
from providers.ses_events import ATTEMPT, CODES, DELIVERY, read_events
from providers.sns import CONFIRMATION, Certificates, Keys, aws_domain, confirm, is_genuine, read_envelope, sns_url

_A_DAY_IS_FULL: Final = 600.0
"""Seconds to wait when the quota of a day is used up: it counts the last 24 hours, and frees up bit by bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SesSettings(AdapterSettings):
    """One account in one region."""

    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    configuration_set: str | None = None
    """Which says where events go."""
    topic_arns: Sequence[str] = ()
    """The topics whose messages are believed."""
    base_url: str | None = None
    """None takes the region's own address."""
    sns_url: str | None = None
    """Where SNS is reached, if not at its own address."""


class SesProvider(HttpAdapter):
    """One account. `sent` means that SES has the e-mail; its events tell what became of it."""

    channel = Channel.EMAIL
    receipts = True
    table = CODES

    def __init__(self, name: str, settings: SesSettings, clock: Clock, keys: Keys | None = None) -> None:
        """Raises ConfigurationError for a name that is no topic's, and a `ca_file` that cannot be read.

        SNS's keys are fetched from SNS unless they come from elsewhere.
        """
        for arn in settings.topic_arns:
            if sns_url(arn) is None:
                raise ConfigurationError(f"providers.{name}.topic_arns: {arn!r} is no ARN of an SNS topic.")
        self._settings = settings
        self._http = HttpClient(name, settings.http)
        super().__init__(name, settings, self._http, clock)
        self._capabilities = replace(self._capabilities, takes_mime=True)
        self._keys = keys or Certificates(self._http, settings.sns_url)
        self._signer = Signer(
            access_key_id=settings.access_key_id,
            secret_access_key=settings.secret_access_key,
            region=settings.region,
            service="ses",
        )
        domain = aws_domain("aws-cn" if settings.region.startswith("cn-") else "aws")
        base_url = settings.base_url or f"https://email.{settings.region}.{domain}"
        self._url = f"{base_url.rstrip('/')}/v2/email"

    async def send(self, envelope: Envelope) -> SendResult:
        """Hand one e-mail over and classify the answer."""
        if envelope.mime is None:
            return wrong_channel(envelope)
        body = json.dumps(send_body(envelope, envelope.mime, self._settings.configuration_set)).encode()
        answer = await self._call("POST", "/outbound-emails", body, envelope.deadline_seconds)
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        told = read_object(answer)
        message_id = plain_text(told.get("MessageId"))
        if answer.status == 200 and message_id is not None:
            return SendResult(outcome=Outcome.SENT, provider_message_id=message_id, code="200")
        code, words = _error(answer, told)
        result = refusal(answer, code, words, self._codes, envelope.to, envelope.sender, now=self._clock.now())
        if result.outcome is Outcome.THROTTLED and result.retry_after_seconds is None and "daily" in words.lower():
            return replace(result, retry_after_seconds=_A_DAY_IS_FULL)
        return result

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether SNS signed it for one of the topics, within the last day. Raises Unavailable without its key."""
        return await is_genuine(request, self._settings.topic_arns, self._keys)

    def parse(self, request: WebhookRequest) -> Sequence[Receipt]:
        """The event of a verified call, if it holds one."""
        return read_events(read_envelope(request.body) or {})

    async def confirm(self, request: WebhookRequest) -> None:
        """Confirm the subscription of a topic. Raises Unavailable, and InvalidRequest where SNS does not take it."""
        envelope = read_envelope(request.body)
        if envelope is not None and envelope.get("Type") == CONFIRMATION:
            await confirm(self._http, envelope, self._settings.sns_url)

    async def health(self) -> ProbeResult:
        """Read the account: whether SES is there, knows the key, and may send."""
        answer = await self._call("GET", "/account")
        if isinstance(answer, Answer) and answer.status == 200 and read_object(answer).get("SendingEnabled") is False:
            return ProbeResult(fitness=Fitness.MISCONFIGURED, detail="Sending is paused for the account.")
        return probed(answer)

    async def _call(
        self, method: str, path: str, body: bytes = b"", deadline_seconds: float | None = None
    ) -> Answer | NoAnswer:
        url = self._url + path
        named = {"Content-Type": "application/json"} if body else {}
        headers = self._signer.sign(method, url, named, body, self._clock.now())
        return await self._http.call(method, url, headers=headers, body=body or None, deadline_seconds=deadline_seconds)


def send_body(envelope: Envelope, mime: bytes, configuration_set: str | None) -> dict[str, Any]:
    """The body of SendEmail. The sender stands in the message itself."""
    body: dict[str, Any] = {
        "Destination": {"ToAddresses": [envelope.to]},
        "Content": {"Raw": {"Data": base64.b64encode(mime).decode()}},
        "EmailTags": [
            {"Name": DELIVERY, "Value": envelope.delivery_id},
            {"Name": ATTEMPT, "Value": envelope.attempt_id},
        ],
    }
    return body if configuration_set is None else {**body, "ConfigurationSetName": configuration_set}


def _error(answer: Answer, told: Any) -> tuple[str | None, str]:
    """The error's name and what is said; no name where the answer is not AWS's own."""
    name = answer.headers.get("x-amzn-errortype") or plain_text(told.get("__type")) or plain_text(told.get("code"))
    words = plain_text(told.get("message"), 1000) or plain_text(told.get("Message"), 1000) or ""
    if name is None:
        return None, words
    # `MessageRejected:http://…`, or `com.amazonaws.ses#MessageRejected`
    code = name.partition(":")[0].rpartition("#")[2]
    return (f"{code}/unverified" if code == "MessageRejected" and "not verified" in words else code), words
