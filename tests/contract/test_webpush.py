"""Web Push, held to the kit, to the example of RFC 8291, and to a browser's side written from the RFCs."""

import json
from datetime import timedelta
from typing import Any, ClassVar

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.messages import DeviceResult, Envelope, Outcome, PushContent
from gateway.domain.push_payloads import LIMITS, payload
from gateway.domain.recipients import Channel, PushDevice, PushPlatform
from gateway.errors import ConfigurationError
from providers.conformance.fault_server import FaultServer, Reply, Request, open_fault_server
from providers.conformance.http_suite import HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope
from providers.tokens import from_base64url, to_base64url
from providers.webpush import WebPushProvider, WebPushSettings
from providers.webpush_encryption import BrowserKeys, encrypt, public_bytes
from tests.factories import NOW
from tests.fakes import SetClock

VAPID = ec.generate_private_key(ec.SECP256R1())
VAPID_TEXT = to_base64url(VAPID.private_numbers().private_value.to_bytes(32))
BROWSER, AUTH = ec.generate_private_key(ec.SECP256R1()), bytes(range(16))
TAKEN = Reply(status=201, headers={"Location": "/m/1"})


def make_webpush(**changes: Any) -> WebPushProvider:
    given_settings: dict[str, Any] = {
        "vapid_private_key": VAPID_TEXT,
        "subject": "mailto:ops@example.com",
        "allow_private_endpoints": ("127.0.0.1",),
        **changes,
    }
    return WebPushProvider("under-test", WebPushSettings(**given_settings), SetClock())


def browser(endpoint: str, **keys: str) -> PushDevice:
    given_keys = {"p256dh": to_base64url(public_bytes(BROWSER)), "auth": to_base64url(AUTH), **keys}
    return PushDevice(platform=PushPlatform.WEBPUSH, subscription={"endpoint": endpoint, "keys": {**given_keys}})


def pushed(server: FaultServer, *devices: PushDevice, **changes: Any) -> Envelope:
    return make_envelope(Channel.PUSH, devices=devices or (browser(f"{server.url}/push/1"),), **changes)


def read(body: bytes) -> bytes:
    """What the browser makes of it: the other side of RFC 8188 and RFC 8291, by the library's own HKDF."""
    salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
    theirs = body[21 : 21 + length]
    assert len(body) - 21 - length <= size
    shared = BROWSER.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    info = b"WebPush: info\0" + public_bytes(BROWSER) + theirs
    secret = HKDF(SHA256(), 32, AUTH, info).derive(shared)
    key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
    nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
    padded = AESGCM(key).decrypt(nonce, body[21 + length :], None).rstrip(b"\0")
    assert padded.endswith(b"\x02")
    return padded[:-1]


class TestWebPush(HttpProviderSuite):
    channels = frozenset({Channel.PUSH})
    secrets = (VAPID_TEXT, "secret-of-the-browser")
    taken = TAKEN
    answers: ClassVar = {
        Fault.BAD_ADDRESS: Reply(status=410, body=b'{"errno": 106, "message": "gone"}'),
        Fault.BAD_CONTENT: Reply(status=413),
        Fault.BAD_CREDENTIALS: Reply(status=403, body=b'{"reason": "BadJwtToken"}'),
        Fault.THROTTLED: Reply(status=429),
        Fault.TRANSIENT: Reply(status=503, body=b'{"errno": 202, "message": "Use exponential back-off"}'),
    }

    def make(self, base_url: str) -> WebPushProvider:
        self.endpoint = f"{base_url}/push/secret-of-the-browser"
        return make_webpush()

    def envelope(self, channel: Channel, **changes: object) -> Envelope:
        devices = (browser(getattr(self, "endpoint", "https://push.example/secret-of-the-browser")),)
        return make_envelope(channel, **{"devices": devices, **changes})

    def delivery_id_in(self, request: Request) -> str:
        return request.headers["topic"]


def test_the_example_of_the_rfc_comes_out() -> None:
    """RFC 8291, section 5 and appendix A."""
    private = int.from_bytes(from_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
    keys = BrowserKeys(
        public=from_base64url(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        secret=from_base64url("BTBZMqHH6r4Tts7J_aSIgg"),
    )

    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        keys,
        ours=ec.derive_private_key(private, ec.SECP256R1()),
        salt=from_base64url("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    assert to_base64url(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@settings(max_examples=25)
@given(st.binary(max_size=LIMITS[PushPlatform.WEBPUSH]))
def test_the_browser_reads_what_was_meant_and_the_body_is_within_the_limit(plaintext: bytes) -> None:
    body = encrypt(plaintext, BrowserKeys(public=public_bytes(BROWSER), secret=AUTH))

    assert read(body) == plaintext
    assert len(body) <= 4096


async def test_the_browser_gets_what_was_measured_signed_for_its_own_push_service() -> None:
    content = PushContent(title="Grüße 👋", body="Hi", locale="de", bytes=0, collapse_key="order-1", ttl_seconds=60)
    async with open_fault_server(TAKEN) as server:
        provider = make_webpush()
        result = await provider.send(pushed(server, content=content, expires_at=NOW + timedelta(hours=1)))
        await provider.aclose()

        (request,) = server.requests
        assert read(request.body) == payload(content, PushPlatform.WEBPUSH)
        assert json.loads(read(request.body))["title"] == "Grüße 👋"
        scheme, token, key = request.headers["authorization"].replace(",", "").split(" ")
        claims = jwt.decode(
            token.removeprefix("t="),
            VAPID.public_key(),
            algorithms=["ES256"],
            audience=server.url,
            options={"verify_exp": False},
        )
        assert (scheme, claims["sub"]) == ("vapid", "mailto:ops@example.com")
        assert timedelta() < timedelta(seconds=claims["exp"] - NOW.timestamp()) <= timedelta(days=1)
        assert from_base64url(key.removeprefix("k=")) == public_bytes(VAPID)
        assert (request.headers["ttl"], request.headers["content-encoding"]) == ("60", "aes128gcm")
        assert len(request.headers["topic"]) == 32
        assert (result.outcome, result.provider_message_id) == (Outcome.SENT, f"{server.url}/m/1")


async def test_one_token_serves_a_push_service_for_hours_and_never_another() -> None:
    async with open_fault_server(TAKEN) as first, open_fault_server(TAKEN) as second:
        clock = SetClock()
        provider = WebPushProvider(
            "under-test",
            WebPushSettings(
                vapid_private_key=VAPID_TEXT, subject="mailto:a@example.com", allow_private_endpoints=("127.0.0.1",)
            ),
            clock,
        )
        for hours in (0, 10, 2):
            clock.advance(hours * 3600)
            await provider.send(pushed(first, browser(f"{first.url}/1"), browser(f"{second.url}/2")))
        await provider.aclose()

        tokens = [[request.headers["authorization"] for request in server.requests] for server in (first, second)]
        for one in tokens:
            assert one[0] == one[1] != one[2]
        assert not set(tokens[0]) & set(tokens[1])


@pytest.mark.parametrize(
    ("left", "ttl_seconds", "ttl"),
    [(3600, None, "3600"), (3600, 60, "60"), (60, 3600, "60"), (90 * 86400, None, str(28 * 86400)), (-5, None, "0")],
)
async def test_a_notification_is_kept_for_a_browser_no_longer_than_it_is_worth(
    left: int, ttl_seconds: int | None, ttl: str
) -> None:
    content = PushContent(title="Hi", body="Hi", locale="en", bytes=0, ttl_seconds=ttl_seconds)
    async with open_fault_server(TAKEN) as server:
        provider = make_webpush()
        await provider.send(pushed(server, content=content, expires_at=NOW + timedelta(seconds=left)))
        await provider.aclose()

        assert server.requests[0].headers["ttl"] == ttl


async def test_each_device_has_its_own_outcome_and_one_reached_is_enough() -> None:
    def answer(request: Request) -> Reply:
        return TAKEN if request.path == "/alive" else Reply(status=404)

    async with open_fault_server(answer) as server:
        provider = make_webpush()
        other = PushDevice(platform=PushPlatform.APNS, token="another-device")
        devices = (browser(f"{server.url}/gone"), browser(f"{server.url}/alive"), browser("not-an-address"), other)

        result = await provider.send(pushed(server, *devices))
        alone = [await provider.send(pushed(server, device)) for device in (devices[0], devices[2], other)]
        await provider.aclose()

        assert result.outcome is Outcome.SENT
        assert result.devices == (
            DeviceResult(platform="webpush", status="invalid_recipient", reason="404"),
            DeviceResult(platform="webpush", status="sent", provider_message_id=f"{server.url}/m/1"),
            DeviceResult(platform="webpush", status="invalid_recipient", reason="bad_subscription"),
            DeviceResult(platform="apns", status="skipped", reason="wrong_platform"),
        )
        assert [one.outcome for one in alone] == [
            Outcome.INVALID_RECIPIENT,
            Outcome.INVALID_RECIPIENT,
            Outcome.MISCONFIGURED,
        ]


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.2:9/", "https://169.254.169.254/latest", "https://localhost:9/", "https://[::1]:9/"]
)
async def test_no_inside_address_is_called(endpoint: str) -> None:
    provider = make_webpush(allow_private_endpoints=())
    result = await provider.send(make_envelope(Channel.PUSH, devices=(browser(endpoint),)))
    await provider.aclose()

    assert (result.outcome, result.code) == (Outcome.REJECTED, "unsafe_address")


@pytest.mark.parametrize(
    "keys", [{"p256dh": "AAAA"}, {"auth": ""}, {"auth": "not base64!"}, {"p256dh": to_base64url(b"\x04" + bytes(64))}]
)
async def test_a_subscription_without_its_keys_reaches_nobody(keys: dict[str, str]) -> None:
    provider = make_webpush()
    device = browser("https://push.example/1", **keys)
    result = await provider.send(make_envelope(Channel.PUSH, devices=(device,)))
    await provider.aclose()

    assert (result.outcome, result.code) == (Outcome.INVALID_RECIPIENT, "bad_subscription")


def test_the_key_may_be_pem_and_what_is_none_stops_the_start() -> None:
    make_webpush(vapid_private_key=VAPID.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    other = ec.generate_private_key(ec.SECP384R1())
    wrong = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    for text in ("", "AAAA", "not base64!", to_base64url(bytes(32)), wrong, "-----BEGIN"):
        with pytest.raises(
            ConfigurationError, match=r"providers\.under-test\.vapid_private_key: .* no private key"
        ) as no:
            make_webpush(vapid_private_key=text)
        assert no.value.__cause__ is None


@pytest.mark.parametrize(
    ("place", "known"),
    [("/m/1", True), ("m/1", True), ("", False), ("https://elsewhere.example/m/1", False), ("http://[", False)],
    ids=["path", "beside", "none", "another service", "no address"],
)
async def test_a_message_is_known_by_its_own_address_at_its_own_service(place: str, known: bool) -> None:
    async with open_fault_server(Reply(status=201, headers={"Location": place} if place else {})) as server:
        provider = make_webpush()
        result = await provider.send(pushed(server))
        await provider.aclose()

    assert result.outcome is Outcome.SENT
    assert (result.provider_message_id is not None) is known


@pytest.mark.parametrize(("status", "taken_back"), [(204, True), (404, False), (503, False)])
async def test_a_message_is_taken_back_until_the_browser_has_it(status: int, taken_back: bool) -> None:
    async with open_fault_server(TAKEN) as server:
        provider = make_webpush()
        sent = await provider.send(pushed(server))
        server.manner = Reply(status=status)

        told = await provider.cancel(sent.provider_message_id or "")
        inside = await provider.cancel("http://10.0.0.1/m/1")
        await provider.aclose()

        assert (told, inside) == (taken_back, False)
        assert (server.requests[1].method, server.requests[1].path) == ("DELETE", "/m/1")
        assert server.requests[1].headers["authorization"].startswith("vapid t=")
        assert len(server.requests) == 2
