"""FCM, held to the kit, and to a Google that checks the account's assertion."""

import asyncio
import json
from datetime import timedelta
from typing import Any, ClassVar

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.domain.messages import Envelope, Outcome, PushContent
from gateway.domain.recipients import Channel, PushDevice, PushPlatform
from gateway.errors import ConfigurationError
from gateway.ports import Fitness
from providers.conformance.fault_server import FaultServer, Mishap, Reply, Request, open_fault_server
from providers.conformance.http_suite import HttpProviderSuite
from providers.conformance.suite import Fault, make_envelope
from providers.fcm import FcmProvider, FcmSettings
from tests.factories import NOW
from tests.fakes import SetClock

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
TAKEN = Reply(body=b'{"name": "projects/shop/messages/0:1"}')
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


def key_file(base_url: str, **changes: object) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "shop",
            "private_key_id": "key-1",
            "private_key": PEM,
            "client_email": "heliograph@shop.iam.gserviceaccount.com",
            "token_uri": f"{base_url}/token",
            **changes,
        }
    )


def make_fcm(base_url: str, clock: SetClock | None = None) -> FcmProvider:
    settings = FcmSettings(service_account=key_file(base_url), base_url=base_url)
    return FcmProvider("under-test", settings, clock or SetClock())


def token(value: str = "ya29.token-of-the-hour", lasts: int = 3599) -> Reply:
    return Reply(body=json.dumps({"access_token": value, "expires_in": lasts, "token_type": "Bearer"}).encode())


def refused(code: int, status: str, message: str, *details: dict[str, object]) -> Reply:
    error = {"code": code, "message": message, "status": status, "details": details}
    return Reply(status=code, body=json.dumps({"error": error}).encode())


def fcm_error(code: str) -> dict[str, object]:
    return {"@type": FCM_ERROR, "errorCode": code}


def violation(field: str) -> dict[str, object]:
    return {"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": "Invalid"}]}


class TestFcm(HttpProviderSuite):
    channels = frozenset({Channel.PUSH})
    secrets = ("ya29.token-of-the-hour", PEM[40:80])
    taken = TAKEN
    answers: ClassVar = {
        Fault.BAD_ADDRESS: refused(404, "NOT_FOUND", "device-token-1 was not found.", fcm_error("UNREGISTERED")),
        Fault.BAD_CONTENT: refused(400, "INVALID_ARGUMENT", "Bad for device-token-1", violation("message.data")),
        Fault.BAD_CREDENTIALS: refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        Fault.THROTTLED: refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded", fcm_error("QUOTA_EXCEEDED")),
        Fault.TRANSIENT: refused(503, "UNAVAILABLE", "The service is unavailable", fcm_error("UNAVAILABLE")),
    }

    def make(self, base_url: str) -> FcmProvider:
        return make_fcm(base_url)

    def aside(self, announced: Request) -> Reply | None:
        return token() if announced.path == "/token" else None

    def delivery_id_in(self, request: Request) -> str:
        return str(json.loads(request.body)["message"]["data"]["delivery_id"])


async def test_a_message_says_all_that_there_is_in_the_names_of_the_api() -> None:
    content = PushContent(
        title="Grüße 👋",
        body="Hi",
        locale="de",
        bytes=0,
        action="https://shop.example/1",
        image="https://shop.example/1.png",
        badge=3,
        collapse_key="order-1",
        ttl_seconds=60,
    )
    async with open_fault_server(FaultServer(TAKEN, TestFcm().aside)) as server:
        provider = make_fcm(server.url)
        envelope = make_envelope(Channel.PUSH, content=content, expires_at=NOW + timedelta(hours=1))
        result = await provider.send(envelope)
        await provider.aclose()

        (request,) = server.requests
        assert (request.method, request.target) == ("POST", "/v1/projects/shop/messages:send")
        assert request.headers["authorization"] == "Bearer ya29.token-of-the-hour"
        assert json.loads(request.body) == {
            "message": {
                "token": "device-token-1",
                "notification": {"title": "Grüße 👋", "body": "Hi", "image": "https://shop.example/1.png"},
                "data": {"url": "https://shop.example/1", "delivery_id": envelope.delivery_id},
                "android": {"ttl": "60s", "collapseKey": "order-1"},
                "apns": {
                    "headers": {"apns-expiration": str(int(NOW.timestamp()) + 60), "apns-collapse-id": "order-1"},
                    "payload": {"aps": {"badge": 3}},
                },
                "webpush": {"headers": {"TTL": "60"}},
            }
        }
        assert (result.outcome, result.provider_message_id) == (Outcome.SENT, "projects/shop/messages/0:1")
        assert [device.status for device in result.devices] == ["sent"]


async def test_a_payload_that_fills_its_limit_goes_without_our_id() -> None:
    content = PushContent(title="Hi", body="x" * 4050, locale="en", bytes=0)
    async with open_fault_server(FaultServer(TAKEN, TestFcm().aside)) as server:
        provider = make_fcm(server.url)
        await provider.send(make_envelope(Channel.PUSH, content=content))
        await provider.aclose()

        assert "data" not in json.loads(server.requests[0].body)["message"]


async def test_one_token_serves_all_calls_of_an_hour_and_is_asked_for_as_google_wants_it() -> None:
    issued: list[dict[str, str]] = []

    def answer(request: Request) -> Reply:
        if request.path != "/token":
            return TAKEN
        issued.append(request.form)
        return token(f"token-{len(issued)}")

    clock = SetClock()
    async with open_fault_server(answer) as server:
        provider = make_fcm(server.url, clock)
        await asyncio.gather(*(provider.send(make_envelope(Channel.PUSH)) for _ in range(20)))
        clock.advance(3298)
        await provider.send(make_envelope(Channel.PUSH))
        assert len(issued) == 1
        clock.advance(2)
        await provider.send(make_envelope(Channel.PUSH))
        await provider.aclose()

    assert len(issued) == 2
    assert issued[0]["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        issued[0]["assertion"],
        KEY.public_key(),
        algorithms=["RS256"],
        audience="https://oauth2.googleapis.com/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == "heliograph@shop.iam.gserviceaccount.com"
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert (claims["iat"], claims["exp"] - claims["iat"]) == (int(NOW.timestamp()), 3600)
    assert jwt.get_unverified_header(issued[0]["assertion"])["kid"] == "key-1"


async def test_a_token_that_is_refused_is_not_used_again() -> None:
    issued = iter(["first", "second"])

    def answer(request: Request) -> Reply:
        if request.path == "/token":
            return token(next(issued))
        return TAKEN if request.headers["authorization"] == "Bearer second" else TestFcm.answers[Fault.BAD_CREDENTIALS]

    async with open_fault_server(answer) as server:
        provider = make_fcm(server.url)
        results = [await provider.send(make_envelope(Channel.PUSH)) for _ in range(2)]
        await provider.aclose()

        assert [result.outcome for result in results] == [Outcome.MISCONFIGURED, Outcome.SENT]


@pytest.mark.parametrize(
    ("manner", "outcome", "fitness"),
    [
        (Reply(status=400, body=b'{"error": "invalid_grant"}'), Outcome.MISCONFIGURED, Fitness.MISCONFIGURED),
        (Reply(status=503), Outcome.TRANSIENT, Fitness.DOWN),
        (Reply(status=429), Outcome.TRANSIENT, Fitness.DOWN),
        (Reply(body=b"<html>"), Outcome.TRANSIENT, Fitness.DOWN),
        (Mishap.RESET_AFTER_BODY, Outcome.TRANSIENT, Fitness.DOWN),
        (Mishap.HANG, Outcome.TRANSIENT, Fitness.DOWN),
    ],
)
async def test_without_a_token_nothing_was_taken(manner: Any, outcome: Outcome, fitness: Fitness) -> None:
    async with open_fault_server(manner) as server:
        provider = FcmProvider(
            "under-test", FcmSettings(service_account=key_file(server.url), base_url="http://127.0.0.1:1"), SetClock()
        )
        slow = manner is Mishap.HANG
        result = await provider.send(make_envelope(Channel.PUSH, deadline_seconds=0.3 if slow else 20.0))
        if not slow:
            assert (await provider.health()).fitness is fitness
        await provider.aclose()

        assert result.outcome is outcome
        assert (result.code or "").startswith("token:")


async def test_nobody_waits_longer_for_a_token_than_their_own_time() -> None:
    async with open_fault_server(Mishap.HANG) as server:
        provider = make_fcm(server.url)
        calls = (provider.send(make_envelope(Channel.PUSH, deadline_seconds=0.3)) for _ in range(10))
        async with asyncio.timeout(20):
            results = await asyncio.gather(*calls)
        await provider.aclose()

        assert {result.outcome for result in results} == {Outcome.TRANSIENT}


async def test_a_probe_fetches_a_token_and_sends_nothing() -> None:
    async with open_fault_server(FaultServer(TAKEN, TestFcm().aside)) as server:
        provider = make_fcm(server.url)
        found = await provider.health()
        await provider.aclose()

        assert (found.fitness, server.requests) == (Fitness.OK, [])


@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (refused(400, "INVALID_ARGUMENT", "", fcm_error("INVALID_ARGUMENT")), Outcome.INVALID_RECIPIENT, "token"),
        (refused(400, "INVALID_ARGUMENT", "", violation("message.token")), Outcome.INVALID_RECIPIENT, "token"),
        (
            refused(400, "INVALID_ARGUMENT", "", fcm_error("INVALID_ARGUMENT"), violation("message.android.ttl")),
            Outcome.REJECTED,
            "payload",
        ),
        (refused(400, "INVALID_ARGUMENT", ""), Outcome.REJECTED, "payload"),
        (refused(403, "PERMISSION_DENIED", "", fcm_error("SENDER_ID_MISMATCH")), Outcome.MISCONFIGURED, "MISMATCH"),
        (refused(401, "UNAUTHENTICATED", "", fcm_error("THIRD_PARTY_AUTH_ERROR")), Outcome.MISCONFIGURED, "AUTH_ERROR"),
        (refused(404, "NOT_FOUND", "Project not found"), Outcome.MISCONFIGURED, "NOT_FOUND"),
        (refused(500, "INTERNAL", "", fcm_error("INTERNAL")), Outcome.TRANSIENT, "INTERNAL"),
        (Reply(status=500, body=b'{"error": "x"}'), Outcome.UNKNOWN, "500"),
        (Reply(status=200, body=b"{}"), Outcome.UNKNOWN, "200"),
    ],
)
async def test_each_error_has_its_outcome(reply: Reply, outcome: Outcome, code: str) -> None:
    async with open_fault_server(FaultServer(reply, TestFcm().aside)) as server:
        provider = make_fcm(server.url)
        result = await provider.send(make_envelope(Channel.PUSH))
        await provider.aclose()

        assert result.outcome is outcome
        assert (result.code or "").endswith(code)


async def test_a_quota_without_a_time_is_a_minute() -> None:
    async with open_fault_server(FaultServer(TestFcm.answers[Fault.THROTTLED], TestFcm().aside)) as server:
        provider = make_fcm(server.url)
        result = await provider.send(make_envelope(Channel.PUSH))
        await provider.aclose()

        assert (result.outcome, result.retry_after_seconds) == (Outcome.THROTTLED, 60.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        key_file("x", private_key="no key"),
        key_file("x", private_key=None),
        key_file(
            "x",
            private_key=ec.generate_private_key(ec.SECP256R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
        ),
    ],
    ids=range(6),
)
def test_a_key_file_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"providers\.under-test\.service_account: this is no key file") as no:
        FcmProvider("under-test", FcmSettings(service_account=text), SetClock())
    assert no.value.__cause__ is None


def envelope_for(*tokens: str) -> Envelope:
    devices = tuple(PushDevice(platform=PushPlatform.FCM, token=one) for one in tokens)
    return make_envelope(Channel.PUSH, devices=devices)


async def test_each_device_is_one_call() -> None:
    def answer(request: Request) -> Reply:
        reached = json.loads(request.body)["message"]["token"] != "gone"
        return TAKEN if reached else TestFcm.answers[Fault.BAD_ADDRESS]

    async with open_fault_server(FaultServer(answer, TestFcm().aside)) as server:
        provider = make_fcm(server.url)
        result = await provider.send(envelope_for("gone", "here"))
        await provider.aclose()

        assert result.outcome is Outcome.SENT
        assert [device.status for device in result.devices] == ["invalid_recipient", "sent"]
        assert result.devices[0].reason == "404 UNREGISTERED"
