"""Apprise: the bridge to the hundred services that it knows, by the address of one of them.

The library makes the call in threads of its own, and says no more of a failure than what it logs: where that names the
HTTP status that came back it is believed, and everything else is `unknown`.
"""

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Literal
from urllib.parse import quote

from gateway.errors import ConfigurationError
from providers.base import (
    Capabilities,
    Channel,
    EmailContent,
    Envelope,
    Outcome,
    PushContent,
    SendResult,
    SmsContent,
    redacted,
    wrong_channel,
)
from providers.http import Answer, no_answer
from providers.http_answers import OutcomeTable, classify

_STATUS: Final = re.compile(r"\berror=([1-5]\d\d)\b")
"""How its plug-ins end what they log of an answer that is no success."""
_SAMPLES: Final[Mapping[Channel, str]] = {Channel.EMAIL: "someone@example.org", Channel.SMS: "+15005550006"}
"""A recipient, to see whether an address reads as one."""
_UNCARRIED: Final = "list-unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseSettings:
    """One service."""

    url: str = field(repr=False)
    """Its address in Apprise's notation; `{to}`, `{sender}` and `{delivery_id}` are filled in."""
    channel: Literal[Channel.EMAIL, Channel.SMS]
    codes: OutcomeTable = field(default_factory=dict)
    """What an HTTP status means, where ours is not to be followed."""
    timeout_seconds: float = 30.0
    concurrency: int = 16


class AppriseProvider:
    """One service. `sent` means that it took the message; it tells nothing later."""

    def __init__(self, name: str, settings: AppriseSettings) -> None:
        """Raises ConfigurationError without the library, and for an address that is none or leads to several."""
        self._name = name
        self._settings = settings
        self._library = _load(name)
        self._asset = self._library.AppriseAsset(
            # Nothing that is in a text is read as anything but text; nothing is kept on disk; no redirect is followed.
            allow_templates=False,
            http_redirects=False,
            interpret_emojis=False,
            storage_mode=self._library.PersistentStoreMode.MEMORY,
        )
        self._capabilities = Capabilities(
            channels=frozenset({settings.channel}), receipts=False, concurrency=settings.concurrency
        )
        self._require_one_call()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """The one channel that the settings name."""
        return self._capabilities

    async def send(self, envelope: Envelope) -> SendResult:
        """Have the library hand one message over, and classify what it says."""
        if envelope.channel is not self._settings.channel or isinstance(envelope.content, PushContent):
            return wrong_channel(envelope)
        if (lost := _uncarried(envelope)) is not None:
            return lost
        service = self._service({"to": envelope.to, "sender": envelope.sender, "delivery_id": envelope.delivery_id})
        if service is None:
            return SendResult(outcome=Outcome.REJECTED, code="bad_url", detail="With this recipient it is no address.")
        one = self._library.Apprise(service, asset=self._asset)
        told = await one.async_notify(
            **self._written(envelope.content, service),
            timeout=min(self._settings.timeout_seconds, envelope.deadline_seconds),
            log_level=logging.WARNING,
        )
        return self._result(told, envelope)

    async def aclose(self) -> None:
        """Nothing is kept."""

    def _service(self, values: Mapping[str, str]) -> Any:
        """The library's own object for one recipient; None where the address does not read as one."""
        url = self._settings.url
        for key, text in values.items():
            url = url.replace(f"{{{key}}}", quote(text, safe=""))
        return self._library.Apprise.instantiate(url, asset=self._asset)

    def _require_one_call(self) -> None:
        """Refuse what would send to a fixed place, to several, in pieces, or again by itself."""
        if "{to}" not in self._settings.url:
            raise ConfigurationError(f"providers.{self._name}.url: it must hold {{to}}, the recipient's address.")
        sample = _SAMPLES[self._settings.channel]
        service = self._service({"to": sample, "sender": sample, "delivery_id": "dlv_1"})
        if service is None:
            raise ConfigurationError(f"providers.{self._name}.url: Apprise does not know such an address.")
        if len(service) != 1 or service.overflow_mode == self._library.OverflowMode.SPLIT:
            raise ConfigurationError(
                f"providers.{self._name}.url: one message must be one call; name one recipient, and neither `retry`"
                " nor `overflow=split`."
            )

    def _written(self, content: SmsContent | EmailContent, service: Any) -> Mapping[str, Any]:
        """Title and body in what the service shows best."""
        formats = self._library.NotifyFormat
        if isinstance(content, SmsContent):
            return {"body": content.text, "title": "", "body_format": formats.TEXT}
        shown = service.notify_format
        if content.html and (shown == formats.HTML or (isinstance(shown, tuple) and formats.HTML in shown)):
            return {"body": content.html, "title": content.subject, "body_format": formats.HTML}
        return {"body": content.text, "title": content.subject, "body_format": formats.TEXT}

    def _result(self, told: Any, envelope: Envelope) -> SendResult:
        if told:
            return SendResult(outcome=Outcome.SENT)
        if told.status == self._library.AppriseResultStatus.TIMEOUT:
            return no_answer("lost:late").as_result()
        words = "; ".join(_logged(told))
        if (status := _STATUS.search(words)) is None:
            detail = redacted(words, envelope.to, envelope.sender) or None
            return SendResult(outcome=Outcome.UNKNOWN, code="failed", detail=detail)
        outcome = classify(Answer(status=int(status[1]), headers={}, body=None), status[1], self._settings.codes)
        if outcome is Outcome.TRANSIENT and status[1].startswith("5"):
            # Whose words came with it the library does not say: they may be those of something in between.
            outcome = Outcome.UNKNOWN
        return SendResult(outcome=outcome, code=status[1], detail=redacted(words, envelope.to, envelope.sender) or None)


def _uncarried(envelope: Envelope) -> SendResult | None:
    """Why this e-mail must not go by a bridge that knows neither headers nor, for most services, files."""
    content = envelope.content
    headers = content.headers if isinstance(content, EmailContent) else ()
    if envelope.attachments or any(name.lower() == _UNCARRIED for name, _ in headers):
        detail = "Apprise carries neither attachments nor List-Unsubscribe; correct the routes."
        return SendResult(outcome=Outcome.MISCONFIGURED, code="not_carried", detail=detail)
    return None


def _logged(told: Any) -> Iterator[str]:
    for result in told.results:
        for attempt in result:
            for entry in attempt:
                yield str(entry.message)


def _load(name: str) -> ModuleType:
    try:
        library = import_module("apprise")
    except ImportError as error:
        raise ConfigurationError(
            f'providers.{name}: its kind needs a library that is not installed: pip install "heliograph[apprise]"'
        ) from error
    with warnings.catch_warnings():
        # The first address of all has it load the plug-ins of every service, some of which warn of themselves.
        warnings.simplefilter("ignore")
        library.Apprise.instantiate("json://localhost")
    # It logs addresses of people; what it says of a call is read from its result.
    theirs = logging.getLogger("apprise")
    theirs.propagate = False
    if not theirs.handlers:
        theirs.addHandler(logging.NullHandler())
    return library
