"""The bridge by Apprise, held to the kit by the plug-in of the library that posts JSON."""

import json
import logging
from typing import Any, ClassVar

import pytest

from gateway.domain.messages import Attachment, EmailContent, Outcome, SmsContent
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from providers.apprise import AppriseProvider, AppriseSettings
from providers.conformance.fault_server import Manner, Mishap, Reply, Request, open_fault_server
from providers.conformance.http_suite import HTTP_FAULTS, HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope

SECRET = "the-password-of-the-service"


def make_apprise(base_url: str = "http://127.0.0.1:1", query: str = "", **changes: Any) -> AppriseProvider:
    host = base_url.removeprefix("http://")
    url = f"json://shop:{SECRET}@{host}/notify?:to={{to}}&:from={{sender}}&:id={{delivery_id}}{query}"
    settings: dict[str, Any] = {"url": url, "channel": Channel.SMS, **changes}
    return AppriseProvider("under-test", AppriseSettings(**settings))


def said(status: int) -> Reply:
    return Reply(status=status, body=b'{"error": "for +33612345678"}')


class TestApprise(HttpProviderSuite):
    channels = frozenset({Channel.SMS})
    # It does not tell a refused connection from a lost one, nor whose words an error came with, reads whatever comes
    # as long as it comes, and takes each 2xx for a success; none of its services says in one way what is a bad address.
    faults = HTTP_FAULTS - {
        Fault.BAD_ADDRESS,
        Fault.TRANSIENT,
        Fault.REFUSED_CONNECTION,
        Fault.ENDLESS,
        Fault.GARBAGE,
    }
    secrets = (SECRET,)
    taken = Reply()
    answers: ClassVar = {
        Fault.BAD_CONTENT: said(400),
        Fault.BAD_CREDENTIALS: said(401),
        Fault.THROTTLED: said(429),
    }

    def make(self, base_url: str) -> AppriseProvider:
        return make_apprise(base_url)

    def delivery_id_in(self, request: Request) -> str:
        return str(json.loads(request.body)["id"])

    async def test_the_wait_that_is_asked_for_is_told(self) -> None:
        # The library keeps Retry-After to itself.
        result, _ = await sent(Reply(status=429, headers={"Retry-After": "7"}))

        assert (result.outcome, result.retry_after_seconds) == (Outcome.THROTTLED, None)


async def sent(manner: Manner, *, envelope: Any = None, **settings: Any) -> tuple[Any, Any]:
    """What became of one message, and the document that reached the server."""
    async with open_fault_server(manner) as server:
        provider = make_apprise(server.url, **settings)
        result = await provider.send(envelope or make_envelope(Channel.SMS))
        await provider.aclose()
        return result, json.loads(server.requests[0].body) if server.requests else None


async def test_a_text_goes_as_it_is_to_its_one_recipient() -> None:
    text = "{{ 7*7 }} :smile: \\n é"
    content = SmsContent(text=text, encoding="gsm-7", units=20, segments=1, locale="en")

    result, document = await sent(Reply(), envelope=make_envelope(Channel.SMS, content=content))

    assert result.outcome is Outcome.SENT
    assert (document["message"], document["title"]) == (text, "")
    assert (document["to"], document["from"]) == ("+33612345678", "Shop")


async def test_an_e_mail_goes_with_its_subject_as_html_where_the_service_shows_it() -> None:
    result, document = await sent(Reply(), envelope=make_envelope(), channel=Channel.EMAIL)

    assert result.outcome is Outcome.SENT
    assert (document["title"], document["message"]) == ("Hi", "<p>Hi</p>")


@pytest.mark.parametrize(
    "changes",
    [
        {"attachments": (Attachment(filename="a.pdf", content_type="application/pdf", content=b"%PDF"),)},
        {
            "content": EmailContent(
                subject="Hi", preheader="", html="", text="Hi", locale="en", headers=(("List-Unsubscribe", "<x>"),)
            )
        },
    ],
    ids=["a file", "a way to leave"],
)
async def test_what_it_cannot_carry_is_not_sent_without_it(changes: dict[str, Any]) -> None:
    result, document = await sent(Reply(), envelope=make_envelope(**changes), channel=Channel.EMAIL)

    assert (result.outcome, result.code, document) == (Outcome.MISCONFIGURED, "not_carried", None)


@pytest.mark.parametrize(
    ("manner", "outcome", "code"),
    [
        (said(404), Outcome.MISCONFIGURED, "404"),
        (said(422), Outcome.REJECTED, "422"),
        (said(500), Outcome.UNKNOWN, "500"),
        (said(410), Outcome.INVALID_RECIPIENT, "410"),
        (Mishap.RESET_AFTER_BODY, Outcome.UNKNOWN, "failed"),
    ],
    ids=str,
)
async def test_a_failure_means_what_its_status_means(manner: Manner, outcome: Outcome, code: str) -> None:
    result, _ = await sent(manner, codes={"410": Outcome.INVALID_RECIPIENT})

    assert (result.outcome, result.code) == (outcome, code)
    assert "33612345678" not in repr(result)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("json://127.0.0.1/", r"it must hold \{to\}"),
        ("nosuch://127.0.0.1/{to}", "Apprise does not know"),
        ("clicksend://shop:key@{to}/+33612345678", "one message must be one call"),
        ("json://127.0.0.1/{to}?retry=2", "one message must be one call"),
        ("json://127.0.0.1/{to}?overflow=split", "one message must be one call"),
    ],
)
def test_an_address_that_is_not_one_call_to_one_person_stops_the_start(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"providers\.under-test\.url: {told}"):
        make_apprise(url=url)


class Listening(logging.Handler):
    """What reaches the logs of the whole process; pytest's own also listens to what is kept from them."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.name)


async def test_its_own_logs_are_kept_from_ours() -> None:
    listening = Listening()
    logging.getLogger().addHandler(listening)

    await sent(said(500))

    logging.getLogger().removeHandler(listening)
    assert "apprise" not in listening.heard
