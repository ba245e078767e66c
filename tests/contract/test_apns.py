"""APNs, held to the kit over real HTTP/2, with and without TLS."""

import asyncio
import json
import uuid
from datetime import timedelta
from typing import Any, ClassVar

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.domain.messages import Envelope, Outcome, PushContent
from gateway.domain.push_payloads import payload
from gateway.domain.recipients import Channel, PushDevice, PushPlatform
from gateway.errors import ConfigurationError
from providers.apns import ApnsProvider, ApnsSettings, apns_id_of
from providers.conformance.fault_server import Manner, Reply, Request, open_fault_server
from providers.conformance.http2_server import Http2FaultServer
from providers.conformance.http_suite import HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope
from tests.factories import NOW
from tests.fakes import SetClock

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
DEVICE = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
TAKEN = Reply(headers={"apns-id": "EC1BF194-B3B2-424A-89A9-5A918A6E6B5E"})


def make_apns(
    base_url: str = "https://api.push.apple.com", clock: SetClock | None = None, **changes: Any
) -> ApnsProvider:
    given: dict[str, Any] = {
        "key": PEM, "key_id": "ABC123DEFG", "team_id": "DEF123GHIJ", "topic": "com.example.shop", **changes
    }  # fmt: skip
    return ApnsProvider("under-test", ApnsSettings(base_url=base_url, **given), clock or SetClock())


def pushed(*tokens: str, **changes: Any) -> Envelope:
    devices = tuple(PushDevice(platform=PushPlatform.APNS, token=one) for one in tokens or (DEVICE,))
    return make_envelope(Channel.PUSH, **{"devices": devices, **changes})


def refused(status: int, reason: str) -> Reply:
    return Reply(status=status, body=json.dumps({"reason": reason}).encode())


class TestApns(HttpProviderSuite):
    channels = frozenset({Channel.PUSH})
    secrets = (PEM[40:80],)
    taken = TAKEN
    answers: ClassVar = {
        Fault.BAD_ADDRESS: Reply(status=410, body=b'{"reason": "Unregistered", "timestamp": 1763800000000}'),
        Fault.BAD_CONTENT: refused(413, "PayloadTooLarge"),
        Fault.BAD_CREDENTIALS: refused(403, "InvalidProviderToken"),
        Fault.THROTTLED: refused(429, "TooManyRequests"),
        Fault.TRANSIENT: refused(503, "ServiceUnavailable"),
    }
    # The library looks at a connection only when it writes to it.
    watches_idle_connections = False
    named: ClassVar[dict[str, str]] = {}
    """The delivery of each `apns-id`, which holds no more than its digest."""

    def make(self, base_url: str) -> ApnsProvider:
        return make_apns(base_url)

    def server(self, manner: Manner) -> Http2FaultServer:
        return Http2FaultServer(manner)

    def envelope(self, channel: Channel, **changes: object) -> Envelope:
        envelope = pushed(**changes) if channel is Channel.PUSH else make_envelope(channel, **changes)
        self.named[apns_id_of(envelope.delivery_id, DEVICE)] = envelope.delivery_id
        return envelope

    def delivery_id_in(self, request: Request) -> str:
        return self.named[request.headers["apns-id"]]


async def test_a_request_says_all_that_apple_wants_to_know() -> None:
    content = PushContent(
        title="Grüße 👋", body="Hi", locale="de", bytes=0, badge=3, collapse_key="order-1", ttl_seconds=60
    )
    async with open_fault_server(Http2FaultServer(TAKEN)) as server:
        provider = make_apns(server.url)
        result = await provider.send(pushed(content=content, expires_at=NOW + timedelta(hours=1)))
        await provider.aclose()

        (request,) = server.requests
        assert (request.method, request.target) == ("POST", f"/3/device/{DEVICE}")
        assert request.body == payload(content, PushPlatform.APNS)
        said = {name: text for name, text in request.headers.items() if name.startswith("apns-")}
        assert str(uuid.UUID(said.pop("apns-id"))) == request.headers["apns-id"]
        assert said == {
            "apns-topic": "com.example.shop",
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": str(int(NOW.timestamp()) + 60),
            "apns-collapse-id": "order-1",
        }
        scheme, token = request.headers["authorization"].split(" ")
        claims = jwt.decode(token, KEY.public_key(), algorithms=["ES256"], options={"verify_iat": False})
        assert (scheme, claims) == ("bearer", {"iss": "DEF123GHIJ", "iat": int(NOW.timestamp())})
        assert jwt.get_unverified_header(token)["kid"] == "ABC123DEFG"
        assert (result.outcome, result.provider_message_id) == (Outcome.SENT, "EC1BF194-B3B2-424A-89A9-5A918A6E6B5E")


@pytest.mark.parametrize("key", ["x" * 65, "Bestellung-№1", " a", "a\n"])
async def test_a_collapse_key_that_no_header_holds_goes_as_its_digest(key: str) -> None:
    content = PushContent(title="Hi", body="Hi", locale="en", bytes=0, collapse_key=key)
    async with open_fault_server(Http2FaultServer(TAKEN)) as server:
        provider = make_apns(server.url)
        await provider.send(pushed(content=content))
        await provider.aclose()

        assert len(server.requests[0].headers["apns-collapse-id"]) == 64


async def test_one_token_serves_for_forty_minutes_and_a_refused_one_until_apple_takes_another() -> None:
    clock = SetClock()
    async with open_fault_server(Http2FaultServer(TAKEN)) as server:
        provider = make_apns(server.url, clock)

        async def sent_after(seconds: float) -> str:
            clock.advance(seconds)
            await provider.send(pushed())
            return server.requests[-1].headers["authorization"]

        first = await sent_after(0)
        same = await sent_after(39 * 60)
        second = await sent_after(60)
        server.manner = refused(403, "ExpiredProviderToken")
        young = [await sent_after(60), await sent_after(60)]
        await sent_after(20 * 60)
        server.manner = TAKEN
        third = await sent_after(1)
        await provider.aclose()

    assert first == same != second
    assert young == [second, second]
    assert third not in (first, second)


async def test_many_requests_share_a_connection_and_after_apple_left_the_next_opens_another() -> None:
    server = Http2FaultServer(TAKEN)
    async with open_fault_server(server):
        provider = make_apns(server.url)
        many = await asyncio.gather(*(provider.send(pushed()) for _ in range(50)))
        server.leaving = True
        left = await provider.send(pushed())
        after = await provider.send(pushed())
        await provider.aclose()

        assert {result.outcome for result in many} == {Outcome.SENT}
        # The request went out, and Apple does not say that it was not read.
        assert left.outcome is Outcome.UNKNOWN
        assert after.outcome is Outcome.SENT
        assert len(server.requests) == 52


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (refused(400, "BadDeviceToken"), Outcome.INVALID_RECIPIENT),
        (refused(410, "ExpiredToken"), Outcome.INVALID_RECIPIENT),
        (refused(400, "DeviceTokenNotForTopic"), Outcome.REJECTED),
        (refused(400, "TopicDisallowed"), Outcome.MISCONFIGURED),
        (refused(403, "ExpiredProviderToken"), Outcome.TRANSIENT),
        (refused(429, "TooManyProviderTokenUpdates"), Outcome.THROTTLED),
        (refused(500, "InternalServerError"), Outcome.TRANSIENT),
        (refused(400, "SomethingNew"), Outcome.REJECTED),
        (Reply(status=500), Outcome.UNKNOWN),
        (Reply(status=200, body=b"{}"), Outcome.UNKNOWN),
    ],
)
async def test_each_reason_has_its_outcome(reply: Reply, outcome: Outcome) -> None:
    async with open_fault_server(Http2FaultServer(reply)) as server:
        provider = make_apns(server.url)
        result = await provider.send(pushed())
        await provider.aclose()

        assert result.outcome is outcome


async def test_each_device_is_one_request() -> None:
    def answer(request: Request) -> Reply:
        return refused(410, "Unregistered") if request.target.endswith("gone") else TAKEN

    async with open_fault_server(Http2FaultServer(answer)) as server:
        provider = make_apns(server.url)
        result = await provider.send(pushed("gone", "here"))
        await provider.aclose()

        assert result.outcome is Outcome.SENT
        assert [(device.status, device.reason) for device in result.devices] == [
            ("invalid_recipient", "410 Unregistered"),
            ("sent", None),
        ]
        assert len({request.headers["apns-id"] for request in server.requests}) == 2


async def test_a_server_without_tls_is_a_wrong_setting() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        provider = make_apns(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        result = await provider.send(pushed())
        await provider.aclose()

        assert (result.outcome, result.code) == (Outcome.MISCONFIGURED, "tls")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        ec.generate_private_key(ec.SECP384R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
    ],
    ids=range(3),
)
def test_a_key_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"providers\.under-test\.key: this is no signing key") as refusal:
        make_apns(key=text)
    assert refusal.value.__cause__ is None
