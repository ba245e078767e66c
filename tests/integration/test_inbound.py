"""Texts that come in: signed or refused without a trace, acted on once, answered once in the person's language."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from gateway.domain.recipients import Channel
from providers.mailbox_webhook import SIGNATURE, TIMESTAMP, sign
from tests.http import ALL_SCOPES, Caller, Site, open_site, settled
from tests.modes import Mode
from tests.waiting import eventually

MODES = ("embedded", "scaled")
SECRET = "a secret for the tests of texts"
CODE: Mapping[str, Any] = {"template": "one-time-code", "data": {"code": "493028", "minutes": 10}, "channels": ["sms"]}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that delivers and takes texts in."""
    with mode.furnished(tmp_path_factory.mktemp("inbound")) as folder:
        mailbox = {"kind": "mailbox", "webhook_secret": SECRET}
        async with open_site(folder, work=True, providers={"mailbox": mailbox}) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def caller(working: Site, service: str) -> Caller:
    return await working.caller(service, ALL_SCOPES)


@pytest.fixture
def number(service: str) -> str:
    """A number that no other test uses."""
    return f"+336{int(service.rpartition('-')[2]) + 12_000_000:08}"


@pytest.fixture
def event_id(service: str) -> str:
    return f"evt-{service}"


async def post(site: Site, body: bytes, headers: Mapping[str, str], provider: str = "mailbox") -> int:
    named = {"Content-Type": "application/json", **headers}
    async with site.client.post(f"/webhooks/{provider}", data=body, headers=named) as response:
        return response.status


async def text(site: Site, number: str, words: str, event_id: str, **members: str) -> int:
    """Post a signed text from a number."""
    body = json.dumps({"id": event_id, "from": number, "text": words, **members}).encode()
    return await post(site, body, sign(SECRET, int(time.time()), body))


async def received(site: Site, number: str) -> list[str]:
    """What the number got, oldest first."""
    page = await site.gateway.mailbox.list_items(Channel.SMS, 200, None)
    return [str(item.content["text"]) for item in reversed(page.items) if item.to == number]


async def eventually_received(site: Site, number: str, count: int) -> list[str]:
    return await eventually(lambda: received(site, number), lambda texts: len(texts) >= count, 20)


async def inbound(caller: Caller, number: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.get("/v1/inbound", sender=number)).body["items"]
    return items


async def suppressions(caller: Caller, number: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.get("/v1/suppressions", channel="sms", address=number)).body["items"]
    return items


async def send_code(caller: Caller, number: str, **to: str) -> dict[str, Any]:
    accepted = await caller.post("/v1/messages", {**CODE, "to": {"phone": number, **to}})
    assert accepted.status == 202, accepted.body
    return await settled(caller, accepted.body["id"])


@pytest.mark.parametrize("wrong", ["secret", "body", "timestamp", "stale", "early", "none", "garbage"])
async def test_a_text_that_is_not_signed_lately_leaves_no_trace(
    working: Site, caller: Caller, number: str, event_id: str, wrong: str
) -> None:
    body, now = json.dumps({"id": event_id, "from": number, "text": "STOP"}).encode(), int(time.time())
    headers = {
        "secret": sign("another secret", now, body),
        "body": sign(SECRET, now, body + b" "),
        "timestamp": {**sign(SECRET, now, body), TIMESTAMP: str(now + 1)},
        "stale": sign(SECRET, now - 301, body),
        "early": sign(SECRET, now + 400, body),
        "none": {},
        "garbage": {TIMESTAMP: "²", SIGNATURE: "sha256=ÿ"},
    }[wrong]

    status = await post(working, body, headers)

    assert status == 401
    assert await inbound(caller, number) == []
    assert await suppressions(caller, number) == []


async def test_no_other_provider_is_called_here(working: Site) -> None:
    assert await post(working, b"{}", {}, provider="nobody") == 404


async def test_a_signed_call_without_a_text_is_refused_by_name(working: Site) -> None:
    body = b'{"id": "x"}'

    assert await post(working, body, sign(SECRET, int(time.time()), body)) == 422


async def test_a_stop_is_confirmed_once_and_nothing_else_goes(
    working: Site, caller: Caller, number: str, event_id: str
) -> None:
    await send_code(caller, number, locale="fr")

    statuses = await asyncio.gather(*(text(working, number, "Stop.", event_id) for _ in range(20)))

    after = await send_code(caller, number)
    assert set(statuses) == {204}
    assert (after["status"], after["deliveries"][0]["reason"]) == ("suppressed", "suppressed")
    texts = await eventually_received(working, number, 2)
    assert len(texts) == 2
    assert "Votre désabonnement est confirmé" in texts[1]
    (standing,) = await suppressions(caller, number)
    assert (standing["reason"], standing["scope"]) == ("stop", "all")
    assert standing["evidence"]["words"] == ["STOP"]
    assert [item["meaning"] for item in await inbound(caller, number)] == ["stop"]


@pytest.mark.parametrize("spelling", ["00{}", "{}", "whatsapp:+{}", "+ {}"])
async def test_a_stop_counts_however_a_carrier_spells_the_number(
    working: Site, caller: Caller, number: str, event_id: str, spelling: str
) -> None:
    await text(working, spelling.format(number.removeprefix("+")), "STOP", event_id)

    assert [one["reason"] for one in await suppressions(caller, number)] == ["stop"]


async def test_another_stop_of_who_has_left_is_kept_and_not_answered(
    working: Site, caller: Caller, number: str, event_id: str
) -> None:
    await text(working, number, "STOP", event_id)
    await eventually_received(working, number, 1)

    await text(working, number, "STOP", f"{event_id}-again")

    assert len(await inbound(caller, number)) == 2
    assert "reply" not in (await inbound(caller, number))[0]["handled"]
    assert len(await suppressions(caller, number)) == 1


async def test_the_timeline_of_the_last_message_tells_who_left(
    working: Site, caller: Caller, number: str, event_id: str
) -> None:
    sent = await send_code(caller, number)

    await text(working, number, "arrêt", event_id)

    events = (await caller.get(f"/v1/messages/{sent['id']}/events")).body["items"]
    assert [event["type"] for event in events][-2:] == ["delivery.replied", "delivery.unsubscribed"]
    assert number not in json.dumps(events)


async def test_start_lifts_what_a_stop_set_and_says_so(
    working: Site, caller: Caller, number: str, event_id: str
) -> None:
    await send_code(caller, number, locale="de")
    await text(working, number, "STOPP", event_id)
    await eventually_received(working, number, 2)

    await text(working, number, "Start", f"{event_id}-2")

    assert await suppressions(caller, number) == []
    texts = await eventually_received(working, number, 3)
    assert "wieder Nachrichten" in texts[2]
    assert (await send_code(caller, number))["status"] == "delivered"


@pytest.mark.parametrize("reason", ["manual", "complaint", "bounce", "stop"])
async def test_start_lifts_nothing_that_no_text_set(
    working: Site, caller: Caller, number: str, event_id: str, reason: str
) -> None:
    await caller.post("/v1/suppressions", {"channel": "sms", "address": number, "reason": reason})

    await text(working, number, "START", event_id)

    assert [one["reason"] for one in await suppressions(caller, number)] == [reason]
    assert "reply" not in (await inbound(caller, number))[0]["handled"]


async def test_help_says_who_we_are_and_how_to_stop(working: Site, caller: Caller, number: str, event_id: str) -> None:
    await send_code(caller, number, locale="es")

    await text(working, number, "AYUDA", event_id)

    texts = await eventually_received(working, number, 2)
    assert "Heliograph" in texts[1]
    assert "STOP" in texts[1]
    assert "/u/" in texts[1]


async def test_an_unclear_text_waits_for_a_person_and_suppresses_nothing(
    working: Site, caller: Caller, number: str, event_id: str
) -> None:
    sent = await send_code(caller, number)

    await text(working, number, "please stop this nonsense", event_id)

    waiting = (await caller.get("/v1/inbound", meaning="unclear", sender=number)).body["items"]
    assert [item["text"] for item in waiting] == ["please stop this nonsense"]
    assert await suppressions(caller, number) == []
    events = (await caller.get(f"/v1/messages/{sent['id']}/events")).body["items"]
    assert (events[-1]["type"], events[-1]["data"]["meaning"]) == ("delivery.replied", "unclear")


async def test_a_word_of_another_language_is_answered_in_that_language(
    working: Site, caller: Caller, number: str, event_id: str
) -> None:
    await send_code(caller, number, locale="fr")

    await text(working, number, "退订", event_id)

    texts = await eventually_received(working, number, 2)
    assert "您已退订" in texts[1]


async def test_a_stranger_is_answered_in_the_language_of_the_number(
    working: Site, caller: Caller, number: str, event_id: str
) -> None:
    await text(working, number, "STOP", event_id)

    (only,) = await eventually_received(working, number, 1)
    assert "Votre désabonnement" in only
