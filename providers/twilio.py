"""Twilio: text messages by its Messages resource (api version 2010-04-01).

Twilio knows no idempotency of creates: what was lost on the way may have been sent, and is never asked for twice here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, urlencode

from aiohttp import encode_basic_auth

from providers.base import (
    Candidate,
    Channel,
    Clock,
    Envelope,
    Inbound,
    LostCall,
    Outcome,
    ProbeResult,
    Receipt,
    SendResult,
    SmsContent,
    WebhookRequest,
    plain_text,
    wrong_channel,
)
from providers.http import Answer, HttpClient, NoAnswer
from providers.http_adapter import AdapterSettings, HttpAdapter
from providers.http_answers import probed, read_object, refusal
from providers.twilio_codes import CODES
from providers.twilio_list import PAGE, read_list
from providers.twilio_webhook import callback_url, is_signed, read_call, receipt_of

BASE_URL: Final = "https://api.twilio.com"
_VALIDITY: Final = (1, 36_000)
"""Seconds that Twilio may go on trying: what it allows, ten hours being its default."""
_JSON: Final = "application/json"
_QUESTIONS: Final = 4
"""Questions at once."""
_QUESTION_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioSettings(AdapterSettings):
    """One account."""

    account_sid: str
    auth_token: str = field(repr=False)
    previous_auth_token: str | None = field(default=None, repr=False)
    """While a token is being changed, webhooks may be signed with either."""
    messaging_service_sid: str | None = None
    """Chooses the sender in place of `From`."""
    callback_url: str
    """Our own address for its webhooks."""
    base_url: str = BASE_URL


class TwilioProvider(HttpAdapter):
    """One account. `sent` means that Twilio has the message; its callbacks tell what became of it."""

    channel = Channel.SMS
    receipts = True
    table = CODES

    def __init__(self, name: str, settings: TwilioSettings, clock: Clock) -> None:
        """Raises ConfigurationError for a `ca_file` that cannot be read."""
        self._settings = settings
        self._http = HttpClient(name, settings.http)
        # Questions have connections of their own: each of the others is a place for a message.
        self._questions = HttpClient(name, replace(settings.http, connections=_QUESTIONS))
        # Each number has its own queue there; a messaging service chooses among many.
        self.counts_by_sender = settings.messaging_service_sid is None
        super().__init__(name, settings, self._http, clock)
        account = f"{settings.base_url.rstrip('/')}/2010-04-01/Accounts/{quote(settings.account_sid, safe='')}"
        self._account_url, self._messages_url = f"{account}.json", f"{account}/Messages.json"
        self._message_url = f"{account}/Messages/{{sid}}.json"
        credentials = encode_basic_auth(settings.account_sid, settings.auth_token)
        self._headers = {"Authorization": credentials, "Accept": _JSON}

    async def send(self, envelope: Envelope) -> SendResult:
        """Create one message and classify the answer."""
        content = envelope.content
        if not isinstance(content, SmsContent):
            return wrong_channel(envelope)
        answer = await self._http.call(
            "POST",
            self._messages_url,
            headers={**self._headers, "Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(self._form(envelope, content)).encode(),
            deadline_seconds=envelope.deadline_seconds,
        )
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        told = read_object(answer)
        sid = plain_text(told.get("sid"))
        if 200 <= answer.status < 300 and sid is not None:
            return SendResult(outcome=Outcome.SENT, provider_message_id=sid, code=plain_text(told.get("status"), 32))
        code = None if told.get("code") is None else str(told["code"])
        words = str(told.get("message") or told.get("detail") or "")
        return refusal(answer, code, words, self._codes, envelope.to, envelope.sender, now=self._clock.now())

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether it is signed with the account's token, or with the one before."""
        tokens = (self._settings.auth_token, self._settings.previous_auth_token)
        return is_signed([token for token in tokens if token], request)

    def parse(self, request: WebhookRequest) -> Sequence[Inbound | Receipt]:
        """The text or the receipt in a verified call. Raises InvalidRequest."""
        return read_call(request, self._codes)

    async def fetch_status(self, provider_message_id: str) -> Receipt | None:
        """What Twilio knows of a message now; None where it does not say."""
        answer = await self._ask(self._message_url.format(sid=quote(provider_message_id, safe="")))
        told = {} if isinstance(answer, NoAnswer) or answer.status != 200 else read_object(answer)
        status, code = told.get("status"), told.get("error_code")
        if not isinstance(status, str):
            return None
        return receipt_of(
            provider_message_id,
            status,
            code=None if code is None else str(code),
            words=str(told.get("error_message") or ""),
            codes=self._codes,
        )

    async def health(self) -> ProbeResult:
        """Read the account: whether Twilio is there and the credentials are right."""
        return probed(await self._ask(self._account_url))

    async def find(self, call: LostCall) -> Sequence[Candidate] | None:
        """The account's messages to the number from about the time of the call; None where it does not tell them all.

        Twilio lists the newest first, and gives back neither our address for callbacks nor anything else of ours.
        """
        answer = await self._ask(f"{self._messages_url}?{urlencode({'To': call.to, 'PageSize': PAGE})}")
        if isinstance(answer, NoAnswer) or answer.status != 200:
            return None
        sender = None if self._settings.messaging_service_sid is not None else call.sender
        return read_list(read_object(answer), call, sender, self._codes)

    async def aclose(self) -> None:
        """Close connections."""
        await super().aclose()
        await self._questions.aclose()

    async def _ask(self, url: str) -> Answer | NoAnswer:
        return await self._questions.call("GET", url, headers=self._headers, deadline_seconds=_QUESTION_SECONDS)

    def _form(self, envelope: Envelope, content: SmsContent) -> dict[str, str]:
        """The parameters of a create, in Twilio's names."""
        form = {"To": envelope.to, "Body": content.text}
        if self._settings.messaging_service_sid is not None:
            form["MessagingServiceSid"] = self._settings.messaging_service_sid
        else:
            form["From"] = envelope.sender
        form["StatusCallback"] = callback_url(self._settings.callback_url, envelope.delivery_id, envelope.attempt_id)
        # A one-time code that waited out an outage at Twilio must not arrive after its time.
        left = int((envelope.expires_at - self._clock.now()).total_seconds())
        form["ValidityPeriod"] = str(min(max(left, _VALIDITY[0]), _VALIDITY[1]))
        return form
