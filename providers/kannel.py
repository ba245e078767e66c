"""Kannel: text messages by the sendsms interface of its smsbox, for carriers that are reached by SMPP and the like.

Accepted means that Kannel has the message; what the carrier says of it comes by the `dlr-url` that goes with each.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from providers.base import (
    Channel,
    Clock,
    Envelope,
    Fitness,
    Inbound,
    Outcome,
    ProbeResult,
    Receipt,
    SendResult,
    SmsContent,
    WebhookRequest,
    wrong_channel,
)
from providers.http import Answer, HttpClient, NoAnswer
from providers.http_adapter import AdapterSettings, HttpAdapter
from providers.http_answers import probed, refusal
from providers.kannel_codes import CODES, NO_RECEIVER
from providers.kannel_webhook import is_signed, read_call, receipt_url

BASE_URL: Final = "http://127.0.0.1:13013"
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_ACCEPTED: Final = re.compile(r"[03]: |Sent\.")
"""`0: Accepted for delivery`, `3: Queued for later delivery`; old ones say `Sent.`"""
_EVERY_RECEIPT: Final = "31"
"""`dlr-mask`: of the handset (1, 2), of the carrier (4, 8, 16)."""
_CODINGS: Final = {"gsm-7": "0", "ucs-2": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KannelSettings(AdapterSettings):
    """One `sendsms-user`."""

    username: str
    password: str = field(repr=False)
    smsc: str | None = None
    """The carrier to go by, as Kannel calls it; None leaves that to Kannel."""
    callback_url: str
    """Our own address for receipts and texts."""
    receipt_key: str = field(repr=False)
    """Signs the address that goes with each message."""
    inbound_token: str | None = field(default=None, repr=False)
    """What stands in the address of Kannel's `get-url`; None takes no texts."""
    base_url: str = BASE_URL


class KannelProvider(HttpAdapter):
    """One account at one smsbox. `sent` means that Kannel has the message."""

    channel = Channel.SMS
    receipts = True
    table = CODES

    def __init__(self, name: str, settings: KannelSettings, clock: Clock) -> None:
        """Raises ConfigurationError for a `ca_file` that cannot be read."""
        self._settings = settings
        self._http = HttpClient(name, settings.http)
        super().__init__(name, settings, self._http, clock)
        self._url = f"{settings.base_url.rstrip('/')}/cgi-bin/sendsms"

    async def send(self, envelope: Envelope) -> SendResult:
        """Hand one text over and classify the answer."""
        content = envelope.content
        if not isinstance(content, SmsContent):
            return wrong_channel(envelope)
        answer = await self._call(
            self._headers(envelope, content), content.text.encode(), deadline_seconds=envelope.deadline_seconds
        )
        if isinstance(answer, NoAnswer):
            return answer.as_result()
        words = _words(answer)
        if answer.status == 202 and _ACCEPTED.match(words):
            return SendResult(outcome=Outcome.SENT, code="202")
        code = self._code(answer, words)
        return refusal(answer, code, words, self._codes, envelope.to, envelope.sender, now=self._clock.now())

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether the address is one that we signed, or holds the token that the settings name for texts."""
        return is_signed(self._settings.receipt_key, self._settings.inbound_token, request)

    def parse(self, request: WebhookRequest) -> Sequence[Inbound | Receipt]:
        """The text or the receipt in a verified call. Raises InvalidRequest."""
        return (read_call(request, self._codes),)

    async def health(self) -> ProbeResult:
        """Ask for a message to nobody: Kannel looks at the credentials first, then refuses it."""
        answer = await self._call({}, b"-")
        if isinstance(answer, Answer) and answer.status == 400 and _words(answer).startswith(NO_RECEIVER):
            return ProbeResult(fitness=Fitness.OK)
        if isinstance(answer, Answer) and answer.status < 400:
            detail = f"What answers at {self._settings.base_url} is no smsbox."
            return ProbeResult(fitness=Fitness.MISCONFIGURED, detail=detail)
        return probed(answer)

    async def _call(
        self, headers: dict[str, str], body: bytes, *, deadline_seconds: float | None = None
    ) -> Answer | NoAnswer:
        """By POST: a GET may be repeated by whoever passes it on, and its address, with the password, be logged."""
        named = {
            "Username": self._settings.username,
            "Password": self._settings.password,
            **({} if self._settings.smsc is None else {"SMSC": self._settings.smsc}),
            **headers,
        }
        return await self._http.call(
            "POST",
            self._url,
            headers={
                # It passes over an X-Kannel-Charset.
                "Content-Type": "text/plain; charset=UTF-8",
                **{f"X-Kannel-{key}": _CONTROLS.sub("", text) for key, text in named.items()},
            },
            body=body,
            deadline_seconds=deadline_seconds,
        )

    def _headers(self, envelope: Envelope, content: SmsContent) -> dict[str, str]:
        """One message, in Kannel's names."""
        settings = self._settings
        left = (envelope.expires_at - self._clock.now()).total_seconds()
        return {
            "From": envelope.sender,
            "To": envelope.to,
            "Coding": _CODINGS[content.encoding],
            "Validity": str(max(int(left // 60), 1)),
            "DLR-Mask": _EVERY_RECEIPT,
            "DLR-URL": receipt_url(
                settings.callback_url, settings.receipt_key, envelope.delivery_id, envelope.attempt_id
            ),
        }

    def _code(self, answer: Answer, words: str) -> str | None:
        """Which of its sentences it is, None where the answer is not Kannel's own."""
        for sentence in self._codes:
            if words.startswith(sentence):
                return sentence
        return "other" if answer.headers.get("server", "").startswith("Kannel/") else None


def _words(answer: Answer) -> str:
    return (answer.body or b"").decode("utf-8", "replace").strip()
