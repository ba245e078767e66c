"""Recipients, what they want, addresses never written to, and what can be sent."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from tests.http import ALL_SCOPES, Caller, Site, send_body

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")

AMINA = {
    "email": "amina@EXAMPLE.org",
    "phone": "+33 6 12 34 56 78",
    "push": [{"platform": "fcm", "token": "device-1"}],
    "locale": "fr_ca",
    "timezone": "America/Toronto",
    "country": "ca",
    "region": "CA-QC",
    "attributes": {"tier": "gold"},
}


def consent(**changes: Any) -> dict[str, Any]:
    line = {"channel": "email", "topic": "newsletter", "state": "granted", "source": "signup-form", **changes}
    return {"consents": [line]}


async def test_a_recipient_is_kept_in_normal_form_and_replaced_whole(ops: Caller) -> None:
    created = await ops.put("/v1/recipients/user-42", AMINA)
    read = await ops.get("/v1/recipients/user-42")
    replaced = await ops.put("/v1/recipients/user-42", {"email": "other@example.org"})

    assert (created.status, replaced.status) == (201, 200)
    assert read.body == created.body
    assert (read.body["email"], read.body["phone"]) == ("amina@example.org", "+33612345678")
    assert (read.body["locale"], read.body["country"]) == ("fr-CA", "CA")
    assert (replaced.body["phone"], replaced.body["attributes"]) == (None, {})


async def test_every_wrong_value_of_a_recipient_is_named(ops: Caller) -> None:
    body = {"email": "x", "phone": "1", "locale": "qq-ZZ", "timezone": "Nowhere", "country": "QQ"}

    refused = await ops.put("/v1/recipients/user-42", body)

    assert refused.status == 422
    assert {error["pointer"] for error in refused.body["errors"]} == {f"/{name}" for name in body}


@pytest.mark.parametrize("recipient_id", ["user/42", "usér ✓", "..", "a%2Fb", "'; DROP TABLE"])
async def test_a_recipients_id_is_the_callers_own_business(ops: Caller, recipient_id: str) -> None:
    path = f"/v1/recipients/{quote(recipient_id, safe='')}"
    kept = await ops.put(path, {"email": "amina@example.org"})

    assert kept.status in (200, 201) or recipient_id == ".."
    if kept.status < 300:
        assert kept.body["id"] == recipient_id


async def test_recipients_are_listed_newest_first_and_found_by_an_address(ops: Caller) -> None:
    for number in range(3):
        await ops.put(
            f"/v1/recipients/user-{number}", {"email": f"u{number}@example.org", "phone": f"+336123456{number}0"}
        )

    first = await ops.get("/v1/recipients", limit="2")
    rest = await ops.get("/v1/recipients", limit="2", cursor=first.body["next_cursor"])
    by_email = await ops.get("/v1/recipients", email="u1@EXAMPLE.org")
    by_phone = await ops.get("/v1/recipients", phone="+33 6 12 34 56 20")
    refused = await ops.get("/v1/recipients", phone="0612")

    assert [item["id"] for item in first.body["items"] + rest.body["items"]] == ["user-2", "user-1", "user-0"]
    assert (len(first.body["items"]), rest.body["next_cursor"]) == (2, None)
    assert [item["id"] for item in by_email.body["items"]] == ["user-1"]
    assert [item["id"] for item in by_phone.body["items"]] == ["user-2"]
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "?phone")


async def test_nobody_lists_another_services_recipients(site: Site, ops: Caller) -> None:
    other = await site.caller("another-service-with-people", ALL_SCOPES)
    await other.put("/v1/recipients/theirs", AMINA)

    listed = await ops.get("/v1/recipients")

    assert listed.body["items"] == []


async def test_many_recipients_are_kept_each_on_its_own(ops: Caller) -> None:
    await ops.put("/v1/recipients/known", {"email": "known@example.org"})
    await ops.post("/v1/suppressions", {"channel": "email", "address": "left@example.org", "reason": "complaint"})
    people = [
        {"id": "known", "phone": "+33612345678"},
        {"id": "new", **AMINA},
        {"id": "wrong", "email": "x", "timezone": "Nowhere"},
        {"id": "left", "email": "Left@example.org"},
        {"id": "new", "email": "again@example.org"},
        {"email": "nobody@example.org"},
    ]

    answer = await ops.post("/v1/recipients/batch", {"recipients": people})

    assert answer.status == 200
    results = answer.body["items"]
    assert [item["status"] for item in results] == ["replaced", "created", "refused", "created", "replaced", "refused"]
    assert [error["pointer"] for error in results[2]["errors"]] == ["/email", "/timezone"]
    assert [error["pointer"] for error in results[5]["errors"]] == ["/id"]
    assert [results[1]["suppressed"], results[3]["suppressed"]] == [[], ["email"]]
    assert (await ops.get("/v1/recipients/known")).body["email"] is None
    assert (await ops.get("/v1/recipients/new")).body["email"] == "again@example.org"


async def test_a_person_may_be_called_batch(ops: Caller) -> None:
    kept = await ops.put("/v1/recipients/batch", AMINA)
    read = await ops.get("/v1/recipients/batch")

    assert (kept.status, read.body["id"]) == (201, "batch")


async def test_many_suppressions_stand_each_on_its_own(ops: Caller) -> None:
    one = {"channel": "sms", "address": "+33 6 11 22 33 44", "reason": "stop"}
    given = [one, {**one, "address": "12"}, {**one, "expires_at": "2100-01-01T00:00:00Z"}, one]

    answer = await ops.post("/v1/suppressions/batch", {"suppressions": given})

    results = answer.body["items"]
    assert [item["status"] for item in results] == ["added", "refused", "refused", "stood"]
    assert results[3]["id"] == results[0]["id"]
    assert [results[n]["errors"][0]["code"] for n in (1, 2)] == ["bad_phone", "never_ends"]


async def test_the_latest_word_holds_and_the_history_keeps_all(ops: Caller) -> None:
    await ops.put("/v1/recipients/user-1/consents", consent(at="2026-01-01T00:00:00Z", wording="Yes, news please"))
    denied = await ops.put("/v1/recipients/user-1/consents", consent(state="denied"))

    now = await ops.get("/v1/recipients/user-1/consents")
    history = await ops.get("/v1/recipients/user-1/consents/history")

    assert [line["state"] for line in now.body["items"]] == ["denied"]
    assert now.body == denied.body
    assert [line["state"] for line in history.body["items"]] == ["denied", "granted"]
    assert history.body["items"][1]["wording"] == "Yes, news please"
    assert history.body["items"][1]["at"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "/consents/0/at"),
        ({"locale": "qq-ZZ"}, "/consents/0/locale"),
        ({"topic": "News Letter"}, "/consents/0/topic"),
        ({"state": "maybe"}, "/consents/0/state"),
        ({"source": "a\nb"}, "/consents/0/source"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_consent_that_cannot_be_is_refused(ops: Caller, change: dict[str, Any], pointer: str) -> None:
    refused = await ops.put("/v1/recipients/user-2/consents", consent(**change))

    assert refused.status == 422
    assert [error["pointer"] for error in refused.body["errors"]] == [pointer]
    assert (await ops.get("/v1/recipients/user-2/consents")).status == 404


async def test_a_suppression_stands_once_and_can_be_lifted(ops: Caller) -> None:
    body = {"channel": "sms", "address": "+33 6 98 76 54 32", "reason": "manual"}

    made = await ops.post("/v1/suppressions", body)
    again = await ops.post("/v1/suppressions", body)
    found = await ops.get("/v1/suppressions", channel="sms", address="+33698765432")
    lifted = await ops.call("DELETE", f"/v1/suppressions/{made.body['id']}")

    assert (made.status, again.status, lifted.status) == (201, 200, 204)
    assert made.body["address"] == "+33698765432"
    assert again.body["id"] == made.body["id"]
    assert [item["id"] for item in found.body["items"]] == [made.body["id"]]
    assert (await ops.get("/v1/suppressions", channel="sms", address="+33698765432")).body["items"] == []
    assert (await ops.call("DELETE", f"/v1/suppressions/{made.body['id']}")).status == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"address": "not-a-number"}, "/address"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"scope": "topic:"}, "/scope"),
        ({"reason": "because"}, "/reason"),
        ({"reason": "stop", "expires_at": "2100-01-01T00:00:00Z"}, "/expires_at"),
        ({"reason": "complaint", "expires_at": "2100-01-01T00:00:00Z"}, "/expires_at"),
    ],
)
async def test_a_wrong_suppression_is_named(ops: Caller, change: dict[str, Any], pointer: str) -> None:
    body = {"channel": "sms", "address": "+33698765432", "reason": "manual", **change}

    refused = await ops.post("/v1/suppressions", body)

    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, pointer)


async def test_templates_are_listed_with_their_variables_and_samples(shop: Caller) -> None:
    listed = await shop.get("/v1/templates")
    one = await shop.get("/v1/templates/one-time-code")

    names = [item["name"] for item in listed.body["items"]]
    assert names == sorted(names)
    assert "one-time-code" in names
    assert one.body["variables"]["code"] == {"type": "string", "optional": False, "secret": True, "max_length": 12}
    assert "usual" in one.body["samples"]
    assert (await shop.get("/v1/templates/no-such-template")).status == 404


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "order-shipped%00", "order-shipped/", "_layouts"]
)
async def test_no_name_leads_out_of_the_templates(shop: Caller, name: str) -> None:
    path = URL(f"/v1/templates/{name}", encoded=True)

    assert (await shop.get(path)).status in (401, 404)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("locale", "resolved"),
    [("en-XA", "en-XA"), ("ar-XB", "ar-XB"), ("zh-HK", "zh-Hant"), ("fr-CA", "fr-CA"), ("nb", "en")],
)
async def test_a_preview_shows_the_text_in_the_language_that_is_found(shop: Caller, locale: str, resolved: str) -> None:
    shown = await shop.post("/v1/templates/order-shipped/preview", {"channel": "sms", "locale": locale})

    assert shown.status == 200, shown.body
    assert shown.body["locale"]["resolved"] == resolved
    assert shown.body["content"]["segments"] >= 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channel": "sms", "locale": "qq"}, "/locale"),
        ({"channel": "sms", "timezone": "Nowhere"}, "/timezone"),
        ({"channel": "sms", "sample": "nope"}, "/sample"),
        ({"channel": "sms", "data": {}}, "/data/order"),
        ({"channel": "fax"}, "/channel"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_wrong_preview_is_named(shop: Caller, body: dict[str, Any], pointer: str) -> None:
    refused = await shop.post("/v1/templates/order-shipped/preview", body)

    assert refused.status == 422
    assert pointer in [error["pointer"] for error in refused.body["errors"]]


async def test_a_batch_answers_each_item_on_its_own(shop: Caller) -> None:
    wrong = send_body(data={})
    body = {"messages": [send_body(idempotency_key="k1"), wrong, "no object", send_body(idempotency_key="k1")]}

    answered = await shop.post("/v1/messages/batch", body)

    first, second, third, fourth = answered.body["items"]
    assert answered.status == 202
    assert (first["status"], second["status"], third["status"], fourth["status"]) == (
        "accepted",
        "refused",
        "refused",
        "accepted",
    )
    assert second["code"] == "invalid_request"
    assert "/data/order" in [error["pointer"] for error in second["errors"]]
    assert fourth["message"]["id"] == first["message"]["id"]
    assert fourth["replayed"] is True
    assert len((await shop.get("/v1/messages")).body["items"]) == 1


async def test_one_message_goes_to_many_with_their_own_data(shop: Caller) -> None:
    shared = {name: value for name, value in send_body().items() if name != "to"}
    people = [
        {"to": {"email": "a@example.org"}, "data": {"order": "A-1"}},
        {"to": {"email": "b@example.org"}},
        {"to": {"email": "broken"}},
        {"to": {"email": "c@example.org"}, "template": "receipt"},
    ]

    answered = await shop.post("/v1/messages/batch", {"message": shared, "recipients": people})

    items = answered.body["items"]
    assert [item["status"] for item in items] == ["accepted", "accepted", "refused", "refused"]
    assert [item["message"]["data"]["order"] for item in items[:2]] == ["A-1", "A-1009"]
    assert items[2]["errors"][0]["pointer"] == "/to/email"
    assert items[3]["errors"][0]["pointer"] == "/template"


async def test_a_whole_batch_is_repeated_by_its_header(shop: Caller) -> None:
    body = {"messages": [send_body(), send_body(template="nope")]}

    first = await shop.post("/v1/messages/batch", body, Idempotency_Key="batch-1")
    again = await shop.post("/v1/messages/batch", body, Idempotency_Key="batch-1")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body
    assert len((await shop.get("/v1/messages")).body["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [{}] * 1001},
        {"messages": [{}], "message": {}, "recipients": [{}]},
        {"message": {}},
        {"message": {"to": {}}, "recipients": [{}]},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_a_batch_in_neither_form_is_refused_whole(shop: Caller, body: dict[str, Any]) -> None:
    assert (await shop.post("/v1/messages/batch", body)).status == 422


async def test_a_thousand_messages_go_in_one_batch_and_count_against_the_rate(site: Site, service: str) -> None:
    caller = await site.caller(service, ALL_SCOPES, rate=100)

    answered = await caller.post("/v1/messages/batch", {"messages": [send_body()] * 1000})
    refused = await caller.get("/v1/messages")

    assert {item["status"] for item in answered.body["items"]} == {"accepted"}
    assert len({item["message"]["id"] for item in answered.body["items"]}) == 1000
    assert (refused.status, refused.body["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 1


async def test_one_wish_has_one_key_in_every_form(shop: Caller) -> None:
    single = await shop.post("/v1/messages", send_body(), Idempotency_Key="wish-1")
    shared = {name: value for name, value in send_body(data={"order": "A-1009"}).items() if name != "to"}
    rest = {name: value for name, value in send_body()["data"].items() if name != "order"}
    person = {"to": {"email": "amina@example.org"}, "data": rest, "idempotency_key": "wish-1"}

    many = await shop.post("/v1/messages/batch", {"message": shared, "recipients": [person]})

    assert many.body["items"][0]["message"]["id"] == single.body["id"]


async def test_all_that_is_held_is_exported_and_then_erased(ops: Caller) -> None:
    await ops.put("/v1/recipients/amina", AMINA)
    await ops.put("/v1/recipients/amina/consents", consent(wording="Yes, news please"))
    suppression = {"channel": "email", "address": "amina@example.org", "reason": "manual", "scope": "marketing"}
    await ops.post("/v1/suppressions", suppression)
    attached = {"filename": "bill.txt", "content_type": "text/plain", "content": "SGVsbG8="}
    to = {"id": "amina", "email": "other@example.org"}
    sent = await ops.post("/v1/messages", send_body(to=to, attachments=[attached]), **{"Idempotency-Key": "order-1"})
    inline = await ops.post("/v1/messages", send_body(to={"email": "AMINA@example.org"}))
    stranger = await ops.post("/v1/messages", send_body(to={"email": "bea@example.org"}))

    exported = await ops.get("/v1/recipients/amina/export", reason="she asked")
    erased = await ops.call("DELETE", "/v1/recipients/amina?reason=she%20asked")

    assert exported.status == 200
    held = exported.body
    assert [person["email"] for person in held["recipient"]] == ["amina@example.org"]
    assert [line["wording"] for line in held["consents"]] == ["Yes, news please"]
    assert [one["address"] for one in held["suppressions"]] == ["amina@example.org"]
    assert [message["id"] for message in held["messages"]] == [sent.body["id"], inline.body["id"]]
    assert held["messages"][0]["attachments"][0]["content"] == "SGVsbG8="
    assert held["messages"][0]["events"][0]["type"] == "message.accepted"
    assert (held["audit"][0]["action"], held["audit"][0]["reason"]) == ("recipient.export", "she asked")
    assert erased.status == 204
    assert [(await ops.get(f"/v1/recipients/amina{rest}")).status for rest in ("", "/consents", "/export")] == [404] * 3
    assert (await ops.call("DELETE", "/v1/recipients/amina")).status == 404
    left = [(await ops.get(f"/v1/messages/{one.body['id']}")).body for one in (sent, inline, stranger)]
    assert [message["status"] for message in left] == ["cancelled", "cancelled", "accepted"]
    assert [message["recipient"]["email"] for message in left] == [None, None, "bea@example.org"]
    found = await ops.get("/v1/suppressions", channel="email", address="amina@example.org")
    assert [(one["address"], one["scope"]) for one in found.body["items"]] == [(None, "marketing")]


async def test_nobody_exports_or_erases_another_services_recipient(site: Site, ops: Caller) -> None:
    other = await site.caller("a-service-that-asks", ALL_SCOPES)
    await ops.put("/v1/recipients/ours", AMINA)

    asked = [await other.get("/v1/recipients/ours/export"), await other.call("DELETE", "/v1/recipients/ours")]

    assert [reply.status for reply in asked] == [404, 404]
    assert (await ops.get("/v1/recipients/ours")).status == 200
