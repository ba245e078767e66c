"""Kannel, held to the kit. A real one is among the peers of `run.py peers`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, quote_plus

import pytest

from gateway.domain.inbound import Inbound
from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Outcome, SmsContent
from gateway.domain.preferences import SuppressionReason
from gateway.domain.recipients import Channel
from gateway.errors import InvalidRequest
from gateway.ports import Fitness, WebhookRequest
from providers.conformance.fault_server import Reply, Request, open_fault_server
from providers.conformance.http_suite import HTTP_FAULTS, HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope
from providers.conformance.webhook_suite import WebhookSuite, receipts
from providers.kannel import KannelProvider, KannelSettings
from providers.kannel_webhook import receipt_url
from tests.factories import NOW
from tests.fakes import SetClock

PASSWORD, KEY, TOKEN = "password-of-the-shop", "what-receipts-are-signed-with", "token-for-the-texts"
CALLBACK = "https://gateway.example/webhooks/carrier"
CARRIER_ID = "0a70d19d-e5cd-4751-81c8-082de51382e4"


def make_kannel(base_url: str = "http://127.0.0.1:13013", **settings: Any) -> KannelProvider:
    given: dict[str, Any] = {
        "username": "shop", "password": PASSWORD, "callback_url": CALLBACK, "receipt_key": KEY,
        "inbound_token": TOKEN, "base_url": base_url, **settings,
    }  # fmt: skip
    return KannelProvider("under-test", KannelSettings(**given), SetClock())


def answer(status: int, words: str, server: str = "Kannel/1.4.5") -> Reply:
    return Reply(status=status, headers={"Server": server, "Content-Type": "text/plain"}, body=words.encode())


TAKEN = answer(202, "0: Accepted for delivery")


class TestKannel(HttpProviderSuite):
    channels = frozenset({Channel.SMS})
    # It says nothing of addresses: the carrier does, by a receipt.
    faults = HTTP_FAULTS - {Fault.BAD_ADDRESS}
    secrets = (PASSWORD, KEY, TOKEN)
    taken = TAKEN
    answers: ClassVar = {
        Fault.BAD_CONTENT: answer(400, "Charset or body misformed, rejected"),
        Fault.BAD_CREDENTIALS: answer(403, "Authorization failed for sendsms"),
        Fault.THROTTLED: answer(429, "Slow down, +33612345678"),
        Fault.TRANSIENT: answer(503, "Temporal failure, try again later."),
    }

    def make(self, base_url: str) -> KannelProvider:
        return make_kannel(base_url)

    def delivery_id_in(self, request: Request) -> str:
        return request.headers["x-kannel-dlr-url"].partition("delivery=")[2].partition("&")[0]


async def sent(reply: Reply, content: SmsContent | None = None, **settings: Any) -> tuple[Any, Request]:
    """What became of one text, and what reached the server."""
    async with open_fault_server(reply) as server:
        provider = make_kannel(server.url, **settings)
        changes: dict[str, Any] = {} if content is None else {"content": content}
        result = await provider.send(make_envelope(Channel.SMS, expires_at=NOW + timedelta(seconds=700), **changes))
        await provider.aclose()
    return result, server.requests[0]


@pytest.mark.parametrize(
    ("text", "encoding", "coding"), [("Grüße €[]", "gsm-7", "0"), ("Привет 👋", "ucs-2", "2")], ids=["gsm", "ucs"]
)
async def test_a_text_is_posted_with_its_coding_and_nothing_secret_in_the_address(
    text: str, encoding: str, coding: str
) -> None:
    content = SmsContent(text=text, encoding=encoding, units=9, segments=1, locale="en")

    result, request = await sent(TAKEN, content, smsc="carrier-fr")

    assert result.outcome is Outcome.SENT
    assert request.headers["content-type"] == "text/plain; charset=UTF-8"
    assert (request.method, request.target, request.body) == ("POST", "/cgi-bin/sendsms", text.encode())
    told = {key.removeprefix("x-kannel-"): value for key, value in request.headers.items() if "kannel" in key}
    delivery = parse_qs(told["dlr-url"])[f"{CALLBACK}?delivery"][0]
    assert told.pop("dlr-url") == address_of(delivery)
    assert told == {
        "username": "shop",
        "password": PASSWORD,
        "from": "Shop",
        "to": "+33612345678",
        "coding": coding,
        "smsc": "carrier-fr",
        "validity": "11",
        "dlr-mask": "31",
    }


async def test_a_sender_cannot_add_a_header() -> None:
    async with open_fault_server(TAKEN) as server:
        provider = make_kannel(server.url)
        await provider.send(make_envelope(Channel.SMS, sender="Shop\r\nX-Kannel-To: +1"))
        await provider.aclose()

        assert server.requests[0].headers["x-kannel-from"] == "ShopX-Kannel-To: +1"


@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (answer(202, "3: Queued for later delivery"), Outcome.SENT, "202"),
        (answer(202, "Sent."), Outcome.SENT, "202"),
        (answer(202, "<html>Welcome"), Outcome.UNKNOWN, "202 other"),
        (answer(403, "Not routable. Do not try again."), Outcome.REJECTED, "403 Not routable"),
        (answer(400, "Sender missing and no global set, rejected"), Outcome.MISCONFIGURED, "400 Sender missing"),
        (answer(503, "Temporal failure, try again later.", "nginx"), Outcome.TRANSIENT, "503 Temporal failure"),
        (answer(500, "Oh, +33612345678"), Outcome.TRANSIENT, "500 other"),
        (answer(500, "Oh", "nginx"), Outcome.UNKNOWN, "500"),
    ],
)
async def test_each_answer_has_its_outcome(reply: Reply, outcome: Outcome, code: str) -> None:
    result, _ = await sent(reply)

    assert (result.outcome, result.code) == (outcome, code)


async def test_a_probe_sends_nothing() -> None:
    async with open_fault_server(answer(400, "Missing receiver(s) number(s), rejected")) as server:
        provider = make_kannel(server.url)
        found = [await provider.health()]
        for manner in (answer(403, "Authorization failed for sendsms"), answer(200, "Welcome"), answer(503, "")):
            server.manner = manner
            found.append(await provider.health())
        await provider.aclose()

        assert [one.fitness for one in found] == [
            Fitness.OK, Fitness.MISCONFIGURED, Fitness.MISCONFIGURED, Fitness.DOWN
        ]  # fmt: skip
        assert not any("x-kannel-to" in request.headers for request in server.requests)


def address_of(delivery: str = "dlv_1", attempt: str = "att_1", key: str = KEY) -> str:
    return receipt_url(CALLBACK, key, delivery, attempt)


ADDRESS = address_of()


def filled_in(address: str, status: str, answer: str = "ACK/", carrier_id: str = CARRIER_ID, at: str = "1") -> str:
    """As Kannel fills an address in."""
    words = {"%d": status, "%A": quote_plus(answer), "%i": "carrier", "%F": carrier_id, "%T": at}
    for word, text in words.items():
        address = address.replace(word, text)
    return address


def called(url: str, body: bytes = b"") -> WebhookRequest:
    return WebhookRequest(url=url, headers={"user-agent": "Kannel/1.4.5"}, body=body, received_at=NOW)


class TestKannelReceipts(WebhookSuite):
    channel = Channel.SMS
    ends = DeliveryStatus.DELIVERED
    signature_headers = ()
    signs_url = True

    def receiver(self) -> KannelProvider:
        return make_kannel()

    def story(self) -> Sequence[WebhookRequest]:
        # As a carrier told it that lost sight of the handset for a while.
        return [called(filled_in(ADDRESS, status)) for status in ("8", "4", "2", "1")]

    def oddities(self) -> Sequence[WebhookRequest]:
        return [
            called(filled_in(ADDRESS, "levitating", at="yesterday")),
            called(filled_in(ADDRESS, "16", "NACK/Garbage from 33612345678 %FF", carrier_id="")),
        ]

    def rotated(self) -> Sequence[WebhookRequest]:
        return ()

    def sign(self, body: bytes) -> WebhookRequest:
        return called(ADDRESS, body)


@pytest.mark.parametrize(
    ("status", "told", "evidence", "code", "suppress"),
    [
        ("8", "ACK/", Evidence.TAKEN, None, None),
        ("4", "", Evidence.TAKEN, None, None),
        ("1", "id:7 sub:001 dlvrd:001 stat:DELIVRD err:000 text:code 1234", Evidence.DELIVERED, "DELIVRD/000", None),
        ("2", "id:7 stat:UNDELIV err:00B text:1234", Evidence.UNDELIVERED, "UNDELIV/00B", None),
        ("34", "id:7 stat:EXPIRED", Evidence.UNDELIVERED, "EXPIRED", None),
        ("16", "NACK/0x0000000b/Invalid Destination Address", Evidence.BOUNCED, "0x0000000b", SuppressionReason.BOUNCE),
        ("16", "NACK/0x58/Throttling error", Evidence.UNDELIVERED, "0x00000058", None),
        ("16", "NACK/0x00000061", Evidence.BOUNCED, "0x00000061", None),
        ("16", "NACK/Retries Exceeded", Evidence.UNDELIVERED, None, None),
        ("64", "", None, None, None),
    ],
)
def test_each_receipt_has_its_evidence(
    status: str,
    told: str,
    evidence: Evidence | None,
    code: str | None,
    suppress: SuppressionReason | None,
) -> None:
    (receipt,) = receipts(make_kannel(), called(filled_in(ADDRESS, status, told, at="1795343815")))

    assert (receipt.evidence, receipt.code, receipt.suppress) == (evidence, code, suppress)
    assert (receipt.delivery_id, receipt.attempt_id) == ("dlv_1", "att_1")
    assert receipt.provider_message_id == CARRIER_ID
    assert receipt.at == datetime.fromtimestamp(1795343815, UTC)
    assert "code 1234" not in repr(receipt)


async def test_an_address_signs_one_delivery_and_attempt_and_no_other() -> None:
    provider = make_kannel()
    genuine = filled_in(ADDRESS, "1")

    assert await provider.verify(called(genuine))
    for forged in (
        genuine.replace("dlv_1", "dlv_2"),
        genuine.replace("att_1", "att_2"),
        genuine.replace("delivery=", "deliver="),
        genuine + "&delivery=dlv_2",
        genuine.partition("&token")[0] + f"&token={TOKEN}",
        filled_in(address_of(key="another gateway's"), "1"),
    ):
        assert not await provider.verify(called(forged))


def text_call(text: str, charset: str = "UTF-8", token: str = TOKEN, **more: str) -> str:
    query = f"from=%2B33612345678&to=%2B33700000000&text={text}&charset={charset}&id=abc&at=1795343815"
    return f"{CALLBACK}?{query}{''.join(f'&{key}={value}' for key, value in more.items())}&token={token}"


@pytest.mark.parametrize(
    ("written", "charset", "text"),
    [
        ("STOP+%C3%A9", "UTF-8", "STOP é"),
        (quote("СТОП".encode("utf-16-be")), "UTF-16BE", "СТОП"),
        ("%A4+%FF", "iso-8859-15", "€ ÿ"),
        ("STOP%00", "no-such", "STOP"),
        ("%FF", "UTF-8", "\ufffd"),
        ("%2B2AA-stop", "utf-7", "stop"),
    ],
)
async def test_a_text_comes_by_the_address_with_the_token(written: str, charset: str, text: str) -> None:
    call = called(text_call(written, charset))

    assert await make_kannel().verify(call)
    (told,) = make_kannel().parse(call)
    assert told == Inbound(
        event_id="abc",
        sender="+33612345678",
        recipient="+33700000000",
        text=text,
        sent_at=datetime.fromtimestamp(1795343815, UTC),
    )


async def test_without_its_token_no_text_is_believed() -> None:
    token = ADDRESS.rpartition("=")[2]
    calls = [text_call("STOP", token=wrong) for wrong in ("", "wrong", token, TOKEN[:-1], "é")]

    assert [await make_kannel().verify(called(url)) for url in calls] == [False] * 5
    assert not await make_kannel(inbound_token=None).verify(called(text_call("STOP", token="")))
    with pytest.raises(InvalidRequest):
        make_kannel().parse(called(f"{CALLBACK}?token={TOKEN}"))
