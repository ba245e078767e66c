"""What providers tell later, over real HTTP: believed when signed, counted once, true in whatever order it comes."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from gateway.bootstrap import SystemClock
from gateway.domain.ids import DeliveryId
from gateway.domain.lifecycle import Evidence
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.preferences import SuppressionReason
from gateway.domain.receipts import Reaction, Receipt
from gateway.domain.recipients import Channel
from gateway.ports import Provider, WebhookRequest
from providers.conformance.fault_server import FaultServer, Reply, open_fault_server
from providers.mailbox_webhook import is_signed, sign
from providers.ses import SesProvider
from tests.contract.test_kannel import ADDRESS, make_kannel
from tests.contract.test_ses import certificate, ses_settings, subscription
from tests.fakes import ScriptedProvider
from tests.http import ALL_SCOPES, Caller, Site, open_site, settled
from tests.modes import Mode
from tests.rigs import routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")
SECRET = "what the carrier signs with"
WORDS = {
    "sent": Evidence.TAKEN,
    "delivered": Evidence.DELIVERED,
    "undelivered": Evidence.UNDELIVERED,
    "bounced": Evidence.BOUNCED,
}
SENT, LOST = SendResult(outcome=Outcome.SENT), SendResult(outcome=Outcome.UNKNOWN)
ALERT = """
description = "Says something, and makes sure"
category = "{category}"
channels = ["push", "sms"]
strategy = "first"
fallback_after = "1s"
[variables]
text = {{type = "string", max_length = 100}}
[samples.usual]
text = "hello"
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Carrier(ScriptedProvider):
    """A provider that signs what it tells; its answers are set by number."""

    def __init__(self) -> None:
        super().__init__("carrier", lambda envelope: self.answers.get(envelope.to, SENT))
        self.answers: dict[str, SendResult] = {}

    async def verify(self, request: WebhookRequest) -> bool:
        """Whether it is signed, and lately."""
        return is_signed(SECRET, request)

    def parse(self, request: WebhookRequest) -> Sequence[Receipt]:
        """The receipts of a batch; a word that it does not know is kept as it came."""
        return [
            Receipt(
                event_id=one["id"],
                delivery_id=None if "delivery" not in one else DeliveryId(one["delivery"]),
                provider_message_id=one.get("message"),
                status=one["status"],
                code=one.get("code"),
                evidence=WORDS.get(one["status"]),
                reaction=Reaction(one["status"]) if one["status"] in [*Reaction] else None,
                suppress=SuppressionReason.BOUNCE if one["status"] == "bounced" else None,
            )
            for one in json.loads(request.body)
        ]


@pytest.fixture(scope="module")
def carrier() -> Carrier:
    return Carrier()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sns() -> AsyncIterator[FaultServer]:
    """Where the certificates and subscriptions of a topic are."""
    async with open_fault_server(Reply()) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(
    mode: Mode, carrier: Carrier, sns: FaultServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """A gateway whose texts and notifications go to the carrier."""
    with mode.furnished(tmp_path_factory.mktemp("receipts")) as folder:
        content = _write_templates(folder / "templates")
        sections: dict[str, Any] = {
            "routes": routes_to("carrier"),
            "content": {"templates": content},
            "delivery": {"on_unknown": {"critical": "resend"}},
            "policy": {"packs": False},
        }
        further: list[Provider] = [carrier, make_kannel(), SesProvider("ses", ses_settings(sns.url), SystemClock())]
        async with open_site(folder, work=True, further=further, **sections) as opened:
            yield opened


def _write_templates(root: Any) -> Any:
    for name, category in (("alert", "transactional"), ("alarm", "critical")):
        for file, text in (
            ("template.toml", ALERT.format(category=category)),
            ("push/title.txt", "Note"),
            ("push/body.txt", "{{ text }}"),
            ("sms/body.txt", "Note: {{ text }}"),
        ):
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return root


@pytest_asyncio.fixture(loop_scope="module")
async def caller(working: Site, service: str) -> Caller:
    return await working.caller(service, ALL_SCOPES)


@pytest.fixture
def number(service: str) -> str:
    """A number that no other test uses."""
    return f"+336{int(service.rpartition('-')[2]) + 13_000_000:08}"


async def tell(site: Site, *told: dict[str, Any], secret: str = SECRET, at: int | None = None) -> int:
    """Post one signed batch."""
    body = json.dumps(told).encode()
    headers = {"Content-Type": "application/json", **sign(secret, int(time.time()) if at is None else at, body)}
    async with site.client.post("/webhooks/carrier", data=body, headers=headers) as response:
        return response.status


def word(delivery: str, status: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": f"{delivery}-{status}-{number}", "delivery": delivery, "status": status, **more}


async def send(caller: Caller, number: str, template: str = "alert", channels: Sequence[str] = ("sms",)) -> Any:
    to: dict[str, Any] = {"id": f"person-{number}", "phone": number, "push": [{"platform": "fcm", "token": number}]}
    body = {"template": template, "to": to, "channels": [*channels], "data": {"text": "hello"}}
    accepted = await caller.post("/v1/messages", body)
    assert accepted.status == 202, accepted.body
    return accepted.body


async def sent(caller: Caller, number: str, *statuses: str, **how: Any) -> tuple[str, str]:
    """Message and delivery, once the carrier has answered."""
    accepted = await send(caller, number, **how)
    message = await settled(caller, accepted["id"], *(statuses or ("sent",)))
    return message["id"], message["deliveries"][0]["id"]


async def timeline(caller: Caller, message_id: str) -> list[str]:
    items = (await caller.get(f"/v1/messages/{message_id}/events")).body["items"]
    return [str(item["type"]) for item in items]


async def status(caller: Caller, message_id: str) -> str:
    return str((await caller.get(f"/v1/messages/{message_id}")).body["status"])


async def test_fifty_of_each_in_any_order_come_to_one_status_and_one_event_each(
    working: Site, caller: Caller, number: str
) -> None:
    message, delivery = await sent(caller, number)
    calls = [word(delivery, told) for told in ("sent", "undelivered", "delivered", "mystery")] * 50
    random.Random(7).shuffle(calls)

    answers = await asyncio.gather(*(tell(working, call) for call in calls))

    assert set(answers) == {204}
    assert await status(caller, message) == "delivered"
    told = [kind for kind in await timeline(caller, message) if kind.startswith("delivery.")][2:]
    assert len(told) == 4
    assert told.count("delivery.delivered") == 1


async def test_one_batch_tells_of_many_and_a_bad_element_takes_none_along(
    working: Site, caller: Caller, number: str
) -> None:
    one, two = await sent(caller, number), await sent(caller, number)
    bad = {"id": "\ud800", "status": "\0", "delivery": "\0"}

    answer = await tell(working, word(one[1], "delivered"), bad, word(two[1], "undelivered", code="30008"))

    assert answer == 204
    assert [await status(caller, message) for message, _ in (one, two)] == ["delivered", "undelivered"]


@pytest.mark.parametrize("wrong", ["secret", "stale"])
async def test_what_is_not_signed_lately_leaves_no_trace(
    working: Site, caller: Caller, number: str, wrong: str
) -> None:
    message, delivery = await sent(caller, number)
    before = await timeline(caller, message)
    ways: dict[str, dict[str, Any]] = {"secret": {"secret": "another"}, "stale": {"at": int(time.time()) - 301}}
    how = ways[wrong]

    answer = await tell(working, word(delivery, "bounced"), **how)

    assert answer == 401
    assert (await status(caller, message), await timeline(caller, message)) == ("sent", before)


async def test_a_receipt_that_overtakes_the_answer_holds(
    working: Site, caller: Caller, carrier: Carrier, number: str
) -> None:
    carrier.answers[number] = LOST
    carrier.open.clear()
    accepted = await send(caller, number)
    message = await settled(caller, accepted["id"], "sending")

    answer = await tell(working, word(message["deliveries"][0]["id"], "delivered"))
    during = await status(caller, message["id"])
    carrier.open.set()

    attempts = await eventually(
        lambda: caller.get(f"/v1/messages/{message['id']}"),
        lambda seen: seen.body["deliveries"][0]["attempts"][0]["outcome"] is not None,
    )
    assert (answer, during) == (204, "delivered")
    assert attempts.body["status"] == "delivered"


async def test_a_lost_answer_is_settled_by_a_receipt(
    working: Site, caller: Caller, carrier: Carrier, number: str
) -> None:
    carrier.answers[number] = LOST
    message, delivery = await sent(caller, number, "unknown")

    await tell(working, word(delivery, "sent"))
    taken = await status(caller, message)
    await tell(working, word(delivery, "undelivered"))

    assert (taken, await status(caller, message)) == ("sent", "undelivered")


async def test_a_receipt_of_what_is_not_known_yet_waits_for_it(
    working: Site, caller: Caller, carrier: Carrier, number: str
) -> None:
    told = {"id": f"early-{number}", "message": f"CM{number}", "status": "delivered"}
    assert await tell(working, told) == 204
    carrier.answers[number] = SendResult(outcome=Outcome.SENT, provider_message_id=f"CM{number}")
    message, _ = await sent(caller, number)

    await working.gateway.tracker.sweep()
    await working.gateway.tracker.sweep()

    assert await status(caller, message) == "delivered"
    assert (await timeline(caller, message)).count("delivery.delivered") == 1


async def test_what_we_held_for_failed_and_arrived_is_an_anomaly(
    working: Site, caller: Caller, carrier: Carrier, number: str
) -> None:
    carrier.answers[number] = SendResult(outcome=Outcome.REJECTED)
    message, delivery = await sent(caller, number, "failed")

    await tell(working, word(delivery, "sent"))
    still = await status(caller, message)
    await tell(working, word(delivery, "delivered"))

    items = (await caller.get(f"/v1/messages/{message}/events")).body["items"]
    assert (still, await status(caller, message)) == ("failed", "delivered")
    assert items[-1]["data"]["anomaly"] is True


@pytest.mark.parametrize(("told", "reason"), [("bounced", "bounce"), ("complained", "complaint")])
async def test_an_address_is_condemned_once(working: Site, caller: Caller, number: str, told: str, reason: str) -> None:
    _, delivery = await sent(caller, number)

    await asyncio.gather(*(tell(working, word(delivery, told, n % 2)) for n in range(6)))

    items = (await caller.get("/v1/suppressions", channel="sms", address=number)).body["items"]
    assert [item["reason"] for item in items] == [reason]
    assert items[0]["evidence"]["delivery_id"] == delivery
    after = await send(caller, number)
    assert (await settled(caller, after["id"]))["status"] == "suppressed"


async def test_who_leaves_at_the_provider_has_left(working: Site, caller: Caller, number: str) -> None:
    accepted = await caller.post(
        "/v1/messages",
        {"template": "alert", "to": {"phone": number}, "channels": ["sms"], "data": {"text": "hello"}},
    )
    message = await settled(caller, accepted.body["id"], "sent")

    await tell(working, word(message["deliveries"][0]["id"], "unsubscribed"))

    items = (await caller.get("/v1/suppressions", channel="sms", address=number)).body["items"]
    assert [(item["reason"], item["scope"]) for item in items] == [("manual", "transactional")]
    assert "delivery.unsubscribed" in await timeline(caller, message["id"])


async def test_the_next_channel_is_tried_when_the_first_is_not_confirmed(
    working: Site, caller: Caller, number: str
) -> None:
    accepted = await send(caller, number, channels=("push", "sms"))

    both = await eventually(
        lambda: caller.get(f"/v1/messages/{accepted['id']}"),
        lambda seen: [one["status"] for one in seen.body["deliveries"]] == ["sent", "sent"],
    )

    # What did not arrive after all has its next channel already.
    push, sms = (one["id"] for one in both.body["deliveries"])
    await tell(working, word(push, "undelivered"), word(sms, "delivered"))
    ended = await settled(caller, accepted["id"])
    assert [one["status"] for one in ended["deliveries"]] == ["undelivered", "delivered"]


async def test_a_bounce_brings_the_next_channel_at_once_and_a_receipt_none(
    working: Site, caller: Caller, number: str
) -> None:
    bounced, confirmed = [await sent(caller, number, channels=("push", "sms")) for _ in range(2)]

    await tell(working, word(bounced[1], "undelivered"), word(confirmed[1], "delivered"))

    await eventually(
        lambda: caller.get(f"/v1/messages/{bounced[0]}"),
        lambda seen: [one["status"] for one in seen.body["deliveries"]] == ["undelivered", "sent"],
    )
    waits = await working.gateway.store.dispatch.next_due()
    page = (await caller.get(f"/v1/messages/{confirmed[0]}")).body
    assert [one["status"] for one in page["deliveries"]] == ["delivered"]
    assert waits is None


async def test_no_second_channel_while_the_first_is_unknown_unless_the_category_allows_it(
    caller: Caller, carrier: Carrier, number: str
) -> None:
    carrier.answers[""] = LOST
    try:
        kept, _ = await sent(caller, number, "unknown", channels=("push", "sms"))
        allowed = await send(caller, number, template="alarm", channels=("push", "sms"))

        await eventually(
            lambda: caller.get(f"/v1/messages/{allowed['id']}"),
            lambda seen: [one["status"] for one in seen.body["deliveries"]] == ["unknown", "sent"],
        )
    finally:
        del carrier.answers[""]

    page = (await caller.get(f"/v1/messages/{kept}")).body
    assert [(one["channel"], one["status"]) for one in page["deliveries"]] == [(Channel.PUSH.value, "unknown")]


async def test_a_carrier_that_can_only_get_is_believed_by_the_address_that_it_was_given(working: Site) -> None:
    query = ADDRESS.partition("?")[2].replace("%d", "1")
    statuses = []

    for method, asked in (("GET", query), ("GET", query.replace("dlv_1", "dlv_2")), ("GET", ""), ("HEAD", query)):
        async with working.client.request(method, f"/webhooks/under-test?{asked}") as response:
            statuses.append(response.status)

    assert statuses == [200, 401, 401, 405]


async def test_a_subscription_is_asked_for_again_until_it_was_confirmed(working: Site, sns: FaultServer) -> None:
    now = datetime.now(UTC)
    call, served = subscription(at=now), Reply(body=certificate(now + timedelta(days=1)))
    answers = []

    for status in (503, 200):
        confirmed = Reply(status=status)
        sns.manner = lambda asked, confirmed=confirmed: served if asked.path.endswith(".pem") else confirmed
        async with working.client.post("/webhooks/ses", data=call.body) as response:
            answers.append((response.status, "Retry-After" in response.headers))

    assert answers == [(503, True), (204, False)]
    assert "Action=ConfirmSubscription" in sns.requests[-1].target
