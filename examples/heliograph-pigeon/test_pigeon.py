"""Pigeon, held to the conformance kit."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from gateway.domain.lifecycle import DeliveryStatus
from heliograph_pigeon import PIGEON, PigeonSection
from heliograph_pigeon.webhook import signature
from providers.base import Channel, Fitness, Opening, Probed, Provider, StatusSource, WebhookReceiver, WebhookRequest
from providers.conformance.fault_server import Reply, Request, open_fault_server
from providers.conformance.http_suite import HttpProviderSuite
from providers.conformance.suite import Fault
from providers.conformance.webhook_suite import WebhookSuite

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY, SECRET, OLD_SECRET = "the-api-key", "secret-of-this-year", "secret-of-last-year"


class FixedClock:
    """Noon, for ever."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def make_pigeon(base_url: str = "http://127.0.0.1:1") -> Provider:
    """The account as the gateway opens it."""
    section = PigeonSection.model_validate(
        {
            "kind": "pigeon",
            "api_key": KEY,
            "webhook_secret": SECRET,
            "previous_webhook_secret": OLD_SECRET,
            "base_url": base_url,
        }
    )
    opening = Opening(clock=FixedClock(), webhook_url="https://gateway.example/webhooks/under-test")
    return PIGEON.open("under-test", section, opening)


def error(status: int, code: str, words: str = "") -> Reply:
    return Reply(status=status, body=json.dumps({"error": code, "message": words}).encode())


class TestPigeon(HttpProviderSuite):
    channels = frozenset({Channel.SMS})
    secrets = (KEY, SECRET, OLD_SECRET)
    taken = Reply(status=201, body=b'{"id": "pgn-1"}')
    answers: ClassVar = {
        Fault.BAD_ADDRESS: error(422, "no_such_roof", "+33612345678 has no roof"),
        Fault.BAD_CONTENT: error(422, "too_heavy"),
        Fault.BAD_CREDENTIALS: error(401, "who_are_you"),
        Fault.THROTTLED: error(429, "one_at_a_time"),
        Fault.TRANSIENT: error(503, "storm", "no flights to +33612345678 today"),
    }

    def make(self, base_url: str) -> Provider:
        return make_pigeon(base_url)

    def delivery_id_in(self, request: Request) -> str:
        return str(json.loads(request.body)["reference"])


def call(body: bytes, secret: str = SECRET) -> WebhookRequest:
    at = str(int(NOW.timestamp()))
    return WebhookRequest(
        url="https://gateway.example/webhooks/under-test",
        headers={"pigeon-signature": f"t={at},v1={signature(secret, at, body)}"},
        body=body,
        received_at=NOW,
    )


def telling(state: object, **members: object) -> bytes:
    event = {"id": "pgn-1", "reference": "dlv_1", "state": state, "at": int(NOW.timestamp()), **members}
    return json.dumps({"events": [event]}).encode()


class TestPigeonWebhooks(WebhookSuite):
    channel = Channel.SMS
    ends = DeliveryStatus.DELIVERED
    signature_headers = ("pigeon-signature",)
    forgets_after = timedelta(minutes=5)

    def receiver(self) -> WebhookReceiver:
        pigeon = make_pigeon()
        assert isinstance(pigeon, WebhookReceiver)
        return pigeon

    def story(self) -> Sequence[WebhookRequest]:
        return [call(telling(state)) for state in ("in_flight", "lost", "landed")]

    def oddities(self) -> Iterable[WebhookRequest]:
        yield call(telling("moulting"))
        yield call(telling(7, at="noon", id=None, feathers=[1, 2]))

    def rotated(self) -> Iterable[WebhookRequest]:
        yield call(telling("landed"), OLD_SECRET)

    def sign(self, body: bytes) -> WebhookRequest:
        return call(body)


async def test_a_status_can_be_asked_for_and_a_probe_sends_nothing() -> None:
    async with open_fault_server(Reply(body=b'{"id": "pgn-1", "state": "landed"}')) as server:
        pigeon = make_pigeon(server.url)
        assert isinstance(pigeon, StatusSource)
        assert isinstance(pigeon, Probed)

        told = await pigeon.fetch_status("pgn-1")
        found = await pigeon.health()
        await pigeon.aclose()

        assert told is not None
        assert told.event_id == "pgn-1:landed"
        assert found.fitness is Fitness.OK
        assert [(one.method, one.path) for one in server.requests] == [
            ("GET", "/v1/texts/pgn-1"),
            ("GET", "/v1/account"),
        ]


def test_what_the_kind_says_of_itself_is_what_an_account_says() -> None:
    able = make_pigeon().capabilities

    assert (able.channels, able.idempotent, able.receipts) == (
        PIGEON.capabilities.channels,
        PIGEON.capabilities.idempotent,
        PIGEON.capabilities.receipts,
    )
