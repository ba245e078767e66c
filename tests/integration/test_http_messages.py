"""Messages are accepted, refused by their fields, repeated once, read, filtered and taken back."""

import asyncio
from typing import Any

import pytest

from tests.http import Caller, Site, send_body

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"


async def test_an_accepted_message_is_answered_whole_and_can_be_read_where_location_says(shop: Caller) -> None:
    accepted = await shop.post("/v1/messages", send_body(tags=["checkout"], metadata={"order_id": "A-1009"}))

    assert accepted.status == 202
    assert accepted.headers["Location"] == f"/v1/messages/{accepted.body['id']}"
    assert accepted.body["status"] == "accepted"
    assert accepted.body["recipient"]["email"] == "amina@example.org"
    assert [delivery["channel"] for delivery in accepted.body["deliveries"]] == ["email"]
    assert (accepted.body["tags"], accepted.body["metadata"]) == (["checkout"], {"order_id": "A-1009"})
    read = await shop.get(accepted.headers["Location"])
    none = {"people": 0, "machines": 0}
    assert read.body == {**accepted.body, "engagement": {"opened": none, "clicked": none, "converted": 0}}


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"template": "no-such-template"}, "/template", "unknown_template"),
        ({"template": "../order-shipped"}, "/template", "unknown_template"),
        ({"data": {"order": "A-1009"}}, "/data/total", "missing"),
        ({"to": {"email": "amina@"}}, "/to/email", "bad_email"),
        ({"to": {"phone": "0612345678"}, "channels": ["sms"]}, "/to/phone", "bad_phone"),
        ({"to": {"email": "a@example.org", "locale": "xx-YY-zz-qq"}}, "/to/locale", "unknown_locale"),
        ({"to": {"email": "a@example.org", "timezone": "Mars/Base"}}, "/to/timezone", "unknown_timezone"),
        ({"to": {"email": "a@example.org", "country": "XQ"}}, "/to/country", "unknown_country"),
        ({"to": {}}, "/to", "no_address"),
        ({"send_at": "2999-01-01T00:00:00Z"}, "/send_at", "too_far"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "/expires_at", "in_the_past"),
        ({"from": "ceo@example.com"}, "/from", "sender_not_allowed"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_value_is_named_by_its_pointer(
    shop: Caller, change: dict[str, Any], pointer: str, code: str
) -> None:
    refused = await shop.post("/v1/messages", send_body(**change))

    assert refused.status == 422
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.body["code"] == "invalid_request"
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in refused.body["errors"]]


async def test_wrong_shape_and_wrong_content_are_named_together(shop: Caller) -> None:
    wrong = send_body(
        tags="checkout",
        colour="red",
        to={"email": 5, "locale": "xx-YY-zz-qq", "timezone": "Mars/Base"},
        data={"order": "A-1009"},
    )

    single = await shop.post("/v1/messages", wrong)
    batch = await shop.post("/v1/messages/batch", {"messages": [wrong]})
    explained = await shop.post("/v1/explain", wrong)

    named = {"/tags", "/colour", "/to/email", "/to/locale", "/to/timezone", "/data/total"}
    assert {error["pointer"] for error in single.body["errors"]} == named
    assert {error["pointer"] for error in batch.body["items"][0]["errors"]} == named
    assert {error["pointer"] for error in explained.body["errors"]} == named


async def test_without_a_template_only_the_shape_can_be_told(shop: Caller) -> None:
    refused = await shop.post("/v1/messages", {"to": {"email": "a@example.org", "locale": "xx-YY-zz-qq"}})

    assert [(error["pointer"], error["code"]) for error in refused.body["errors"]] == [("/template", "missing")]


async def test_nothing_is_stored_of_a_refused_message(shop: Caller) -> None:
    await shop.post("/v1/messages", send_body(template="no-such-template"))

    assert (await shop.get("/v1/messages")).body == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("repeat", ['"order-1"', "order-1"], ids=["quoted", "bare"])
async def test_a_repeat_with_the_same_key_and_body_is_the_same_message(shop: Caller, repeat: str) -> None:
    first = await shop.post("/v1/messages", send_body(), Idempotency_Key="order-1")

    again = await shop.post("/v1/messages", send_body(), Idempotency_Key=repeat)

    assert "Idempotent-Replayed" not in first.headers
    assert again.status == 202
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert again.body == first.body


async def test_the_same_key_with_another_body_is_refused(shop: Caller) -> None:
    await shop.post("/v1/messages", send_body(), Idempotency_Key="order-1")

    refused = await shop.post("/v1/messages", send_body(tags=["other"]), Idempotency_Key="order-1")

    assert (refused.status, refused.body["code"]) == (422, "idempotency_mismatch")


async def test_a_refusal_does_not_use_the_key_up(shop: Caller) -> None:
    await shop.post("/v1/messages", send_body(template="no-such-template"), Idempotency_Key="order-1")

    accepted = await shop.post("/v1/messages", send_body(), Idempotency_Key="order-1")

    assert accepted.status == 202
    assert "Idempotent-Replayed" not in accepted.headers


async def test_of_concurrent_posts_with_one_key_exactly_one_is_new(shop: Caller) -> None:
    replies = await asyncio.gather(
        *(shop.post("/v1/messages", send_body(), Idempotency_Key="order-1") for _ in range(20))
    )

    new = [reply for reply in replies if reply.status == 202 and "Idempotent-Replayed" not in reply.headers]
    assert len(new) == 1
    assert {reply.status for reply in replies} <= {202, 409}
    assert {reply.body["id"] for reply in replies if reply.status == 202} == {new[0].body["id"]}


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, '"'], ids=["empty", "space", "long", "quote"])
async def test_an_unusable_idempotency_key_is_refused(shop: Caller, key: str) -> None:
    refused = await shop.post("/v1/messages", send_body(), Idempotency_Key=key)

    assert (refused.status == 202) is (key == '"')
    if key != '"':
        assert refused.body["errors"][0]["pointer"] == "Idempotency-Key"


async def test_traceparent_is_kept_with_the_message_and_passed_on(site: Site, shop: Caller) -> None:
    accepted = await shop.post("/v1/messages", send_body(), traceparent=TRACE)

    assert accepted.headers["traceparent"] == TRACE
    record = await site.gateway.log.read(accepted.body["id"], None)
    assert record.message.traceparent == TRACE


async def test_a_malformed_traceparent_is_left_out(site: Site, shop: Caller) -> None:
    accepted = await shop.post("/v1/messages", send_body(), traceparent="00-" + "0" * 32 + "-b7ad6b7169203331-01")

    assert "traceparent" not in accepted.headers
    assert (await site.gateway.log.read(accepted.body["id"], None)).message.traceparent is None


async def test_each_filter_narrows_the_list(shop: Caller, service: str) -> None:
    wanted = await shop.post("/v1/messages", send_body(tags=["vip"], to={"id": "user-1", "email": "nadia@example.org"}))
    other = await shop.post(
        "/v1/messages",
        send_body(
            template="one-time-code",
            channels=["sms"],
            to={"phone": "+33612345678"},
            data={"code": "123456", "minutes": 10},
        ),
    )
    assert (wanted.status, other.status) == (202, 202), other.body

    for filters in (
        {"channel": "email"},
        {"recipient": "user-1"},
        {"recipient": "nadia@example.org"},
        {"template": "order-shipped"},
        {"topic": "orders"},
        {"category": "transactional"},
        {"tag": "vip"},
        {"text": "nadia"},
        {"service": service, "tag": "vip"},
        {"created_before": "2999-01-01T00:00:00Z", "tag": "vip"},
        {"status": "accepted", "template": "order-shipped"},
    ):
        found = await shop.get("/v1/messages", **filters)
        assert [item["id"] for item in found.body["items"]] == [wanted.body["id"]], filters
    for filters in (
        {"channel": "push"},
        {"status": "delivered"},
        {"provider": "smtp-main"},
        {"locale": "fr"},
        {"created_from": "2999-01-01T00:00:00Z"},
        {"service": "no-such-service"},
    ):
        assert (await shop.get("/v1/messages", **filters)).body["items"] == [], filters


async def test_lists_page_by_cursor_without_loss_or_repetition(shop: Caller) -> None:
    sent = [(await shop.post("/v1/messages", send_body())).body["id"] for _ in range(7)]

    seen: list[str] = []
    params = {"limit": "3"}
    while True:
        page = await shop.get("/v1/messages", **params)
        seen += [item["id"] for item in page.body["items"]]
        if page.body["next_cursor"] is None:
            assert "Link" not in page.headers
            break
        assert 'rel="next"' in page.headers["Link"]
        params["cursor"] = page.body["next_cursor"]

    assert seen == sent[::-1]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "x"},
        {"cursor": "bogus"},
        {"cursor": "a/b"},
        {"status": "lost"},
        {"nope": "1"},
        {"created_from": "today"},
    ],
    ids=str,
)
async def test_a_wrong_query_parameter_is_named(shop: Caller, params: dict[str, str]) -> None:
    refused = await shop.get("/v1/messages", **params)

    assert refused.status == 422
    if params != {"cursor": "bogus"}:
        assert refused.body["errors"][0]["pointer"] == f"?{next(iter(params))}"


async def test_the_timeline_begins_with_acceptance(shop: Caller) -> None:
    accepted = await shop.post("/v1/messages", send_body())

    timeline = await shop.get(f"/v1/messages/{accepted.body['id']}/events")

    assert timeline.body["items"][0]["type"] == "message.accepted"


async def test_a_scheduled_message_can_be_cancelled_once(ops: Caller) -> None:
    sent = await ops.post("/v1/messages", send_body(send_at={"local": "2027-03-01T09:00", "timezone": "Europe/Paris"}))
    assert sent.body["deliveries"][0]["status"] == "scheduled"
    assert sent.body["send_at"] == "2027-03-01T08:00:00Z"

    cancelled = await ops.post(f"/v1/messages/{sent.body['id']}/cancel")

    assert (cancelled.status, cancelled.body["status"]) == (200, "cancelled")
    again = await ops.post(f"/v1/messages/{sent.body['id']}/cancel", {"reason": "still"})
    assert again.status in (200, 409)


async def test_what_did_not_fail_is_not_retried(ops: Caller) -> None:
    sent = await ops.post("/v1/messages", send_body())

    refused = await ops.post(f"/v1/messages/{sent.body['id']}/retry", {"reason": "impatient"})

    assert (refused.status, refused.body["code"]) == (409, "not_failed")
    assert (await ops.post(f"/v1/messages/{sent.body['id']}/retry", {})).status == 422


async def test_secret_values_are_never_shown(shop: Caller) -> None:
    sent = await shop.post(
        "/v1/messages",
        send_body(template="one-time-code", data={"code": "735190", "minutes": 10}, to={"email": "amina@example.org"}),
        Idempotency_Key="code-1",
    )
    assert sent.status == 202, sent.body

    everything = [
        sent.body,
        (await shop.get(sent.headers["Location"])).body,
        (await shop.get("/v1/messages")).body,
        (await shop.get(f"{sent.headers['Location']}/events")).body,
    ]

    assert "735190" not in str(everything)
    assert sent.body["data"]["code"] == "••••"


async def test_explain_answers_what_a_send_would_do_and_stores_nothing(shop: Caller) -> None:
    told = await shop.post("/v1/explain", send_body(at="2026-11-30T12:00:00Z"))

    assert told.status == 200, told.body
    assert told.body["at"] == "2026-11-30T12:00:00Z"
    (delivery,) = told.body["deliveries"]
    assert (delivery["decision"], delivery["route"]) == ("send", ["mailbox"])
    assert delivery["trace"][0]["rule"] == "expiry"
    assert "A-1009" in delivery["content"]["text"]
    assert (await shop.get("/v1/messages")).body["items"] == []


async def test_explain_refuses_what_a_send_would_refuse(shop: Caller) -> None:
    refused = await shop.post("/v1/explain", send_body(data={}))

    assert refused.status == 422
    assert "/data/order" in [error["pointer"] for error in refused.body["errors"]]
