"""Accepting on the real store: every wrong field is named, and one wish is one message."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.delivery.accepting.accept import Accepted, AcceptedBatch, Asked
from gateway.delivery.accepting.idempotency import IdempotencyKey
from gateway.domain.audit import SYSTEM, By
from gateway.domain.encoding import decode
from gateway.domain.ids import RecipientId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import Attachment, LocalTime, Priority, SendRequest
from gateway.domain.recipients import Channel, JsonValue, PushDevice, PushPlatform, Recipient
from gateway.errors import Conflict, GatewayError, IdempotencyMismatch, InvalidRequest, NotFound, Overloaded
from gateway.ports import MessageQuery, SenderIdentity
from tests.factories import NOW, make_recipient, make_request
from tests.fakes import SetClock
from tests.rigs import Rig, open_rig

MODES = ("embedded", "scaled")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A gateway that accepts and sends nothing, at NOW."""
    async with open_rig(tmp_path, clock=SetClock(), work=False) as opened:
        yield opened


def _attachment(**changes: Any) -> Attachment:
    return Attachment(**({"filename": "a.txt", "content_type": "text/plain", "content": b"a"} | changes))


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        pytest.param({"data": {}}, "/data/text", "missing", id="a variable is missing"),
        pytest.param({"data": {"text": "a", "x": 1}}, "/data/x", "unknown_variable", id="a variable is unknown"),
        pytest.param({"to": make_recipient(email="nobody")}, "/to/email", "bad_email", id="no address"),
        pytest.param({"to": make_recipient(phone="0612345678")}, "/to/phone", "bad_phone", id="a national number"),
        pytest.param({"to": make_recipient(locale="xx-YY")}, "/to/locale", "unknown_locale", id="locale"),
        pytest.param({"to": make_recipient(timezone="Mars/X")}, "/to/timezone", "unknown_timezone", id="zone"),
        pytest.param({"to": make_recipient(country="XX")}, "/to/country", "unknown_country", id="country"),
        pytest.param({"to": make_recipient(region="US-TX")}, "/to/region", "bad_region", id="region of another land"),
        pytest.param(
            {"to": make_recipient(push=(PushDevice(platform=PushPlatform.FCM),))},
            "/to/push/0/token",
            "missing",
            id="a device without a token",
        ),
        pytest.param({"to": Recipient(id=RecipientId("gone"))}, "/to/id", "unknown_recipient", id="nobody known"),
        pytest.param({"to": Recipient(locale="fr")}, "/to", "no_address", id="nobody at all"),
        pytest.param({"to": Recipient(email=make_recipient().email), "remember": True}, "/to/id", "missing", id="whom"),
        pytest.param({"channels": ()}, "/channels", "too_short", id="no channel"),
        pytest.param({"channels": (Channel.SMS, Channel.SMS)}, "/channels/1", "repeated", id="a channel twice"),
        pytest.param({"sender": "ceo@example.org"}, "/from", "sender_not_allowed", id="another's name"),
        pytest.param(
            {"attachments": (_attachment(filename="../x"),)}, "/attachments/0/filename", "bad_filename", id="path"
        ),
        pytest.param(
            {"attachments": (_attachment(content_type="a\r\nb"),)},
            "/attachments/0/content_type",
            "bad_content_type",
            id="header in a type",
        ),
        pytest.param(
            {"attachments": (_attachment(), _attachment(content_type="Message/RFC822"))},
            "/attachments/1/content_type",
            "bad_content_type",
            id="a type that may not be encoded",
        ),
        pytest.param({"attachments": (_attachment(),) * 11}, "/attachments", "too_many", id="eleven files"),
        pytest.param({"attachments": (_attachment(content=b"0" * 2**21),)}, "/attachments", "too_large", id="two MiB"),
        pytest.param(
            {"channels": (Channel.SMS,), "attachments": (_attachment(),)}, "/attachments", "no_email", id="by text"
        ),
        pytest.param({"expires_at": NOW - timedelta(seconds=1)}, "/expires_at", "in_the_past", id="over"),
        pytest.param(
            {"send_at": NOW + timedelta(hours=2), "expires_at": NOW + timedelta(hours=1)},
            "/expires_at",
            "before_send_at",
            id="expires before it may go",
        ),
        pytest.param(
            {"send_at": LocalTime(local=(NOW + timedelta(days=1)).replace(tzinfo=None), timezone="Mars/X")},
            "/send_at/timezone",
            "unknown_timezone",
            id="a zone in send_at",
        ),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(
    rig: Rig, changes: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await rig.send(**changes)

    assert (pointer, code) in [(one.pointer, one.code) for one in refused.value.problems]
    assert (await rig.gateway.log.search(MessageQuery())).items == ()


async def test_all_wrong_fields_are_named_at_once(rig: Rig) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await rig.send(to=make_recipient(email="x", locale="zz"), data={}, channels=())

    assert {one.pointer for one in refused.value.problems} == {"/to/email", "/to/locale", "/data/text", "/channels"}


async def test_an_unknown_template_is_refused_with_what_else_is_wrong(rig: Rig) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await rig.gateway.acceptor.accept(
            rig.service_id, True, Asked(request=make_request(template="nope", to=make_recipient(email="x")))
        )

    assert {one.code for one in refused.value.problems} == {"unknown_template", "bad_email"}


async def test_a_text_that_comes_out_blank_is_refused(rig: Rig) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await rig.send("offer", data={})

    assert [one.code for one in refused.value.problems] == ["renders_empty"]


async def test_the_answer_shows_the_message_as_it_will_be_read(rig: Rig) -> None:
    accepted = await rig.send(tags=("a",), metadata={"n": 1}, priority=Priority.HIGH)

    record = await rig.read(accepted)

    answer = decode(accepted.answer)
    assert answer["status"] == "accepted"
    assert answer["recipient"] == {
        "id": "user-42",
        "email": "amina@example.org",
        "phone": "+33612345678",
        "push": [{"platform": "fcm", "token": "device-1"}],
        "locale": "fr-CA",
        "timezone": "America/Toronto",
        "country": "CA",
        "region": None,
        "attributes": {},
    }
    assert record.message.id == answer["id"]
    assert record.message.expires_at == NOW + timedelta(days=3)
    assert [one.delivery.channel for one in record.deliveries] == [Channel.EMAIL]


async def test_inline_values_are_kept_only_when_the_caller_asks(rig: Rig) -> None:
    await rig.send(to=make_recipient(id="one"))
    await rig.send(to=make_recipient(id="two"), remember=True)

    kept = await rig.gateway.recipients.get_recipient(rig.service_id, RecipientId("two"))

    assert kept.email == "amina@example.org"
    with pytest.raises(NotFound):
        await rig.gateway.recipients.get_recipient(rig.service_id, RecipientId("one"))


async def test_a_service_sends_in_its_own_names_only(rig: Rig) -> None:
    identity = SenderIdentity(channel=Channel.EMAIL, sender="Shop <shop@example.org>")
    await rig.gateway.services.update_senders(rig.service_id, [identity])

    accepted = await rig.send(sender="shop@example.org")

    assert decode(accepted.answer)["from"] == "shop@example.org"


async def test_a_repeated_key_gives_the_same_answer_and_one_message(rig: Rig) -> None:
    first = await rig.send(key="k")
    second = await rig.send(key="k")

    assert (first.replayed, second.replayed) == (False, True)
    assert decode(first.answer) == decode(second.answer)
    assert first.message_id == second.message_id
    assert len((await rig.gateway.log.search(MessageQuery())).items) == 1


async def test_the_same_key_for_another_body_is_refused(rig: Rig) -> None:
    await rig.send(key="k")

    with pytest.raises(IdempotencyMismatch):
        await rig.send(key="k", tags=("other",))


async def test_of_concurrent_posts_with_one_key_one_is_stored(rig: Rig) -> None:
    answers = await asyncio.gather(*(rig.send(key="k") for _ in range(20)), return_exceptions=True)

    fresh = [one for one in answers if isinstance(one, Accepted) and not one.replayed]
    waiting = [one for one in answers if isinstance(one, Conflict) and one.conflict_code == "in_flight"]
    assert len(fresh) == 1
    assert len(waiting) == 19
    assert len((await rig.gateway.log.search(MessageQuery())).items) == 1


async def test_a_repeat_is_answered_although_its_expiry_has_passed(tmp_path: Path) -> None:
    clock = SetClock()
    async with open_rig(tmp_path, clock=clock, work=False) as rig:
        first = await rig.send(key="k", expires_at=NOW + timedelta(minutes=1))
        clock.advance(3600)

        second = await rig.send(key="k", expires_at=NOW + timedelta(minutes=1))
        with pytest.raises(IdempotencyMismatch):
            await rig.send(key="k", expires_at=NOW + timedelta(minutes=2))

        assert second.replayed
        assert decode(second.answer) == decode(first.answer)


async def test_a_refusal_keeps_no_key(rig: Rig) -> None:
    with pytest.raises(InvalidRequest):
        await rig.send(key="k", data={})

    assert not (await rig.send(key="k")).replayed


def _refusal(error: GatewayError) -> dict[str, JsonValue]:
    return {"status": "refused", "code": error.code}


def _items(accepted: AcceptedBatch) -> list[Any]:
    items = decode(accepted.answer)["items"]
    assert isinstance(items, list)
    return items


async def test_a_batch_answers_each_item_on_its_own_and_repeats_as_a_whole(rig: Rig) -> None:
    good, bad = make_request(template="note", data={"text": "a"}), make_request(template="note", data={})
    key = IdempotencyKey(key="one", fingerprint="f")
    shape = InvalidRequest("The shape is wrong.")
    items: list[Asked | InvalidRequest] = [
        Asked(request=good, key=key),
        Asked(request=bad),
        shape,
        Asked(request=good, key=key),
        Asked(request=good),
    ]

    async def post() -> AcceptedBatch:
        whole = IdempotencyKey(key="whole", fingerprint="w")
        return await rig.gateway.acceptor.accept_batch(rig.service_id, True, items, whole, _refusal)

    first, second = await post(), await post()

    results = _items(first)
    assert [one["status"] for one in results] == ["accepted", "refused", "refused", "accepted", "accepted"]
    assert results[3]["message"] == results[0]["message"]
    assert (second.replayed, decode(second.answer)) == (True, decode(first.answer))
    assert len((await rig.gateway.log.search(MessageQuery())).items) == 2


async def test_a_batch_of_which_nothing_was_accepted_keeps_no_key(tmp_path: Path) -> None:
    clock = SetClock()
    items = [Asked(request=make_request(template="note", data={"text": "a"}))]
    whole = IdempotencyKey(key="whole", fingerprint="w")
    async with open_rig(tmp_path, clock=clock, work=False, delivery={"shed_after": "1m"}) as rig:
        acceptor, service_id = rig.gateway.acceptor, rig.service_id
        waiting = await rig.send()
        clock.advance(120)
        refused = await acceptor.accept_batch(service_id, True, items, whole, _refusal)
        await rig.gateway.steering.cancel(waiting.message_id, service_id, By(actor=SYSTEM))
        clock.advance(10)

        accepted = await acceptor.accept_batch(service_id, True, items, whole, _refusal)
        again = await acceptor.accept_batch(service_id, True, items, whole, _refusal)

        assert _items(refused) == [{"status": "refused", "code": "overloaded"}]
        assert [one["status"] for one in _items(accepted)] == ["accepted"]
        assert (again.replayed, decode(again.answer)) == (True, decode(accepted.answer))


async def test_a_repeated_item_of_a_batch_is_answered_although_its_expiry_has_passed(tmp_path: Path) -> None:
    clock = SetClock()
    request = make_request(template="note", data={"text": "a"}, expires_at=NOW + timedelta(minutes=1))
    items = [
        Asked(request=request, key=IdempotencyKey(key="one", fingerprint="f")),
        Asked(request=request, key=IdempotencyKey(key="two", fingerprint="f")),
    ]
    async with open_rig(tmp_path, clock=clock, work=False) as rig:
        acceptor, service_id = rig.gateway.acceptor, rig.service_id
        first = await acceptor.accept_batch(service_id, True, items[:1], None, _refusal)
        clock.advance(3600)

        second = await acceptor.accept_batch(service_id, True, items, None, _refusal)
        other = Asked(request=request, key=IdempotencyKey(key="one", fingerprint="g"))
        third = await acceptor.accept_batch(service_id, True, [other], None, _refusal)

        (accepted,) = _items(first)
        assert _items(second) == [{**accepted, "replayed": True}, {"status": "refused", "code": "invalid_request"}]
        assert _items(third) == [{"status": "refused", "code": "idempotency_mismatch"}]


async def test_a_backlog_that_is_too_old_sheds_ordinary_lanes_first(tmp_path: Path) -> None:
    clock = SetClock()
    async with open_rig(tmp_path, clock=clock, work=False, delivery={"shed_after": "1m"}) as rig:
        await rig.send()
        clock.advance(120)

        with pytest.raises(Overloaded) as shed:
            await rig.send()
        urgent = await rig.send("code")
        clock.advance(600)
        with pytest.raises(Overloaded):
            await rig.send("code")

        assert shed.value.retry_after_seconds > 0
        assert decode(urgent.answer)["category"] == "critical"


async def test_explain_decides_and_renders_as_a_send_would_and_stores_nothing(rig: Rig) -> None:
    request = make_request(template="offer", data={"text": "x"}, strategy=Strategy.ALL)

    told = await rig.gateway.explainer.explain(rig.service_id, True, request)

    deliveries = told["deliveries"]
    assert isinstance(deliveries, list)
    email: Any = deliveries[0]
    assert (email["channel"], email["decision"], email["reason"]) == ("email", "suppress", "no_consent")
    assert email["route"] == ["mailbox"]
    assert email["content"]["subject"] == "An offer"
    assert [step["rule"] for step in email["trace"]] == ["expiry", "suppression", "consent"]
    assert told["locale"] == {"requested": "fr-CA", "resolved": "en", "missing": []}
    assert (await rig.gateway.log.search(MessageQuery())).items == ()


async def test_explain_holds_what_is_for_later(rig: Rig) -> None:
    request = make_request(template="note", data={"text": "x"}, send_at=NOW + timedelta(hours=1))

    told = await rig.gateway.explainer.explain(rig.service_id, True, request)

    deliveries: Any = told["deliveries"]
    assert {one["decision"] for one in deliveries} == {"hold"}
    assert deliveries[0]["not_before"] == "2026-11-22T13:00:00Z"


async def test_a_preview_shows_what_is_sent(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        record = await rig.settled(await rig.send(channels=(Channel.SMS,)), DeliveryStatus.DELIVERED)

        shown: Any = rig.gateway.previewer.preview("note", Channel.SMS, data={"text": "hello"})

        assert shown["content"]["text"] == getattr(record.deliveries[0].content, "text", None)


async def test_a_preview_hides_secret_values_as_explain_does(rig: Rig) -> None:
    request = SendRequest(template="code", to=make_recipient(), data={"code": "908172"})
    explained: Any = await rig.gateway.explainer.explain(rig.service_id, True, request)

    given: Any = rig.gateway.previewer.preview("code", Channel.SMS, data={"code": "908172"})
    sample: Any = rig.gateway.previewer.preview("code", Channel.SMS)

    assert given["content"] == sample["content"] == explained["deliveries"][0]["content"]
    assert given["content"]["text"] == "Your code is ••••"
    assert given["content"]["encoding"] == "gsm-7"


async def test_a_preview_knows_the_pseudo_locales_and_names_what_is_wrong(rig: Rig) -> None:
    shown: Any = rig.gateway.previewer.preview("note", Channel.EMAIL, locale="en-XA", sample="usual")
    with pytest.raises(InvalidRequest) as refused:
        rig.gateway.previewer.preview("code", Channel.EMAIL, locale="xx", timezone="Mars/X", sample="none")

    assert shown["locale"]["resolved"] == "en-XA"
    assert {one.pointer for one in refused.value.problems} == {"/channel", "/locale", "/timezone", "/sample"}
