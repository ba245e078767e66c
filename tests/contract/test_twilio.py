"""Twilio, held to the kit, and to Twilio's own package for what it sends and what it believes."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
from multidict import MultiDict
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from gateway.domain.ids import AttemptId, DeliveryId
from gateway.domain.inbound import Inbound
from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Outcome, SmsContent
from gateway.domain.preferences import SuppressionReason
from gateway.domain.recipients import Channel
from gateway.ports import Fitness, LostCall, WebhookRequest
from providers.conformance.fault_server import Reply, Request, open_fault_server
from providers.conformance.http_suite import HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope
from providers.conformance.webhook_suite import WebhookSuite, receipts
from providers.http import HttpSettings
from providers.twilio import TwilioProvider, TwilioSettings
from tests.factories import NOW
from tests.fakes import SetClock

SID = "AC" + "0" * 32
MESSAGE = "SM" + "1" * 32
TOKEN, OLD_TOKEN = "token-of-today", "token-of-yesterday"
CALLBACK = "https://gateway.example/webhooks/twilio-eu"


def make_twilio(base_url: str = "https://api.twilio.com", **settings: Any) -> TwilioProvider:
    given: dict[str, Any] = {
        "account_sid": SID, "auth_token": TOKEN, "callback_url": CALLBACK, "base_url": base_url, **settings
    }  # fmt: skip
    return TwilioProvider("under-test", TwilioSettings(**given), SetClock())


def reply(code: int, /, **body: Any) -> Reply:
    return Reply(status=code, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode())


def error(status: int, code: int, message: str) -> Reply:
    return reply(status, code=code, message=message, status=status, more_info="https://www.twilio.com/docs/errors")


TAKEN = reply(201, sid=MESSAGE, status="queued", num_segments="1", error_code=None)


class TestTwilio(HttpProviderSuite):
    channels = frozenset({Channel.SMS})
    secrets = (TOKEN, OLD_TOKEN)
    taken = TAKEN
    answers: ClassVar = {
        Fault.BAD_ADDRESS: error(400, 21211, "The 'To' number +33612345678 is not a valid phone number."),
        Fault.BAD_CONTENT: error(400, 21617, "The message to +33612345678 is too long"),
        Fault.BAD_CREDENTIALS: error(401, 20003, "Authenticate"),
        Fault.THROTTLED: error(429, 20429, "Too many requests"),
        Fault.TRANSIENT: error(503, 20503, "Service unavailable for +33612345678"),
    }

    def make(self, base_url: str) -> TwilioProvider:
        return make_twilio(base_url, previous_auth_token=OLD_TOKEN)

    def delivery_id_in(self, request: Request) -> str:
        return request.form["StatusCallback"].partition("delivery=")[2].partition("&")[0]


class Recorder(HttpClient):  # type: ignore[misc]  # Twilio's package has no types
    """Twilio's own client writes down what it would send."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, object], tuple[str, str]]] = []

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        self.calls.append((method, url, kwargs["data"], kwargs["auth"]))
        return Response(201, '{"sid": "SM1", "status": "queued"}')


@pytest.mark.parametrize("service", [None, "MG" + "2" * 32], ids=["from", "messaging service"])
async def test_a_create_is_what_twilios_own_client_sends(service: str | None) -> None:
    envelope = make_envelope(Channel.SMS, expires_at=NOW + timedelta(seconds=600))
    recorder = Recorder()
    sdk = Client(SID, TOKEN, http_client=recorder)
    callback = f"{CALLBACK}?delivery={envelope.delivery_id}&attempt=att_1"
    sender: dict[str, Any] = {"from_": "Shop"} if service is None else {"messaging_service_sid": service}
    sdk.messages.create(to="+33612345678", body="Hi", status_callback=callback, validity_period=600, **sender)
    ((method, url, data, auth),) = recorder.calls

    async with open_fault_server(TAKEN) as server:
        provider = make_twilio(server.url, messaging_service_sid=service)
        result = await provider.send(envelope)
        await provider.aclose()

        (request,) = server.requests
        assert (request.method, request.path) == (method, url.removeprefix("https://api.twilio.com"))
        assert request.form == {name: str(value) for name, value in data.items()}
        assert request.headers["authorization"].startswith("Basic ")
        assert auth == (SID, TOKEN)
        assert (result.outcome, result.provider_message_id) == (Outcome.SENT, MESSAGE)


@pytest.mark.parametrize(
    ("left", "validity"), [(0.2, "1"), (600, "600"), (7 * 86400, "36000")], ids=["nearly over", "usual", "days"]
)
async def test_twilio_is_told_how_long_the_message_is_worth_sending(left: float, validity: str) -> None:
    async with open_fault_server(TAKEN) as server:
        provider = make_twilio(server.url)
        await provider.send(make_envelope(Channel.SMS, expires_at=NOW + timedelta(seconds=left)))
        await provider.aclose()

        assert server.requests[0].form["ValidityPeriod"] == validity


async def test_the_operators_table_stands_above_ours() -> None:
    async with open_fault_server(error(400, 21610, "Attempt to send to unsubscribed recipient")) as server:
        ours, theirs = make_twilio(server.url), make_twilio(server.url, codes={"21610": Outcome.REJECTED})

        results = [await provider.send(make_envelope(Channel.SMS)) for provider in (ours, theirs)]

        assert [result.outcome for result in results] == [Outcome.OPTED_OUT, Outcome.REJECTED]
        assert {result.code for result in results} == {"400 21610"}
        for provider in (ours, theirs):
            await provider.aclose()


async def test_a_status_can_be_asked_for_and_a_lost_answer_says_nothing() -> None:
    async with open_fault_server(reply(200, sid=MESSAGE, status="undelivered", error_code=30005)) as server:
        provider = make_twilio(server.url)
        told = await provider.fetch_status(MESSAGE)
        server.manner = error(404, 20404, "The requested resource was not found")
        unknown = await provider.fetch_status(MESSAGE)
        await provider.aclose()

        assert told is not None
        assert (told.evidence, told.suppress) == (Evidence.BOUNCED, SuppressionReason.BOUNCE)
        assert unknown is None
        assert server.requests[0].target.endswith(f"/Accounts/{SID}/Messages/{MESSAGE}.json")


def listed(known_as: str, **changes: Any) -> dict[str, Any]:
    """A message as Twilio's list has it, of the call below unless `changes` say otherwise."""
    usual = {
        "sid": known_as,
        "to": "+33612345678",
        "from": "Shop",
        "body": "Your code is 908172",
        "direction": "outbound-api",
        "status": "queued",
        "error_code": None,
        "date_created": format_datetime(NOW),
    }
    return usual | changes


LOST = LostCall(
    delivery_id=DeliveryId("dlv_1"),
    attempt_id=AttemptId("att_1"),
    to="+33612345678",
    sender="Shop",
    content=SmsContent(text="Your code is ••••", encoding="ucs-2", units=17, segments=1, locale="en"),
    began=NOW,
    ended=NOW + timedelta(seconds=30),
)


async def found(*messages: Any, call: LostCall = LOST, **page: Any) -> list[tuple[str | None, bool]] | None:
    async with open_fault_server(reply(200, messages=messages, **page)) as server:
        provider = make_twilio(server.url)
        candidates = await provider.find(call)
        await provider.aclose()

        (request,) = server.requests
        assert (request.method, request.path) == ("GET", f"/2010-04-01/Accounts/{SID}/Messages.json")
        assert request.target.endswith("?To=%2B33612345678&PageSize=200")
        if candidates is None:
            return None
        return [(one.receipt.provider_message_id, one.reads_the_same) for one in candidates]


async def test_a_call_whose_answer_was_lost_is_found_in_twilios_list() -> None:
    late, early = (format_datetime(NOW + timedelta(minutes=minutes)) for minutes in (7, -7))

    told = await found(
        listed("SM1", date_created=late),
        listed("SM2", direction="inbound"),
        listed("SM3", to="+33600000000"),
        listed("SM4", body="Your order has left"),
        listed("SM5"),
        listed("SM6", **{"from": "Another"}),
        listed("SM7", date_created=early),
    )

    assert told == [("SM4", False), ("SM5", True)]


@pytest.mark.parametrize(
    ("messages", "page", "told"),
    [
        pytest.param([], {}, [], id="nothing"),
        pytest.param([listed("SM1")], {"next_page_uri": "/more"}, None, id="more on another page"),
        pytest.param(
            [listed("SM1", date_created=format_datetime(NOW - timedelta(hours=1)))],
            {"next_page_uri": "/more"},
            [],
            id="what is on another page is older",
        ),
        pytest.param([listed("SM1", date_created="soon")], {}, None, id="no time"),
        pytest.param([listed("SM1", sid=None)], {}, None, id="no id"),
        pytest.param([listed("SM1", body=None)], {}, [("SM1", False)], id="the text is not kept"),
    ],
)
async def test_the_list_says_nothing_of_what_it_does_not_hold_whole(messages: Any, page: Any, told: Any) -> None:
    assert await found(*messages, **page) == told


async def test_a_look_through_a_list_that_is_not_to_be_had_says_nothing() -> None:
    async with open_fault_server(error(503, 20503, "Unavailable")) as server:
        provider = make_twilio(server.url)
        refused = await provider.find(LOST)
        server.manner = reply(200, messages="none")
        garbled = await provider.find(LOST)
        await server.stop()
        away = await provider.find(LOST)
        await provider.aclose()

        assert (refused, garbled, away) == (None, None, None)


async def test_a_probe_sends_nothing() -> None:
    async with open_fault_server(reply(200, sid=SID, status="active")) as server:
        provider = make_twilio(server.url)
        found = [await provider.health()]
        for manner in (error(401, 20003, "Authenticate"), error(503, 20503, "Unavailable")):
            server.manner = manner
            found.append(await provider.health())
        await server.stop()
        found.append(await provider.health())
        await provider.aclose()

        assert [one.fitness for one in found] == [Fitness.OK, Fitness.MISCONFIGURED, Fitness.DOWN, Fitness.DOWN]
        assert {(request.method, request.path) for request in server.requests} == {
            ("GET", f"/2010-04-01/Accounts/{SID}.json")
        }


async def test_calls_run_side_by_side_and_each_within_its_time() -> None:
    async with open_fault_server(TAKEN) as server:
        provider = make_twilio(server.url, http=HttpSettings(connections=8, timeout_seconds=5))

        results = await asyncio.gather(*(provider.send(make_envelope(Channel.SMS)) for _ in range(64)))
        await provider.aclose()

        assert {result.outcome for result in results} == {Outcome.SENT}
        assert len(server.requests) == 64


def callback(
    fields: dict[str, str], token: str = TOKEN, query: str = "?delivery=dlv_1&attempt=att_1"
) -> WebhookRequest:
    """What Twilio posts, signed by its own package."""
    url = CALLBACK + query
    signature = RequestValidator(token).compute_signature(url, fields)
    return WebhookRequest(
        url=url,
        headers={"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"},
        body=urlencode(fields).encode(),
        received_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


def status(word: str, **further: str) -> dict[str, str]:
    common = {"MessageSid": MESSAGE, "SmsSid": MESSAGE, "AccountSid": SID, "To": "+33612345678", "From": "+33700000000"}
    return {**common, "MessageStatus": word, "SmsStatus": word, "ApiVersion": "2010-04-01", **further}


class TestTwilioCallbacks(WebhookSuite):
    channel = Channel.SMS
    ends = DeliveryStatus.DELIVERED
    signature_headers = ("x-twilio-signature",)
    signs_url = True

    def receiver(self) -> TwilioProvider:
        return make_twilio(previous_auth_token=OLD_TOKEN)

    def story(self) -> Sequence[WebhookRequest]:
        # Undelivered, then delivered all the same: a late receipt of a handset that came back.
        words = ("queued", "sent", "undelivered", "delivered")
        return [callback(status(word, **({"ErrorCode": "30003"} if word == "undelivered" else {}))) for word in words]

    def oddities(self) -> Sequence[WebhookRequest]:
        return [
            callback(status("levitating", NewProperty="1")),
            callback(status("failed", ErrorCode="99999"), query=""),
        ]

    def rotated(self) -> Sequence[WebhookRequest]:
        return [callback(status("sent"), token) for token in (TOKEN, OLD_TOKEN)]

    def sign(self, body: bytes) -> WebhookRequest:
        signature = RequestValidator(TOKEN).compute_signature(CALLBACK, {})
        headers = {"x-twilio-signature": signature}
        return WebhookRequest(url=CALLBACK, headers=headers, body=body, received_at=NOW)

    def hidden(self) -> tuple[str, ...]:
        return ("33612345678", "33700000000")


@pytest.mark.parametrize(
    ("word", "code", "evidence", "suppress"),
    [
        ("sent", None, Evidence.TAKEN, None),
        ("undelivered", "30003", Evidence.UNDELIVERED, None),
        ("undelivered", "30005", Evidence.BOUNCED, SuppressionReason.BOUNCE),
        ("undelivered", "30007", Evidence.BOUNCED, None),
        ("failed", "21610", Evidence.BOUNCED, SuppressionReason.STOP),
        ("failed", None, Evidence.UNDELIVERED, None),
        ("read", None, Evidence.DELIVERED, None),
        ("delivered", "0", Evidence.DELIVERED, None),
        ("delivered", "30005", Evidence.DELIVERED, None),
        ("levitating", None, None, None),
    ],
)
def test_each_word_of_a_callback_has_its_evidence(
    word: str, code: str | None, evidence: Evidence | None, suppress: SuppressionReason | None
) -> None:
    fields = status(word) if code is None else status(word, ErrorCode=code)

    (told,) = receipts(make_twilio(), callback(fields))

    assert (told.evidence, told.suppress) == (evidence, suppress)
    assert (told.delivery_id, told.attempt_id, told.provider_message_id) == ("dlv_1", "att_1", MESSAGE)


async def test_a_text_that_somebody_sends_comes_in_by_the_same_address() -> None:
    fields = {
        "MessageSid": MESSAGE,
        "SmsStatus": "received",
        "From": "+33612345678",
        "To": "+33700000000",
        "Body": "STOP",
    }
    call = callback(fields, query="")

    assert await make_twilio().verify(call)
    assert make_twilio().parse(call) == (
        Inbound(event_id=MESSAGE, sender="+33612345678", recipient="+33700000000", text="STOP"),
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example/webhooks/twilio",
        "https://gateway.example:443/webhooks/twilio?delivery=dlv_1",
        "https://gateway.example:8443/webhooks/twilio",
        "http://gateway.example/webhooks/twilio?a=1&b=",
    ],
)
async def test_we_believe_what_twilios_own_validator_believes(url: str) -> None:
    validator = RequestValidator(TOKEN)
    fields = MultiDict(
        [("MessageSid", MESSAGE), ("Media", "b"), ("Media", "a"), ("Media", "a"), ("Body", "Grüße 👋 + &")]
    )
    body = urlencode(list(fields.items())).encode()
    for spelled in {url, url.replace(":443", ""), url.replace("example/", "example:443/"), url + "x"}:
        signature = validator.compute_signature(spelled, fields)
        call = WebhookRequest(url=url, headers={"x-twilio-signature": signature}, body=body, received_at=NOW)

        assert await make_twilio().verify(call) == validator.validate(url, fields, signature)


def test_the_settings_keep_their_secrets() -> None:
    assert TOKEN not in repr(make_twilio()._settings)
