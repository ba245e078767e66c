"""One JSON shape for everything that is shown."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.delivery.presentation import (
    accepted_json,
    content_json,
    decisions_json,
    delivery_json,
    event_json,
    message_json,
)
from gateway.domain.ids import RecipientId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import (
    Attachment,
    DeviceResult,
    EmailContent,
    Outcome,
    PushContent,
    SendResult,
    SmsContent,
    Versions,
)
from gateway.domain.recipients import Channel, PushDevice, PushPlatform, Recipient
from gateway.ports import DeliveryRecord, MessageRecord
from tests.factories import NOW, make_attempt, make_delivery, make_event, make_message, make_recipient

PHONE = PushDevice(platform=PushPlatform.FCM, token="device-1")
BROWSER = PushDevice(platform=PushPlatform.WEBPUSH, subscription={"endpoint": "https://push.example/1"})


def _record(**changes: object) -> DeliveryRecord:
    return DeliveryRecord(
        **({"delivery": make_delivery(), "attempts": (), "content": None, "address": None} | changes)  # type: ignore[arg-type]
    )


def test_a_message_is_json_with_every_word_of_the_contract() -> None:
    later = make_delivery(id="dlv_0", channel=Channel.SMS, created_at=NOW + timedelta(seconds=1))
    message = make_message(
        channels=(Channel.EMAIL, Channel.SMS),
        to=make_recipient(push=(BROWSER,)),
        attachments=(Attachment(filename="a.txt", content_type="text/plain", content=b"abc"),),
    )
    versions = Versions(
        template="t", catalogs="c", requested_locale="fr-CA", resolved_locale="fr", missing=("fr-CA: x",)
    )
    record = MessageRecord(
        message=message,
        status=DeliveryStatus.ACCEPTED,
        deliveries=(_record(delivery=later), _record()),
        versions=versions,
    )

    shown = json.loads(json.dumps(message_json(record)))

    assert shown["id"] == "msg_1"
    assert shown["created_at"] == "2026-11-22T12:00:00Z"
    assert [one["id"] for one in shown["deliveries"]] == ["dlv_1", "dlv_0"]
    assert shown["attachments"] == [{"filename": "a.txt", "content_type": "text/plain", "inline_id": None, "bytes": 3}]
    assert shown["recipient"]["push"] == [
        {"platform": "webpush", "subscription": {"endpoint": "https://push.example/1"}}
    ]
    assert shown["versions"]["missing"] == ["fr-CA: x"]
    assert shown["test"] is False


def test_a_push_delivery_lists_its_devices() -> None:
    device = DeviceResult(platform="fcm", status="delivered", provider_message_id="m")
    attempt = make_attempt(finished_at=NOW, result=SendResult(outcome=Outcome.DELIVERED, devices=(device,)))

    shown = delivery_json(_record(attempts=(attempt,)))

    assert shown["devices"] == [{"platform": "fcm", "status": "delivered", "reason": None, "provider_message_id": "m"}]


def test_each_channels_content_has_its_own_members() -> None:
    email = EmailContent(subject="s", preheader="p", html="h", text="t", locale="en", headers=(("List-Id", "x"),))
    sms = SmsContent(text="t", encoding="gsm-7", units=1, segments=1, locale="en")
    push = PushContent(title="t", body="b", locale="en", bytes=10)

    assert content_json(email)["headers"] == {"List-Id": "x"}
    assert content_json(sms) == {"text": "t", "encoding": "gsm-7", "units": 1, "segments": 1}
    assert content_json(push)["bytes"] == 10


def test_an_event_tells_what_when_and_of_which_delivery() -> None:
    assert event_json(make_event()) == {
        "id": "evt_1",
        "type": "message.accepted",
        "at": "2026-11-22T12:00:00Z",
        "delivery_id": None,
        "data": {},
    }


def test_the_latest_decision_on_each_delivery_is_read_from_the_timeline() -> None:
    step = {"rule": "expiry", "verdict": "pass", "saw": {}}
    held = {"decision": "hold", "reason": "quiet_hours", "rule": "night", "not_before": "2026-12-01T08:00:00Z"}
    timeline = [
        make_event(id="evt_1", delivery_id=None, data={"template": "note"}),
        make_event(id="evt_2", delivery_id="dlv_a", data={**held, "trace": [step]}),
        make_event(id="evt_3", delivery_id="dlv_a", data={"decision": "send", "route": ["relay"], "trace": [step]}),
        make_event(id="evt_4", delivery_id="dlv_a", data={"outcome": "delivered"}),
    ]

    decisions = decisions_json(timeline)

    assert list(decisions) == ["dlv_a"]
    assert decisions["dlv_a"]["decision"] == "send"
    assert decisions["dlv_a"]["route"] == ["relay"]
    assert decisions["dlv_a"]["trace"] == [step]
    assert (decisions["dlv_a"]["reason"], decisions["dlv_a"]["not_before"]) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"to": Recipient(id=RecipientId("user-42"), attributes={"vip": True}), "live": False},
        {"channels": (Channel.PUSH, Channel.SMS, Channel.EMAIL), "to": make_recipient(push=(PHONE, BROWSER))},
        {"send_at": NOW + timedelta(hours=1), "sender": "shop@example.org", "tags": ("a", "b")},
        {"data": {"text": "„Grüße“ \u2028 \x7f", "n": 2**60, "x": 1.5}, "metadata": {"a": {"b": [None, True]}}},
        {"attachments": (Attachment(filename="a.txt", content_type="text/plain", content=b"abc", inline_id="a"),)},
    ],
    ids=["plain", "attributes", "channels", "later", "data", "attachments"],
)
def test_the_text_of_a_202_says_what_the_message_says_when_it_is_read(changes: dict[str, Any]) -> None:
    message = make_message(**changes)
    status = DeliveryStatus.ACCEPTED if message.send_at is None else DeliveryStatus.SCHEDULED
    deliveries = [
        make_delivery(id=f"dlv_{channel}", channel=channel, status=status, not_before=message.send_at)
        for channel in message.channels
    ]
    record = MessageRecord(
        message=message,
        status=status,
        deliveries=tuple(
            _record(delivery=one, address=next(iter(message.to.addresses(one.channel)), None)) for one in deliveries
        ),
        versions=None,
    )

    text = accepted_json(message, deliveries)

    assert json.loads(text) == message_json(record)
    assert list(json.loads(text)) == list(message_json(record))
