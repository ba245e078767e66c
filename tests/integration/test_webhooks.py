"""Services hear what becomes of their messages: signed, filtered, tried again, and nothing of each other's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.http import ALL_SCOPES, Caller, Site, open_site, send_body, settled
from tests.modes import Mode
from tests.receiver import Receiver, receiving
from tests.waiting import eventually

MODES = ("embedded", "scaled")
PATH = "/v1/webhook-endpoints"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that dispatches, and may call loopback."""
    with mode.furnished(tmp_path_factory.mktemp("webhooks")) as folder:
        sections: dict[str, Any] = {
            "security": {"allow_private_endpoints": ["127.0.0.1"]},
            "webhooks": {"retry_first": "10ms", "retry_max": "50ms", "disable_after": "2s", "timeout": "1s"},
        }
        async with open_site(folder, work=True, **sections) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def caller(working: Site, service: str) -> Caller:
    return await working.caller(service)


async def add(caller: Caller, receiver: Receiver, path: str, **changes: Any) -> Any:
    """An endpoint at that path of the receiver."""
    made = await caller.post(PATH, {"url": f"{receiver.url}{path}", **changes})
    assert made.status == 201, made.body
    return made.body


async def send(caller: Caller, **changes: Any) -> str:
    accepted = await caller.post("/v1/messages", send_body(**changes))
    assert accepted.status == 202, accepted.body
    return str(accepted.body["id"])


async def heard(receiver: Receiver, path: str, kind: str, count: int = 1) -> list[Any]:
    """The events of a type that came to a path, once there are so many."""

    async def events() -> list[Any]:
        return [one.event for one in receiver.at(path) if one.event["type"] == kind]

    return await eventually(events, lambda seen: len(seen) >= count)


async def shown(caller: Caller, endpoint: Any) -> Any:
    return (await caller.get(f"{PATH}/{endpoint['id']}")).body


async def test_a_service_hears_what_became_of_its_message_as_a_signed_cloud_event(
    caller: Caller, receiver: Receiver, service: str
) -> None:
    endpoint = await add(caller, receiver, f"/{service}")

    message = await send(caller, metadata={"order_id": "A-1009"}, tags=["checkout"])
    (event,) = await heard(receiver, f"/{service}", "delivery.delivered")

    (call,) = [one for one in receiver.at(f"/{service}") if one.event == event]
    timeline = (await caller.get(f"/v1/messages/{message}/events")).body["items"]
    (told,) = [one for one in timeline if one["type"] == "delivery.delivered"]
    assert call.is_signed(endpoint["secret"])
    assert call.headers["webhook-id"] == event["id"] == told["id"]
    assert call.headers["Content-Type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["subject"], event["time"]) == ("1.0", told["delivery_id"], told["at"])
    assert event["source"].startswith("http")
    assert event["data"]["message"] == {
        "id": message,
        "template": "order-shipped",
        "category": "transactional",
        "topic": event["data"]["message"]["topic"],
        "recipient_id": None,
        "test": False,
        "tags": ["checkout"],
        "metadata": {"order_id": "A-1009"},
    }
    assert event["data"]["channel"] == "email"
    assert "amina" not in str(event)


async def test_the_number_of_an_event_says_which_came_later(caller: Caller, receiver: Receiver, service: str) -> None:
    await add(caller, receiver, f"/{service}", filters={"types": ["*"]})

    message = await send(caller)
    await heard(receiver, f"/{service}", "delivery.delivered")
    timeline = (await caller.get(f"/v1/messages/{message}/events")).body["items"]
    calls = await eventually(lambda: _calls(receiver, f"/{service}"), lambda seen: len(seen) == len(timeline))

    in_order = sorted(calls, key=lambda event: event["sequence"])
    assert [event["id"] for event in in_order] == [one["id"] for one in timeline]


async def _calls(receiver: Receiver, path: str) -> list[Any]:
    return [one.event for one in receiver.at(path)]


async def test_an_endpoint_hears_only_what_its_filters_want(caller: Caller, receiver: Receiver, service: str) -> None:
    filters: dict[str, dict[str, Any]] = {
        "types": {"types": ["delivery.delivered", "message.accepted"]},
        "channel": {"channels": ["sms"]},
        "tag": {"types": ["delivery.delivered"], "tags": ["wanted", "or-this"], "categories": ["transactional"]},
        "template": {"templates": ["welcome"]},
    }
    for name, wanted in filters.items():
        await add(caller, receiver, f"/{service}/{name}", filters=wanted)

    plain, tagged = await send(caller), await send(caller, tags=["wanted"])
    await heard(receiver, f"/{service}/types", "delivery.delivered", 2)
    (event,) = await heard(receiver, f"/{service}/tag", "delivery.delivered")

    assert sorted(set(receiver.types(f"/{service}/types"))) == ["delivery.delivered", "message.accepted"]
    assert event["data"]["message"]["id"] == tagged != plain
    assert receiver.at(f"/{service}/channel") == receiver.at(f"/{service}/template") == []


async def test_what_is_not_taken_comes_again_under_one_id(caller: Caller, receiver: Receiver, service: str) -> None:
    endpoint = await add(caller, receiver, f"/{service}", filters={"types": ["delivery.delivered"]})
    answers = iter([500, 429, 204])
    receiver.react = lambda one: next(answers) if one.path == f"/{service}" else 204

    await send(caller)
    await heard(receiver, f"/{service}", "delivery.delivered", 3)
    standing = await eventually(lambda: shown(caller, endpoint), lambda seen: seen["waiting"] == 0)

    calls = receiver.at(f"/{service}")
    assert len({one.headers["webhook-id"] for one in calls}) == 1
    assert all(one.is_signed(endpoint["secret"]) for one in calls)
    assert (standing["failing_since"], standing["last_failure"]["status"]) == (None, 429)


async def test_one_event_that_is_never_taken_holds_up_no_other(
    caller: Caller, receiver: Receiver, service: str
) -> None:
    endpoint = await add(caller, receiver, f"/{service}", filters={"types": ["delivery.delivered"]})
    receiver.react = lambda one: 500 if one.event.get("data", {}).get("message", {}).get("tags") == ["bad"] else 204

    await send(caller, tags=["bad"])
    for _ in range(3):
        await send(caller)
    good = await eventually(
        lambda: _calls(receiver, f"/{service}"),
        lambda seen: len({one["id"] for one in seen if one["data"]["message"]["tags"] == []}) == 3,
    )

    assert good
    # That the receiver has answered does not yet say that the answer is on disk.
    assert await eventually(lambda: shown(caller, endpoint), lambda seen: seen["waiting"] == 1)


async def test_an_endpoint_that_takes_nothing_is_disabled_and_says_so(
    working: Site, caller: Caller, receiver: Receiver, service: str
) -> None:
    endpoint = await add(caller, receiver, f"/{service}")
    receiver.react = lambda one: 500 if one.path == f"/{service}" else 204

    await send(caller)
    standing = await eventually(lambda: shown(caller, endpoint), lambda seen: not seen["enabled"])
    refused = await caller.post(f"{PATH}/{endpoint['id']}/replay", {"since": "2026-01-01T00:00:00Z"})

    assert (standing["disabled_reason"], standing["last_failure"]["status"]) == ("failing", 500)
    assert (refused.status, refused.body["code"]) == (409, "endpoint_disabled")


async def test_an_endpoint_that_is_gone_is_disabled_at_once_and_can_be_enabled_and_caught_up(
    caller: Caller, receiver: Receiver, service: str
) -> None:
    filters = {"types": ["delivery.delivered"]}
    endpoint = await add(caller, receiver, f"/{service}", filters=filters)
    began = datetime.now(UTC) - timedelta(seconds=5)
    receiver.react = lambda one: 410 if one.path == f"/{service}" else 204
    first = await send(caller)
    standing = await eventually(lambda: shown(caller, endpoint), lambda seen: not seen["enabled"])
    second = await send(caller)
    await settled(caller, second)
    missed = len(receiver.at(f"/{service}"))

    receiver.react = lambda _: 204
    await caller.put(f"{PATH}/{endpoint['id']}", {"url": endpoint["url"], "filters": filters})
    replay = await caller.post(f"{PATH}/{endpoint['id']}/replay", {"since": began.isoformat()})
    calls = await eventually(lambda: _calls(receiver, f"/{service}"), lambda seen: len(seen) >= missed + 2)

    assert (standing["disabled_reason"], missed, replay.status) == ("gone", 1, 202)
    assert {one["data"]["message"]["id"] for one in calls[missed:]} == {first, second}
    assert calls[0]["id"] in {one["id"] for one in calls[missed:]}


async def test_a_rotated_secret_counts_beside_the_old_one_for_a_while(
    caller: Caller, receiver: Receiver, service: str
) -> None:
    endpoint = await add(caller, receiver, f"/{service}")
    one = f"{PATH}/{endpoint['id']}"

    rotated = (await caller.post(f"{one}/rotate", {"overlap": "1h"})).body["secret"]
    await caller.post(f"{one}/test")
    last = (await caller.post(f"{one}/rotate", {"overlap": "0s"})).body["secret"]
    await caller.post(f"{one}/test")

    both, alone = receiver.at(f"/{service}")
    assert [both.is_signed(secret) for secret in (endpoint["secret"], rotated, last)] == [True, True, False]
    assert [alone.is_signed(secret) for secret in (endpoint["secret"], rotated, last)] == [False, False, True]


async def test_a_test_says_what_the_endpoint_answered(caller: Caller, receiver: Receiver, service: str) -> None:
    endpoint = await add(caller, receiver, f"/{service}")
    closed = await add(caller, Receiver(url="http://127.0.0.1:1"), "/")
    receiver.react = lambda one: (
        web.Response(status=302, headers={"Location": "/elsewhere"}) if one.path == f"/{service}" else 204
    )

    trial = (await caller.post(f"{PATH}/{endpoint['id']}/test")).body
    refused = (await caller.post(f"{PATH}/{closed['id']}/test")).body

    (call,) = receiver.at(f"/{service}")
    assert (trial["taken"], trial["status"]) == (False, 302)
    assert (call.event["type"], call.event["id"]) == ("webhook.test", trial["event_id"])
    assert (refused["taken"], refused["status"], refused["detail"]) == (False, None, "No connection.")
    assert receiver.at("/elsewhere") == []


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.org/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://user:secret@shop.example.org/",
        "ftp://shop.example.org/",
        "https://shop.example.org/a b",
    ],
)
async def test_inside_addresses_are_no_endpoints(caller: Caller, url: str) -> None:
    refused = await caller.post(PATH, {"url": url})

    assert refused.status == 422, refused.body
    assert [one["pointer"] for one in refused.body["errors"]] == ["/url"]


async def test_a_name_that_leads_inside_is_not_called(caller: Caller) -> None:
    # The system reads it as 127.0.0.2.
    endpoint = (await caller.post(PATH, {"url": "https://0x7f000002/"})).body

    trial = (await caller.post(f"{PATH}/{endpoint['id']}/test")).body

    assert (trial["taken"], trial["detail"]) == (False, "It is not a public address.")


async def test_services_hear_and_see_nothing_of_each_other(working: Site, receiver: Receiver, service: str) -> None:
    alice, bob = await working.caller(f"alice-{service}"), await working.caller(f"bob-{service}")
    ops = await working.caller(f"ops-{service}", ALL_SCOPES)
    hers = await add(alice, receiver, f"/{service}/alice")
    await add(bob, receiver, f"/{service}/bob")
    one = f"{PATH}/{hers['id']}"

    await send(alice)
    await heard(receiver, f"/{service}/alice", "delivery.delivered")
    tried = [
        await bob.get(one),
        await bob.put(one, {"url": hers["url"]}),
        await bob.call("DELETE", one),
        await bob.post(f"{one}/rotate"),
        await bob.post(f"{one}/test"),
        await bob.post(f"{one}/replay", {"since": "2026-01-01T00:00:00Z"}),
    ]

    assert [reply.status for reply in tried] == [404] * len(tried)
    assert receiver.at(f"/{service}/bob") == []
    assert hers["id"] not in str((await bob.get(PATH)).body)
    assert (await ops.get(one)).status == 200
    assert "secret" not in (await alice.get(one)).body


async def test_a_removed_endpoint_hears_nothing_more(caller: Caller, receiver: Receiver, service: str) -> None:
    endpoint, other = await add(caller, receiver, f"/{service}"), await add(caller, receiver, f"/{service}/other")
    one = f"{PATH}/{endpoint['id']}"

    removed = await caller.call("DELETE", one)
    await send(caller)
    await heard(receiver, f"/{service}/other", "delivery.delivered")

    assert (removed.status, (await caller.get(one)).status) == (204, 404)
    assert receiver.at(f"/{service}") == []
    assert [item["id"] for item in (await caller.get(PATH)).body["items"]] == [other["id"]]


async def test_a_key_that_only_sends_or_only_reads_changes_no_endpoint(working: Site, service: str) -> None:
    body = {"url": "https://shop.example.org/"}

    answers = [await (await working.caller(service, [scope])).post(PATH, body) for scope in ("send", "read")]

    assert [answer.status for answer in answers] == [403, 403]


async def test_a_service_has_so_many_endpoints_and_no_more(caller: Caller) -> None:
    body = {"url": "https://shop.example.org/"}
    made = [(await caller.post(PATH, body)).status for _ in range(20)]

    refused = await caller.post(PATH, body)

    assert made == [201] * 20
    assert (refused.status, refused.body["code"]) == (409, "too_many_endpoints")
