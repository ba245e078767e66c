"""SendGrid, held to the kit, and to its own package for what it sends and what it believes."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook
from sendgrid.helpers.mail import (
    Attachment as SdkAttachment,
)
from sendgrid.helpers.mail import (
    ClickTracking,
    Content,
    CustomArg,
    From,
    Header,
    Mail,
    OpenTracking,
    SubscriptionTracking,
    To,
    TrackingSettings,
)

from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Attachment, EmailContent, Outcome
from gateway.domain.preferences import SuppressionReason
from gateway.domain.receipts import Reaction
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from gateway.ports import Fitness, WebhookRequest
from providers.conformance.fault_server import Reply, Request, open_fault_server
from providers.conformance.http_suite import HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope
from providers.conformance.webhook_suite import WebhookSuite
from providers.sendgrid import SendGridProvider, SendGridSettings, mail_body
from tests.fakes import SetClock

API_KEY = "SG.the-key-of-the-shop"
KEY, FORMER_KEY, STRANGER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return base64.b64encode(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()  # fmt: skip


def make_sendgrid(base_url: str = "https://api.sendgrid.com", **changes: Any) -> SendGridProvider:
    given_settings: dict[str, Any] = {
        "api_key": API_KEY, "webhook_public_keys": (public(KEY), public(FORMER_KEY)), "base_url": base_url, **changes
    }  # fmt: skip
    return SendGridProvider("under-test", SendGridSettings(**given_settings), SetClock())


def refused(code: int, message: str, field: str | None = None) -> Reply:
    body = {"errors": [{"message": message, "field": field, "help": None}]}
    return Reply(status=code, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode())


class TestSendGrid(HttpProviderSuite):
    channels = frozenset({Channel.EMAIL})
    secrets = (API_KEY,)
    taken = Reply(status=202, headers={"X-Message-Id": "14c5d75ce93"})
    answers: ClassVar = {
        Fault.BAD_ADDRESS: refused(400, "amina.benali@example.org is none.", "personalizations.0.to.0.email"),
        Fault.BAD_CONTENT: refused(400, "The content value must be a string of amina.benali", "content.0.value"),
        Fault.BAD_CREDENTIALS: refused(401, "The provided authorization grant is invalid, expired, or revoked"),
        Fault.THROTTLED: refused(429, "too many requests"),
        Fault.TRANSIENT: refused(500, "internal error for amina.benali@example.org"),
    }

    def make(self, base_url: str) -> SendGridProvider:
        return make_sendgrid(base_url)

    def delivery_id_in(self, request: Request) -> str:
        return str(json.loads(request.body)["custom_args"]["delivery_id"])


@pytest.mark.parametrize("sender", ["Shop <shop@example.com>", "shop@example.com"])
def test_a_body_is_what_sendgrids_own_package_builds(sender: str) -> None:
    content = EmailContent(
        subject="Grüße 👋",
        preheader="",
        html="<p>Hi</p>",
        text="Hi",
        locale="de",
        headers=(("List-Unsubscribe", "<https://gateway.example/u/1>"),),
    )
    files = (
        Attachment(filename="Rechnung.pdf", content_type="application/pdf", content=b"%PDF"),
        Attachment(filename="logo.png", content_type="image/png", content=b"\x89PNG", inline_id="logo"),
    )
    envelope = make_envelope(sender=sender, content=content, attachments=files)
    mail = Mail(
        from_email=From("shop@example.com", "Shop" if "<" in sender else None),
        to_emails=To("amina.benali@example.org"),
        subject="Grüße 👋",
    )
    mail.content = [Content("text/plain", "Hi"), Content("text/html", "<p>Hi</p>")]
    mail.header = [
        Header("List-Unsubscribe", "<https://gateway.example/u/1>"),
        Header("Content-Language", "de"),
        Header("Message-ID", envelope.message_id_header),
    ]
    mail.custom_arg = [CustomArg("delivery_id", envelope.delivery_id), CustomArg("attempt_id", "att_1")]
    tracking = TrackingSettings()
    tracking.click_tracking = ClickTracking(False, False)
    tracking.open_tracking = OpenTracking(False)
    tracking.subscription_tracking = SubscriptionTracking(False)
    mail.tracking_settings = tracking
    mail.attachment = [
        SdkAttachment("JVBERg==", "Rechnung.pdf", "application/pdf", "attachment"),
        SdkAttachment("iVBORw==", "logo.png", "image/png", "inline", "logo"),
    ]

    theirs, ours = mail.get(), mail_body(envelope, content)

    # Their package puts attachments in the other order.
    for body in (theirs, ours):
        body["attachments"].sort(key=lambda one: one["filename"])
    assert ours == theirs


@given(st.text(alphabet="a\r\n\0\x0b\x85\u2028:", max_size=20))
def test_no_line_of_a_header_can_be_added(text: str) -> None:
    content = EmailContent(
        subject=f"Hi{text}", preheader="", html="", text="Hi", locale="en", headers=(("List-Unsubscribe", text),)
    )
    files = (Attachment(filename=text, content_type="text/plain", content=b""),)

    body = mail_body(
        make_envelope(sender=f"Shop{text} <shop@example.com>", content=content, attachments=files), content
    )

    said = [body["subject"], body["headers"]["List-Unsubscribe"], body["from"].get("name", "")]
    assert [
        one for one in [*said, body["attachments"][0]["filename"]] if len(one.splitlines()) > 1 or "\0" in one
    ] == []
    assert body["from"]["email"] == "shop@example.com"


async def test_the_id_of_the_answer_is_kept_and_the_key_goes_in_its_header() -> None:
    async with open_fault_server(TestSendGrid.taken) as server:
        provider = make_sendgrid(server.url)
        result = await provider.send(make_envelope())
        await provider.aclose()

        assert (result.outcome, result.provider_message_id) == (Outcome.SENT, "14c5d75ce93")
        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/v3/mail/send")
        assert request.headers["authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(status=202), Outcome.SENT),
        (Reply(status=202, body=b"<html>"), Outcome.UNKNOWN),
        (Reply(status=200), Outcome.UNKNOWN),
        (refused(413, "too large"), Outcome.REJECTED),
        (refused(403, "The from address does not match a verified Sender Identity.", "from"), Outcome.MISCONFIGURED),
    ],
)
async def test_each_answer_has_its_outcome(reply: Reply, outcome: Outcome) -> None:
    async with open_fault_server(reply) as server:
        provider = make_sendgrid(server.url)
        result = await provider.send(make_envelope())
        await provider.aclose()

        assert result.outcome is outcome


async def test_a_probe_sends_nothing() -> None:
    async with open_fault_server(Reply(body=b'{"scopes": ["mail.send"]}')) as server:
        provider = make_sendgrid(server.url)
        found = [await provider.health()]
        server.manner = refused(401, "revoked")
        found.append(await provider.health())
        await provider.aclose()

        assert [one.fitness for one in found] == [Fitness.OK, Fitness.MISCONFIGURED]
        assert {request.target for request in server.requests} == {"/v3/scopes"}


def posted(body: bytes, key: ec.EllipticCurvePrivateKey = KEY, at: datetime = AT) -> WebhookRequest:
    timestamp = str(int(at.timestamp()))
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    headers = {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": timestamp,
    }
    return WebhookRequest(url="https://gateway.example/webhooks/sendgrid", headers=headers, body=body, received_at=at)


def event(word: str, number: int = 1, **further: object) -> dict[str, object]:
    return {
        "email": "amina.benali@example.org",
        "timestamp": 1_763_800_000 + number,
        "event": word,
        "sg_event_id": f"event-{number}-{word}",
        "sg_message_id": "14c5d75ce93.filterdrecv-1.2",
        "delivery_id": "dlv_1",
        "attempt_id": "att_1",
        **further,
    }


def batch(*events: Mapping[str, object] | object) -> WebhookRequest:
    # As SendGrid ends its bodies.
    return posted(json.dumps(events).encode() + b"\r\n")


class TestSendGridEvents(WebhookSuite):
    channel = Channel.EMAIL
    ends = DeliveryStatus.UNDELIVERED
    signature_headers = ("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp")
    forgets_after = timedelta(hours=25)

    def receiver(self) -> SendGridProvider:
        return make_sendgrid()

    def story(self) -> Sequence[WebhookRequest]:
        # A relay said 250 and bounced later.
        return [
            batch(event("processed"), event("deferred", 2, response="450 busy, amina.benali@example.org")),
            batch(event("delivered", 3, response="250 OK")),
            batch(event("open", 4, useragent="Mozilla/5.0")),
            batch(event("bounce", 5, type="bounce", status="5.1.1", reason="550 5.1.1 amina.benali unknown")),
        ]

    def oddities(self) -> Sequence[WebhookRequest]:
        return [
            batch(event("levitated", new={"member": 1})),
            batch({**event("Processed"), "timestamp": "1513299569"}),
            batch(None, 1, [], event("delivered"), {}),
            batch({"event": ["x"], "sg_event_id": 7, "timestamp": True, "status": {}, "delivery_id": None}),
        ]

    def rotated(self) -> Sequence[WebhookRequest]:
        return [posted(b"[]", key) for key in (KEY, FORMER_KEY)]

    def sign(self, body: bytes) -> WebhookRequest:
        return posted(body)

    def hidden(self) -> tuple[str, ...]:
        return ("amina.benali",)


@pytest.mark.parametrize(
    ("told", "evidence", "reaction", "suppress"),
    [
        (event("processed"), Evidence.TAKEN, None, None),
        (event("deferred"), Evidence.TAKEN, None, None),
        (event("delivered"), Evidence.DELIVERED, None, None),
        (event("bounce", type="bounce", status="5.1.1"), Evidence.BOUNCED, None, SuppressionReason.BOUNCE),
        (event("bounce", status="5.0.0"), Evidence.BOUNCED, None, SuppressionReason.BOUNCE),
        (event("bounce", type="bounce", status="5.7.1"), Evidence.BOUNCED, None, None),
        (event("bounce", type="bounce", status="5.2.2"), Evidence.UNDELIVERED, None, None),
        (event("bounce", type="bounce", status="4.4.7"), Evidence.UNDELIVERED, None, None),
        (event("bounce", type="blocked", status="5.7.1"), Evidence.UNDELIVERED, None, None),
        (event("dropped", reason="Bounced Address"), Evidence.BOUNCED, None, SuppressionReason.BOUNCE),
        (event("dropped", reason="Invalid"), Evidence.BOUNCED, None, SuppressionReason.BOUNCE),
        (event("dropped", reason="Spam Reporting Address"), Evidence.BOUNCED, None, SuppressionReason.COMPLAINT),
        (event("dropped", reason="Unsubscribed Address"), Evidence.BOUNCED, Reaction.UNSUBSCRIBED, None),
        (event("dropped", reason="Spam Content"), Evidence.BOUNCED, None, None),
        (event("open"), Evidence.DELIVERED, Reaction.OPENED, None),
        (event("click"), Evidence.DELIVERED, Reaction.CLICKED, None),
        (event("spamreport"), Evidence.DELIVERED, Reaction.COMPLAINED, SuppressionReason.COMPLAINT),
        (event("unsubscribe"), None, Reaction.UNSUBSCRIBED, None),
        (event("group_unsubscribe"), None, Reaction.UNSUBSCRIBED, None),
        (event("group_resubscribe"), None, Reaction.RESUBSCRIBED, None),
        (event("levitated"), None, None, None),
    ],
)
def test_each_event_has_its_meaning(
    told: dict[str, object],
    evidence: Evidence | None,
    reaction: Reaction | None,
    suppress: SuppressionReason | None,
) -> None:
    (receipt,) = make_sendgrid().parse(batch(told))

    assert (receipt.evidence, receipt.reaction, receipt.suppress) == (evidence, reaction, suppress)
    assert (receipt.delivery_id, receipt.attempt_id) == ("dlv_1", "att_1")
    assert receipt.provider_message_id == "14c5d75ce93"
    assert receipt.at == datetime.fromtimestamp(1_763_800_001, UTC)


@settings(max_examples=20)
@given(st.text(max_size=60), st.booleans())
async def test_we_believe_what_sendgrids_own_package_believes(text: str, genuine: bool) -> None:
    body = text.encode("utf-8", "replace")
    call = posted(body, KEY if genuine else STRANGER)
    oracle = EventWebhook(public(KEY))
    headers = [call.headers[name] for name in TestSendGridEvents.signature_headers]

    assert await make_sendgrid().verify(call) == oracle.verify_signature(body.decode(), *headers)


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", public(rsa.generate_private_key(65537, 2048))])
def test_a_key_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"providers\.under-test\.webhook_public_keys: .* is no "):
        make_sendgrid(webhook_public_keys=(text,))


async def test_without_a_key_no_call_is_believed() -> None:
    assert not await make_sendgrid(webhook_public_keys=()).verify(posted(b"[]"))
