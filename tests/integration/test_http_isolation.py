"""Two services crawl every route: what is the other's is not there, and nothing tells that it exists."""

import re
from typing import Any

import pytest

from gateway.domain.keys import Scope
from tests.http import ALL_SCOPES, Caller, Site, send_body

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONSENT = {"consents": [{"channel": "email", "topic": "newsletter", "state": "granted", "source": "signup-form"}]}
BODIES: dict[str, Any] = {
    "send_message": send_body(),
    "send_batch": {"messages": [send_body()]},
    "explain_message": send_body(),
    "cancel_message": {"reason": "mine"},
    "retry_message": {"reason": "mine"},
    "preview_template": {"channel": "sms"},
    "put_recipient": {"email": "bystander@example.org"},
    "put_consents": CONSENT,
    "add_webhook_endpoint": {"url": "https://shop.example.org/"},
    "put_webhook_endpoint": {"url": "https://shop.example.org/"},
    "replay_webhook_events": {"since": "2026-01-01T00:00:00Z"},
    "add_suppression": {"channel": "email", "address": "bystander@example.org", "reason": "manual"},
}
OWN_SCOPES = ALL_SCOPES - {Scope.OPS}
"""Everything that a service may do with what is its own."""


async def operations(site: Site) -> list[tuple[str, str, str]]:
    async with site.client.get("/openapi.json") as response:
        document = await response.json()
    return [
        (method.upper(), path, operation["operationId"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def crawl(site: Site, caller: Caller, values: dict[str, str]) -> list[tuple[str, int, str]]:
    """Call every operation with these ids; what each answered, as text."""
    answers = []
    for method, path, name in await operations(site):
        filled = re.sub(r"{(\w+)}", lambda found: values[found[1]], path)
        reply = await caller.call(method, filled, BODIES.get(name))
        answers.append((name, reply.status, str(reply.body)))
    return answers


async def test_nobody_reads_or_changes_what_is_the_others(site: Site) -> None:
    alice, bob = await site.caller("alice", OWN_SCOPES), await site.caller("bob", OWN_SCOPES)
    sent = await alice.post("/v1/messages", send_body(to={"id": "user-42", "email": "secret-person@example.org"}))
    await alice.put("/v1/recipients/user-42", {"email": "secret-person@example.org", "attributes": {"tier": "gold"}})
    await alice.put("/v1/recipients/user-42/consents", CONSENT)
    before = [
        (await alice.get(path)).body
        for path in (sent.headers["Location"], "/v1/recipients/user-42", "/v1/recipients/user-42/consents/history")
    ]
    alices = {
        "message_id": sent.body["id"],
        "recipient_id": "user-42",
        "suppression_id": "sup_none",
        "endpoint_id": "whe_none",
        "name": "order-shipped",
    }

    seen = await crawl(site, bob, alices)

    assert [answer for answer in seen if "secret-person" in answer[2] or "gold" in answer[2]] == []
    after = [
        (await alice.get(path)).body
        for path in (sent.headers["Location"], "/v1/recipients/user-42", "/v1/recipients/user-42/consents/history")
    ]
    assert after == before


async def test_what_is_the_others_answers_exactly_as_what_does_not_exist(site: Site) -> None:
    alice, carol = await site.caller("alice", OWN_SCOPES), await site.caller("carol", OWN_SCOPES)
    sent = await alice.post("/v1/messages", send_body())
    await alice.put("/v1/recipients/user-7", {"email": "amina@example.org"})

    pairs = [
        (f"/v1/messages/{sent.body['id']}", "/v1/messages/msg_01m80f4v8ztzvbsfsw6przz1bg"),
        (f"/v1/messages/{sent.body['id']}/events", "/v1/messages/msg_01m80f4v8ztzvbsfsw6przz1bg/events"),
        ("/v1/recipients/user-7", "/v1/recipients/user-none"),
        ("/v1/recipients/user-7/consents", "/v1/recipients/user-none/consents"),
        ("/v1/recipients/user-7/consents/history", "/v1/recipients/user-none/consents/history"),
    ]
    for theirs, absent in pairs:
        one, other = await carol.get(theirs), await carol.get(absent)
        one.body.pop("instance")
        other.body.pop("instance")
        assert (one.status, one.body) == (404, other.body), theirs


async def test_ops_sees_all_services_and_others_only_their_own(site: Site) -> None:
    dave, erin = await site.caller("dave"), await site.caller("erin")
    sent = await dave.post("/v1/messages", send_body(tags=["of-dave"]))

    ops = await site.caller("operations", ALL_SCOPES)

    assert (await ops.get("/v1/messages", tag="of-dave")).body["items"][0]["id"] == sent.body["id"]
    assert (await ops.get("/v1/messages", service="dave")).body["items"][0]["id"] == sent.body["id"]
    assert (await erin.get("/v1/messages", tag="of-dave")).body["items"] == []
    assert (await erin.get("/v1/messages", service="dave")).body["items"] == []
    assert (await ops.get(sent.headers["Location"])).status == 200
    assert (await erin.get(sent.headers["Location"])).status == 404


async def test_a_key_of_one_service_never_replays_anothers_answer(site: Site) -> None:
    frank, grace = await site.caller("frank"), await site.caller("grace")

    one = await frank.post("/v1/messages", send_body(), Idempotency_Key="same")
    other = await grace.post("/v1/messages", send_body(), Idempotency_Key="same")

    assert one.body["id"] != other.body["id"]
    assert "Idempotent-Replayed" not in other.headers


async def test_every_route_asks_for_a_key_and_for_its_scope(site: Site) -> None:
    nobody = Caller(site.client, "hg_live_none")
    bare = await site.caller("heidi", [Scope.TRANSLATE])
    values = {
        "message_id": "msg_x",
        "recipient_id": "x",
        "suppression_id": "sup_x",
        "endpoint_id": "whe_x",
        "name": "order-shipped",
    }
    public = {"get_health", "get_readiness", "get_metrics"}
    for_translators = {"list_templates", "get_template", "preview_template"}

    without = {name: (status, body) for name, status, body in await crawl(site, nobody, values)}
    translating = {name: (status, body) for name, status, body in await crawl(site, bare, values)}

    assert {name for name, (status, _) in without.items() if status != 401} == public
    assert {name for name, (status, _) in translating.items() if status != 403} == public | for_translators
    assert all("missing_scope" in body for status, body in translating.values() if status == 403)
