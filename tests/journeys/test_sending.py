"""Stories as a calling service lives them, through the HTTP API alone; people read in the mailbox."""

from urllib.parse import urlsplit

import pytest

from gateway.domain.ids import DeliveryId
from tests.http import Caller, Site, send_body, settled

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFER = {
    "template": "win-back-offer",
    "to": {"id": "user-42", "email": "amina@example.org", "locale": "de"},
    "channels": ["email"],
}


async def read_mail(site: Site, delivery_id: str) -> str:
    """What the reader got for a delivery, all of it as text."""
    item = await site.gateway.mailbox.get_item(DeliveryId(delivery_id))
    return f"{item.content} {(item.raw or b'').decode(errors='replace')}"


async def test_a_person_signs_up_and_gets_the_code_that_nobody_else_sees(site: Site, shop: Caller) -> None:
    sent = await shop.post(
        "/v1/messages",
        {
            "template": "one-time-code",
            "to": {"phone": "+33612345678", "locale": "fr"},
            "data": {"code": "804215", "minutes": 10},
        },
    )

    message = await settled(shop, sent.body["id"], "delivered")

    (delivery,) = message["deliveries"]
    timeline = await shop.get(f"/v1/messages/{message['id']}/events")
    assert delivery["channel"] == "sms"
    assert "804215" in await read_mail(site, delivery["id"])
    assert "804215" not in f"{message} {timeline.body}"
    assert "••••" in delivery["content"]["text"]
    assert message["locale"] == "fr"


async def test_an_order_falls_from_push_to_sms_to_email(site: Site, shop: Caller) -> None:
    await shop.post("/v1/suppressions", {"channel": "push", "address": "dead-token", "reason": "manual"})
    await shop.post("/v1/suppressions", {"channel": "sms", "address": "+33698765432", "reason": "stop"})

    sent = await shop.post(
        "/v1/messages",
        send_body(
            channels=["push", "sms", "email"],
            strategy="first",
            to={
                "push": [{"platform": "fcm", "token": "dead-token"}],
                "phone": "+33698765432",
                "email": "amina@example.org",
                "locale": "fr-CA",
                "timezone": "America/Toronto",
            },
        ),
    )
    message = await settled(shop, sent.body["id"], "delivered")

    told = [(one["channel"], one["status"], one["reason"]) for one in message["deliveries"]]
    assert [one[:2] for one in told] == [("push", "suppressed"), ("sms", "suppressed"), ("email", "delivered")], told
    mail = message["deliveries"][2]
    assert mail["attempts"][0]["outcome"] == "delivered"
    assert "A-1009" in mail["content"]["text"]
    assert 'lang="fr-CA"' in mail["content"]["html"]
    types = [event["type"] for event in (await shop.get(f"/v1/messages/{message['id']}/events")).body["items"]]
    assert types[0] == "message.accepted"
    assert types.count("delivery.suppressed") == 2
    assert types[-1] == "delivery.delivered"


async def test_marketing_waits_for_a_yes_and_stops_at_one_click(site: Site, shop: Caller) -> None:
    sample = (await shop.get("/v1/templates/win-back-offer")).body
    offer = {**OFFER, "data": sample["samples"]["usual"]}
    topic = sample["topic"]

    unasked = await shop.post("/v1/messages", offer)
    assert (await settled(shop, unasked.body["id"]))["status"] == "suppressed"

    yes = {"channel": "email", "topic": topic, "state": "granted", "source": "signup-form", "wording": "Ja, gerne"}
    await shop.put("/v1/recipients/user-42/consents", {"consents": [yes]})
    wanted = await shop.post("/v1/messages", offer)
    message = await settled(shop, wanted.body["id"], "delivered")
    headers = message["deliveries"][0]["content"]["headers"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["locale"] == "de"

    link = urlsplit(headers["List-Unsubscribe"].strip("<>")).path
    looked = await shop.get(link)
    assert looked.status == 200
    assert [line["state"] for line in (await shop.get("/v1/recipients/user-42/consents")).body["items"]] == ["granted"]
    form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": ""}
    clicked = await shop.call("POST", link, raw=b"List-Unsubscribe=One-Click", headers=form)
    assert clicked.status == 200

    history = (await shop.get("/v1/recipients/user-42/consents/history")).body["items"]
    assert [(line["state"], line["source"]) for line in history] == [
        ("denied", "one-click"),
        ("granted", "signup-form"),
    ]
    unwanted = await shop.post("/v1/messages", offer)
    refused = await settled(shop, unwanted.body["id"])
    assert (refused["status"], refused["deliveries"][0]["reason"]) == ("suppressed", "consent_denied")


async def test_a_scheduled_message_is_taken_back_in_time(site: Site, shop: Caller) -> None:
    sent = await shop.post(
        "/v1/messages",
        send_body(
            to={"email": "amina@example.org", "timezone": "America/Toronto"},
            send_at={"local": "2027-12-01T09:00", "timezone": "recipient"},
        ),
    )
    assert (sent.body["status"], sent.body["send_at"]) == ("scheduled", "2027-12-01T14:00:00Z")

    cancelled = await shop.post(f"/v1/messages/{sent.body['id']}/cancel", {"reason": "order returned"})

    assert cancelled.body["status"] == "cancelled"
    assert cancelled.body["deliveries"][0]["attempts"] == []
    late = await shop.post("/v1/messages", send_body())
    await settled(shop, late.body["id"], "delivered")
    refused = await shop.post(f"/v1/messages/{late.body['id']}/cancel")
    assert (refused.status, refused.body["code"]) == (409, "too_late")


async def test_a_service_that_lost_our_answer_asks_again_and_nothing_is_sent_twice(site: Site, shop: Caller) -> None:
    body = send_body(tags=["lost-answer"])
    first = await shop.post("/v1/messages", body, Idempotency_Key="order-A-1009")
    await settled(shop, first.body["id"], "delivered")

    again = await shop.post("/v1/messages", body, Idempotency_Key="order-A-1009")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body
    listed = (await shop.get("/v1/messages", tag="lost-answer")).body["items"]
    assert [message["id"] for message in listed] == [first.body["id"]]
    assert len(listed[0]["deliveries"][0]["attempts"]) == 1


async def test_what_explain_shows_is_what_is_sent(shop: Caller) -> None:
    body = send_body(to={"email": "amina@example.org", "locale": "ja", "timezone": "Asia/Tokyo"})

    told = await shop.post("/v1/explain", body)
    sent = await shop.post("/v1/messages", body)
    message = await settled(shop, sent.body["id"], "delivered")

    shown, got = told.body["deliveries"][0]["content"], message["deliveries"][0]["content"]
    assert (shown["subject"], shown["text"]) == (got["subject"], got["text"])
    assert told.body["locale"]["resolved"] == message["locale"] == "ja"
