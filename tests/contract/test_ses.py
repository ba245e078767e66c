"""Amazon SES, held to the kit, and to AWS's own package for what it sends and how it signs.

What SNS signs is written down here once more, from its documentation; moto's is among the peers of `run.py peers`.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.session import Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Outcome
from gateway.domain.preferences import SuppressionReason
from gateway.domain.receipts import Reaction
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError, InvalidRequest, Unavailable
from gateway.ports import Fitness, WebhookRequest
from providers.aws_signature import Signer
from providers.conformance.fault_server import FaultServer, Mishap, Reply, Request, open_fault_server
from providers.conformance.http_suite import HTTP_FAULTS, HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope
from providers.conformance.webhook_suite import WebhookSuite
from providers.ses import SesProvider, SesSettings, send_body
from tests.fakes import SetClock

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-events"
PEM = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CERTIFICATE = f"https://sns.eu-west-1.amazonaws.com/{PEM}"
AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
MESSAGE = "0107018b-1234"


@cache
def rsa_key(which: str) -> rsa.RSAPrivateKey:
    """One of SNS's keys; `stranger` is nobody's."""
    return rsa.generate_private_key(65537, 2048)


class KeyRing:
    """The keys of SNS, without fetching them."""

    async def key(self, origin: str, path: str, at: datetime) -> rsa.RSAPublicKey | None:
        return rsa_key("sns").public_key() if f"{origin}{path}" == CERTIFICATE else None


def make_ses(base_url: str | None = "http://127.0.0.1:1", **changes: Any) -> SesProvider:
    given_settings: dict[str, Any] = {
        "region": "eu-west-1", "access_key_id": KEY_ID, "secret_access_key": SECRET, "topic_arns": (TOPIC,),
        "base_url": base_url, **changes,
    }  # fmt: skip
    return SesProvider("under-test", SesSettings(**given_settings), SetClock(), KeyRing())


def error(status: int, name: str, message: str) -> Reply:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/"}
    return Reply(status=status, headers=headers, body=json.dumps({"message": message}).encode())


TAKEN = Reply(headers={"Content-Type": "application/json"}, body=json.dumps({"MessageId": MESSAGE}).encode())


class TestSes(HttpProviderSuite):
    channels = frozenset({Channel.EMAIL})
    # SES takes what is well-formed and tells bad addresses by its events.
    faults = HTTP_FAULTS - {Fault.BAD_ADDRESS}
    secrets = (SECRET,)
    taken = TAKEN
    answers: ClassVar = {
        Fault.BAD_CONTENT: error(400, "MessageRejected", "Transaction failed: amina.benali@example.org"),
        Fault.BAD_CREDENTIALS: error(403, "UnrecognizedClientException", "The security token is invalid."),
        Fault.THROTTLED: error(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
        Fault.TRANSIENT: error(500, "InternalServerErrorException", "amina.benali"),
    }

    def make(self, base_url: str) -> SesProvider:
        return make_ses(base_url)

    def delivery_id_in(self, request: Request) -> str:
        return str(json.loads(request.body)["EmailTags"][0]["Value"])


def test_a_call_is_what_awss_own_package_builds_and_signs() -> None:
    envelope = make_envelope()
    assert envelope.mime is not None
    caught: list[Any] = []

    def catch(request: Any, **_: object) -> AWSResponse:
        caught.append(request)
        return AWSResponse(request.url, 200, {}, type("Raw", (), {"stream": lambda *_, **__: [b"{}"]})())

    session = Session()
    session.set_credentials(KEY_ID, SECRET)
    client = session.create_client("sesv2", region_name="eu-west-1")
    client.meta.events.register("before-send.sesv2", catch)
    client.send_email(
        Destination={"ToAddresses": [envelope.to]},
        Content={"Raw": {"Data": envelope.mime}},
        EmailTags=[
            {"Name": "delivery_id", "Value": envelope.delivery_id}, {"Name": "attempt_id", "Value": "att_1"}
        ],
        ConfigurationSetName="events",
    )  # fmt: skip

    ours = send_body(envelope, envelope.mime, "events")

    (theirs,) = caught
    assert (theirs.method, theirs.url) == ("POST", "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails")
    assert json.loads(theirs.body) == ours
    at = datetime.strptime(theirs.headers["X-Amz-Date"].decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    kind = {"Content-Type": theirs.headers["Content-Type"].decode()}
    signed = signer().sign("POST", theirs.url, kind, theirs.body, at)
    assert signed["Authorization"] == theirs.headers["Authorization"].decode()


def signer() -> Signer:
    return Signer(access_key_id=KEY_ID, secret_access_key=SECRET, region="eu-west-1", service="ses")


@settings(max_examples=25)
@given(
    st.sampled_from(["http://127.0.0.1:4566", "https://a.example", "https://a.example:443", "http://A.example:80"]),
    st.text(alphabet="a-_~%=+ é", max_size=8),
    st.dictionaries(st.sampled_from(["Content-Type", "X-Amz-Meta"]), st.text(alphabet="a b,;", max_size=8)),
    st.binary(max_size=8),
)
def test_we_sign_as_awss_own_package_signs(base: str, path: str, headers: dict[str, str], body: bytes) -> None:
    url = f"{base}/v2/{''.join(one if one in '-_~a' else '%25' for one in path)}"
    request = AWSRequest("POST", url, headers=dict(headers), data=body)
    SigV4Auth(Credentials(KEY_ID, SECRET), "ses", "eu-west-1").add_auth(request)
    at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    ours = signer().sign("POST", url, headers, body, at)

    assert ours["Authorization"] == request.headers["Authorization"]


async def test_what_is_signed_is_what_is_sent() -> None:
    async with open_fault_server(TAKEN) as server:
        provider = make_ses(server.url, configuration_set="events")
        result = await provider.send(make_envelope())
        await provider.aclose()

        assert (result.outcome, result.provider_message_id) == (Outcome.SENT, MESSAGE)
        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/v2/email/outbound-emails")
        kind = {"Content-Type": request.headers["content-type"]}
        url = f"{server.url}{request.target}"
        assert request.headers["host"] == server.url.removeprefix("http://")
        wanted = signer().sign("POST", url, kind, request.body, SetClock().now())
        assert request.headers["authorization"] == wanted["Authorization"]


@pytest.mark.parametrize(
    ("reply", "outcome", "code", "wait"),
    [
        (error(400, "MessageRejected", "Email address is not verified."), Outcome.MISCONFIGURED,
         "400 MessageRejected/unverified", None),
        (error(400, "BadRequestException", "Illegal address"), Outcome.REJECTED, "400 BadRequestException", None),
        (error(404, "NotFoundException", "No such set"), Outcome.MISCONFIGURED, "404 NotFoundException", None),
        (error(429, "TooManyRequestsException", "Daily message quota exceeded."), Outcome.THROTTLED,
         "429 TooManyRequestsException", 600.0),
        (Reply(status=400, body=b'{"__type": "com.amazon#Throttling", "message": "Rate"}'), Outcome.THROTTLED,
         "400 Throttling", None),
        (error(503, "ServiceUnavailable", ""), Outcome.TRANSIENT, "503 ServiceUnavailable", None),
        (Reply(status=200, body=b"{}"), Outcome.UNKNOWN, "200", None),
    ],
)  # fmt: skip
async def test_each_answer_has_its_outcome(reply: Reply, outcome: Outcome, code: str, wait: float | None) -> None:
    async with open_fault_server(reply) as server:
        provider = make_ses(server.url)
        result = await provider.send(make_envelope())
        await provider.aclose()

        assert (result.outcome, result.code, result.retry_after_seconds) == (outcome, code, wait)


async def test_a_probe_sends_nothing() -> None:
    async with open_fault_server(Reply(body=b'{"SendingEnabled": true}')) as server:
        provider = make_ses(server.url)
        found = [await provider.health()]
        for manner in (Reply(body=b'{"SendingEnabled": false}'), error(403, "AccessDeniedException", "")):
            server.manner = manner
            found.append(await provider.health())
        await provider.aclose()

        assert [one.fitness for one in found] == [Fitness.OK, Fitness.MISCONFIGURED, Fitness.MISCONFIGURED]
        assert {(request.method, request.target) for request in server.requests} == {("GET", "/v2/email/account")}


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us-east-1", "https://email.us-east-1.amazonaws.com"),
        ("cn-north-1", "https://email.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_each_region_has_its_address(region: str, url: str) -> None:
    assert make_ses(region=region, base_url=None)._url == f"{url}/v2/email"


@pytest.mark.parametrize("arn", ["", "mail-events", "arn:aws:sqs:eu-west-1:123456789012:mail-events"])
def test_a_name_that_is_no_topics_stops_the_start(arn: str) -> None:
    with pytest.raises(ConfigurationError, match=r"providers\.under-test\.topic_arns: .* is no ARN of an SNS topic"):
        make_ses(topic_arns=(arn,))


def told(message: str, version: str = "2", by: str = "sns", at: datetime = AT, **members: str) -> WebhookRequest:
    """What SNS posts of a message, signed as its documentation says."""
    document = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **members,
    }
    keys = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
    signed = "".join(f"{key}\n{document[key]}\n" for key in keys if key in document).encode()
    algorithm = SHA1() if version == "1" else SHA256()
    document["Signature"] = base64.b64encode(rsa_key(by).sign(signed, padding.PKCS1v15(), algorithm)).decode()
    return posted(document, at)


def posted(document: Mapping[str, object], at: datetime = AT) -> WebhookRequest:
    headers = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-topic-arn": TOPIC}
    url = "https://gateway.example/webhooks/ses"
    return WebhookRequest(url=url, headers=headers, body=json.dumps(document).encode(), received_at=at)


def event(kind: str, second: int = 1, word: str = "eventType", **particulars: Any) -> str:
    member = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}.get(kind, kind.lower())
    mail = {
        "timestamp": "2026-11-22T07:59:59.000Z",
        "messageId": MESSAGE,
        "destination": ["amina.benali@example.org"],
        "tags": {"delivery_id": ["dlv_1"], "attempt_id": ["att_1"], "ses:configuration-set": ["events"]},
    }
    return json.dumps({word: kind, "mail": mail, member: {"timestamp": f"2026-11-22T08:00:0{second}Z", **particulars}})


def bounce(kind: str, subtype: str, code: str = "5.1.1") -> dict[str, Any]:
    words = f"smtp; 550 {code} amina.benali@example.org unknown"
    recipient = {"emailAddress": "amina.benali@example.org", "status": code, "diagnosticCode": words}
    return {
        "bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": [recipient], "feedbackId": f"{subtype}-1"
    }  # fmt: skip


class TestSesEvents(WebhookSuite):
    channel = Channel.EMAIL
    ends = DeliveryStatus.UNDELIVERED
    signature_headers = ()
    forgets_after = timedelta(hours=25)

    def receiver(self) -> SesProvider:
        return make_ses()

    def story(self) -> Sequence[WebhookRequest]:
        # A relay took it and bounced it later; the bounce comes by both of SES's ways.
        hard = bounce("Permanent", "General")
        return [
            told(event("Send")),
            told(event("DeliveryDelay", 2, delayType="MailboxFull"), version="1"),
            told(event("Delivery", 3, smtpResponse="250 OK")),
            told(event("Bounce", 4, **hard), Subject="Amazon SES Email Event Notification"),
        ]

    def oddities(self) -> Sequence[WebhookRequest]:
        return [
            told(event("Levitation", height=3)),
            told(json.dumps({"notificationType": "Bounce", "mail": [], "bounce": {"bouncedRecipients": [7]}})),
            told(json.dumps({"eventType": "Open", "mail": {"tags": {"delivery_id": "x"}}, "open": []})),
        ]

    def rotated(self) -> Sequence[WebhookRequest]:
        return [told("{}", version=version) for version in ("1", "2")]

    def sign(self, body: bytes) -> WebhookRequest:
        return told(body.decode("utf-8", "replace"))

    def hidden(self) -> tuple[str, ...]:
        return ("amina.benali",)


def test_an_event_that_comes_by_both_of_sess_ways_counts_once() -> None:
    hard = bounce("Permanent", "General")

    first = make_ses().parse(told(event("Bounce", **hard)))
    again = make_ses().parse(told(event("Bounce", word="notificationType", **hard), MessageId="another"))

    assert [one.event_id for one in first] == [one.event_id for one in again]


ON_LIST = "OnAccountSuppressionList"
COMPLAINED = {"complainedRecipients": [{"emailAddress": "amina.benali@example.org"}], "feedbackId": "1"}
BOUNCE, COMPLAINT = SuppressionReason.BOUNCE, SuppressionReason.COMPLAINT


@pytest.mark.parametrize(
    ("kind", "particulars", "evidence", "reaction", "suppress"),
    [
        ("Send", {}, Evidence.TAKEN, None, None),
        ("DeliveryDelay", {"delayType": "SpamDetected"}, Evidence.TAKEN, None, None),
        ("Delivery", {}, Evidence.DELIVERED, None, None),
        ("Reject", {"reason": "Bad content"}, Evidence.BOUNCED, None, None),
        ("Rendering Failure", {}, Evidence.BOUNCED, None, None),
        ("Open", {}, Evidence.DELIVERED, Reaction.OPENED, None),
        ("Click", {}, Evidence.DELIVERED, Reaction.CLICKED, None),
        ("Bounce", bounce("Permanent", "NoEmail"), Evidence.BOUNCED, None, BOUNCE),
        ("Bounce", bounce("Permanent", ON_LIST), Evidence.BOUNCED, None, BOUNCE),
        ("Bounce", bounce("Permanent", "General", "5.7.1"), Evidence.BOUNCED, None, None),
        ("Bounce", bounce("Permanent", "UnsubscribedRecipient"), Evidence.BOUNCED, Reaction.UNSUBSCRIBED, None),
        ("Bounce", bounce("Transient", "MailboxFull", "5.2.2"), Evidence.UNDELIVERED, None, None),
        ("Bounce", bounce("Undetermined", "Undetermined"), Evidence.UNDELIVERED, None, None),
        ("Complaint", COMPLAINED, Evidence.DELIVERED, Reaction.COMPLAINED, COMPLAINT),
        ("Complaint", {**COMPLAINED, "complaintFeedbackType": "not-spam"}, Evidence.DELIVERED, None, None),
        ("Complaint", {**COMPLAINED, "complaintSubType": ON_LIST}, Evidence.BOUNCED, None, COMPLAINT),
        ("Levitation", {}, None, None, None),
    ],
)  # fmt: skip
def test_each_event_has_its_meaning(
    kind: str,
    particulars: dict[str, Any],
    evidence: Evidence | None,
    reaction: Reaction | None,
    suppress: SuppressionReason | None,
) -> None:
    (receipt,) = make_ses().parse(told(event(kind, **particulars)))

    assert (receipt.evidence, receipt.reaction, receipt.suppress) == (evidence, reaction, suppress)
    assert (receipt.delivery_id, receipt.attempt_id, receipt.provider_message_id) == ("dlv_1", "att_1", MESSAGE)
    assert receipt.at == AT + timedelta(seconds=1)


@pytest.mark.parametrize(
    "members",
    [
        {"TopicArn": "arn:aws:sns:eu-west-1:210987654321:mail-events"},
        {"SigningCertURL": f"https://sns.eu-west-1.amazonaws.com.evil.example/{PEM}"},
        {"SigningCertURL": f"http://sns.eu-west-1.amazonaws.com/{PEM}"},
        {"SigningCertURL": f"https://sns.us-east-1.amazonaws.com/{PEM}"},
        {"SigningCertURL": f"https://sns.eu-west-1.amazonaws.com@evil.example/{PEM}"},
        {"SigningCertURL": f"https://sns.eu-west-1.amazonaws.com/x/../{PEM}"},
        {"SigningCertURL": f"{CERTIFICATE}?a=b"},
        {"SigningCertURL": CERTIFICATE.replace("0123", "4567")},
        {"SigningCertURL": PEM},
        {"Type": "Something"},
        {"by": "stranger"},
        {"version": "3"},
    ],
    ids=str,
)
async def test_a_signature_is_believed_with_a_key_of_snss_own_alone(members: dict[str, Any]) -> None:
    call = told(event("Delivery"), **members)

    assert not await make_ses().verify(call)


async def test_a_call_by_a_topic_of_another_account_fetches_nothing() -> None:
    async with open_fault_server(Reply(status=500)) as server:
        provider = SesProvider("under-test", ses_settings(server.url), SetClock())
        believed = await provider.verify(told("{}", TopicArn=TOPIC.replace("mail", "other")))
        await provider.aclose()

        assert (believed, server.requests) == (False, [])


def ses_settings(sns_url: str) -> SesSettings:
    return SesSettings(
        region="eu-west-1", access_key_id=KEY_ID, secret_access_key=SECRET, topic_arns=(TOPIC,), sns_url=sns_url
    )


def certificate(until: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    key = rsa_key("sns")
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(until - timedelta(days=400)).not_valid_after(until).sign(key, SHA256())
    )  # fmt: skip
    return made.public_bytes(Encoding.PEM)


async def asked(server: FaultServer, *calls: WebhookRequest) -> list[bool | str]:
    """What a provider that fetches its certificates there makes of the calls."""
    provider = SesProvider("under-test", ses_settings(server.url), SetClock())
    found: list[bool | str] = []
    for call in calls:
        try:
            found.append(await provider.verify(call))
        except Unavailable as error:
            found.append(error.code)
    await provider.aclose()
    return found


async def test_a_certificate_is_fetched_once_from_sns_and_no_longer_than_it_holds() -> None:
    calls = [told("{}", at=AT + timedelta(hours=hours)) for hours in (0, 1, 3)]

    async with open_fault_server(Reply(body=certificate(AT + timedelta(hours=2)))) as server:
        found = await asked(server, *calls)

        assert found == [True, True, False]
        assert [request.target for request in server.requests] == [f"/{PEM}"]


@pytest.mark.parametrize(
    ("manner", "found"),
    [
        (Reply(status=503), "unavailable"),
        (Mishap.RESET_AFTER_BODY, "unavailable"),
        (Reply(status=404), False),
        (Reply(body=b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"), False),
        (Reply(status=302, headers={"Location": "https://evil.example/"}), False),
    ],
    ids=str,
)
async def test_without_its_certificate_a_call_is_put_off_or_refused(manner: Any, found: bool | str) -> None:
    async with open_fault_server(manner) as server:
        assert await asked(server, told("{}")) == [found]


async def test_while_sns_is_silent_calls_are_put_off_without_asking_it_for_each() -> None:
    async with open_fault_server(Reply(status=503)) as server:
        found = await asked(server, *[told("{}")] * 5)

        assert found == ["unavailable"] * 5
        assert len(server.requests) == 1


def subscription(at: datetime = AT) -> WebhookRequest:
    return told(
        "You have chosen to subscribe to the topic.",
        at=at,
        Type="SubscriptionConfirmation",
        Token="token-1",
        SubscribeURL="https://evil.example/",
    )


async def test_a_subscription_is_confirmed_at_sns_and_tells_nothing() -> None:
    async with open_fault_server(Reply(body=b"<ConfirmSubscriptionResponse/>")) as server:
        provider = SesProvider("under-test", ses_settings(server.url), SetClock(), KeyRing())
        call = subscription()

        assert await provider.verify(call)
        assert provider.parse(call) == ()
        await provider.confirm(call)
        await provider.confirm(told(event("Delivery")))
        await provider.aclose()

        (request,) = server.requests
        query = parse_qs(request.target.partition("?")[2])
        assert query == {"Action": ["ConfirmSubscription"], "TopicArn": [TOPIC], "Token": ["token-1"]}


@pytest.mark.parametrize(("status", "raised"), [(503, Unavailable), (400, InvalidRequest)])
async def test_a_subscription_that_cannot_be_confirmed_is_asked_for_again_or_refused(
    status: int, raised: type[Exception]
) -> None:
    async with open_fault_server(Reply(status=status)) as server:
        provider = SesProvider("under-test", ses_settings(server.url), SetClock(), KeyRing())

        with pytest.raises(raised):
            await provider.confirm(subscription())
        await provider.aclose()
