"""The delivery log and a message's page: filters live in the URL, and whatever a message holds is only text."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp.test_utils import TestClient

from gateway.delivery.presentation import JsonObject
from gateway.domain.audit import AuditAction
from gateway.domain.engagement import Engagement, EngagementKind, Maker
from gateway.domain.ids import DeliveryId, EngagementId, MessageId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import DeviceResult, EmailContent, Outcome, SendResult, SmsContent, Versions
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import replace
from gateway.ports import DeliveryRecord, MailboxItem, MessageRecord
from tests.factories import NOW, make_attempt, make_delivery, make_event, make_message, make_recipient
from tests.page_stores import MemoryAudit, MemoryEngagements, MemoryLog, MemoryMailbox
from tests.pages import Html, make_console

Client = Callable[[Any], Awaitable[TestClient[Any, Any]]]
CANARY = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&{{7*7}}%(x)s"


def make_record(**changes: Any) -> MessageRecord:
    """An e-mail to Amina that was sent."""
    message = make_message(locale="fr-CA", tags=("checkout",), **changes)
    content = EmailContent(subject="Bonjour", preheader="", html="<p>Bonjour</p>", text="Bonjour", locale="fr-CA")
    delivery = DeliveryRecord(
        delivery=make_delivery(status=DeliveryStatus.SENT, message_id=message.id),
        attempts=(make_attempt(finished_at=NOW, result=SendResult(outcome=Outcome.SENT, code="250 2.0.0")),),
        content=content,
        address="amina@example.org",
    )
    versions = Versions(template="t1", catalogs="c1", requested_locale="fr-CA", resolved_locale="fr-CA")
    return MessageRecord(message=message, status=DeliveryStatus.SENT, deliveries=(delivery,), versions=versions)


async def read(client: TestClient[Any, Any], path: str, status: int = 200) -> Html:
    async with client.get(path) as response:
        assert response.status == status, path
        return Html(await response.text())


async def test_a_lost_answer_is_shown_with_its_age(aiohttp_client: Client) -> None:
    sent = make_record()
    lost = replace(sent.deliveries[0].delivery, status=DeliveryStatus.UNKNOWN, updated_at=NOW - timedelta(minutes=90))
    unknown = replace(sent, status=lost.status, deliveries=(replace(sent.deliveries[0], delivery=lost),))
    client = await aiohttp_client(await make_console(MemoryLog([unknown])))
    other = await aiohttp_client(await make_console(MemoryLog([sent])))

    pages = [await read(one, path) for one in (client, other) for path in ("/log", "/log/msg_1")]

    assert ["1 hour ago" in page.source for page in pages] == [True, True, False, False]


async def test_every_filter_of_the_url_reaches_the_store(aiohttp_client: Client) -> None:
    log = MemoryLog()
    client = await aiohttp_client(await make_console(log))

    await read(
        client,
        "/log?text=A-1009&status=failed&channel=sms&template=receipt&recipient=user-42&locale=fr_ca&tag=checkout"
        "&from=2026-11-22T10:00&before=2026-11-22T12:00:00Z&cursor=second",
    )

    asked = log.asked[0]
    assert (asked.text, asked.status, asked.channel) == ("A-1009", DeliveryStatus.FAILED, Channel.SMS)
    assert (asked.template, asked.recipient, asked.locale, asked.tag) == ("receipt", "user-42", "fr-CA", "checkout")
    assert asked.created_from == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert (asked.created_before, asked.cursor) == (datetime(2026, 11, 22, 12, tzinfo=UTC), "second")


async def test_the_form_shows_what_is_filtered_by(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console())

    page = await read(client, "/log?text=A-1009&status=failed&tag=checkout")

    inputs = {element.attributes.get("name"): element.attributes.get("value") for element in page.all("input")}
    chosen = [option.attributes["value"] for option in page.all("option") if "selected" in option.attributes]
    assert (inputs["text"], inputs["tag"], inputs["template"]) == ("A-1009", "checkout", "")
    assert chosen == ["failed"]
    assert "open" in next(each for each in page.all("details") if each.attributes.get("class") == "more").attributes


async def test_a_chip_takes_away_its_own_filter_and_keeps_the_others(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console())

    page = await read(client, "/log?status=failed&template=receipt&lang=en&cursor=second")

    chips = [link.attributes["href"] or "" for link in page.all("a") if link.attributes.get("class") == "chip"]
    assert [parse_qs(urlsplit(chip).query) for chip in chips] == [
        {"template": ["receipt"], "lang": ["en"]},
        {"status": ["failed"], "lang": ["en"]},
    ]


async def test_the_way_to_older_messages_keeps_the_filters(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console(MemoryLog([make_record()])))

    page = await read(client, "/log?status=sent")

    older = next(link.attributes["href"] or "" for link in page.all("a") if link.attributes.get("rel") == "next")
    assert parse_qs(urlsplit(older).query) == {"status": ["sent"], "cursor": ["second"]}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("status=lost", "Status"),
        ("channel=pigeon", "Channel"),
        ("locale=qqq", "Locale"),
        ("from=yesterday", "From"),
        ("from=0001-01-01T00:00:00%2B14:00", "From"),
        ("before=2026-13-45T00:00", "Before"),
        ("cursor=forged", "cursor"),
        (f"text={'x' * 300}", "Search"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_named(aiohttp_client: Client, query: str, name: str) -> None:
    client = await aiohttp_client(await make_console(MemoryLog([make_record()])))

    page = await read(client, f"/log?{query}", status=422)

    problems = [element.text for element in page.all("p") if element.attributes.get("role") == "alert"]
    assert problems == [f"The filter {name} cannot be read."]


async def test_the_log_counts_the_deliveries_of_a_day_by_status(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console(MemoryLog([make_record()])))

    page = await read(client, "/log")

    tiles = [link for link in page.all("a") if (link.attributes.get("class") or "").startswith("tile ")]
    assert [(tile.attributes["href"], tile.text) for tile in tiles] == [("/log?status=sent", "1sent")]


async def test_addresses_are_masked_in_the_list(aiohttp_client: Client) -> None:
    record = make_record(to=make_recipient(id=None))
    client = await aiohttp_client(await make_console(MemoryLog([record])))

    page = await read(client, "/log")

    assert "a•••@example.org" in page.source
    assert "amina@example.org" not in page.source


async def test_a_message_shows_its_timeline_its_decisions_and_its_attempts(aiohttp_client: Client) -> None:
    record = make_record()
    trace = [{"rule": "consent", "verdict": "pass", "saw": {"state": "granted"}}]
    events = [
        make_event(),
        make_event(delivery_id=DeliveryId("dlv_1"), type="delivery.sending", data={"decision": "send", "trace": trace}),
        make_event(delivery_id=DeliveryId("dlv_1"), type="delivery.sent", data={"reason": "no_receipts"}),
    ]
    client = await aiohttp_client(await make_console(MemoryLog([record], events)))

    page = await read(client, "/log/msg_1")

    timeline = page.all("ol")[0].text
    assert [word for word in ("accepted", "sending", "sent") if word in timeline] == ["accepted", "sending", "sent"]
    assert "consent" in timeline
    assert "no_receipts" in timeline
    assert "250 2.0.0" in page.source


async def test_each_device_of_a_push_delivery_is_shown_with_what_became_of_it(aiohttp_client: Client) -> None:
    sent = make_record()
    devices = (
        DeviceResult(platform="fcm", status="sent"),
        DeviceResult(platform="apns", status="skipped", reason="no_provider"),
    )
    attempt = make_attempt(finished_at=NOW, result=SendResult(outcome=Outcome.SENT, devices=devices))
    record = replace(sent, deliveries=(replace(sent.deliveries[0], attempts=(attempt,)),))
    client = await aiohttp_client(await make_console(MemoryLog([record])))

    page = await read(client, "/log/msg_1")

    (shown,) = [element.text for element in page.all("p") if "devices" in (element.attributes.get("class") or "")]
    assert shown.split() == ["fcm", "sent", "apns", "skipped", "no_provider"]


def make_engagement(number: int, **changes: Any) -> Engagement:
    """An open by a person."""
    one = Engagement(
        id=EngagementId(f"eng_{number}"),
        message_id=MessageId("msg_1"),
        delivery_id=DeliveryId("dlv_1"),
        kind=EngagementKind.OPENED,
        made_by=Maker.PERSON,
        at=NOW,
        data={},
    )
    return replace(one, **changes)


async def test_what_readers_did_is_counted_apart_from_what_machines_did(aiohttp_client: Client) -> None:
    done = MemoryEngagements(
        [
            make_engagement(1),
            *(make_engagement(number, made_by=Maker.APPLE_PROXY) for number in (2, 3)),
            make_engagement(4, kind=EngagementKind.CLICKED),
            make_engagement(5, kind=EngagementKind.CLICKED, at=NOW - timedelta(days=2)),
            make_engagement(6, kind=EngagementKind.CONVERTED, message_id=MessageId("msg_2")),
        ]
    )
    client = await aiohttp_client(await make_console(MemoryLog([make_record()]), engagements=done))

    message, log = await read(client, "/log/msg_1?lang=de"), await read(client, "/log")

    facts = dict(zip([one.text for one in message.all("dt")], [one.text for one in message.all("dd")], strict=True))
    assert (facts["geöffnet"], facts["geklickt"]) == ("Menschen: 1, Maschinen: 2", "2")
    assert "zum Ziel geführt" not in facts
    counted = next(one.text for one in log.all("p") if one.attributes.get("class") == "dotted quiet")
    assert counted == "opened: people: 1, machines: 2clicked: 1converted: 1"


@pytest.mark.parametrize(
    ("locale", "reason", "sentence"),
    [
        ("en", "consent_denied", "The person refused or withdrew the consent."),
        ("de", "consent_denied", "Die Person hat ihre Einwilligung verweigert oder widerrufen."),
        ("en", "quiet_hours", "It waits for an hour at which this person may be written to."),
        ("fr", "spending_limit", "Un plafond de dépenses est atteint."),
    ],
)
async def test_a_reason_is_said_in_a_sentence_beside_its_code(
    aiohttp_client: Client, locale: str, reason: str, sentence: str
) -> None:
    record = make_record()
    (first,) = record.deliveries
    refused = replace(first, delivery=replace(first.delivery, status=DeliveryStatus.SUPPRESSED, reason=reason))
    client = await aiohttp_client(await make_console(MemoryLog([replace(record, deliveries=(refused,))])))

    page = await read(client, f"/log/msg_1?lang={locale}")
    overview = await read(client, f"/log?lang={locale}")

    assert sentence in [element.text for element in page.all("p")]
    assert reason in [element.text for element in page.all("code")]
    assert reason in [element.text for element in overview.all("code")]


async def test_the_e_mail_of_a_message_stands_in_a_frame_that_can_do_nothing(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console(MemoryLog([make_record()])))

    page = await read(client, "/log/msg_1")
    frame = page.one("iframe")
    async with client.get(frame.attributes["src"] or "") as response:
        html, policy = await response.text(), response.headers["Content-Security-Policy"]

    assert frame.attributes["sandbox"] in (None, "")
    assert html == "<p>Bonjour</p>"
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("path", ["/log/msg_none", "/log/msg_1/content/dlv_none", "/mailbox/dlv_none"])
async def test_what_is_not_there_is_a_page_of_its_own(aiohttp_client: Client, path: str) -> None:
    client = await aiohttp_client(await make_console(MemoryLog([make_record()])))

    page = await read(client, path, status=404)

    assert page.one("h1").text == "Not found"


async def test_the_front_door_leads_to_the_log(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console())

    async with client.get("/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/log")


def hostile_site() -> tuple[MemoryLog, MemoryMailbox]:
    """Every text that someone else chooses is a canary."""
    message = make_message(
        id=MessageId("msg_x"),
        template=CANARY,
        topic=CANARY,
        locale="ar",
        tags=(CANARY,),
        data={CANARY: CANARY, "nested": [CANARY, {"x": CANARY}]},
        metadata={CANARY: CANARY},
        to=make_recipient(id=CANARY),
        channels=(Channel.EMAIL, Channel.SMS),
    )
    result = SendResult(outcome=Outcome.REJECTED, code=CANARY, detail=CANARY)
    email = EmailContent(subject=CANARY, preheader=CANARY, html=CANARY, text=CANARY, locale="ar")
    sms = SmsContent(text=CANARY, encoding="gsm-7", units=9, segments=1, locale="ar")
    deliveries = tuple(
        DeliveryRecord(
            delivery=make_delivery(
                id=DeliveryId(name), message_id=message.id, channel=channel, reason=CANARY, provider=CANARY
            ),
            attempts=(make_attempt(provider=CANARY, finished_at=NOW, result=result),),
            content=content,
            address=CANARY,
        )
        for name, channel, content in (("dlv_e", Channel.EMAIL, email), ("dlv_s", Channel.SMS, sms))
    )
    versions = Versions(
        template=CANARY, catalogs=CANARY, requested_locale=CANARY, resolved_locale="ar", missing=(CANARY,)
    )
    record = MessageRecord(message=message, status=DeliveryStatus.FAILED, deliveries=deliveries, versions=versions)
    trace = [{"rule": CANARY, "verdict": "pass", "saw": {CANARY: [CANARY]}}]
    event = make_event(
        message_id=message.id,
        type=f"delivery.{CANARY}",
        data={"reason": CANARY, "decision": CANARY, "trace": trace, CANARY: CANARY},
    )
    mail: JsonObject = {
        "subject": CANARY,
        "html": CANARY,
        "text": CANARY,
        "locale": "ar",
        "headers": {CANARY: CANARY},
    }
    files: list[JsonValue] = [{"filename": CANARY, "content_type": CANARY, "bytes": 1, "inline_id": None}]
    mail["attachments"] = files
    text: JsonObject = {"text": CANARY, "encoding": CANARY, "units": 1, "segments": 1}
    push: JsonObject = {"title": CANARY, "body": CANARY, "action": "javascript:alert(1)", "bytes": 1, "locale": CANARY}
    items = [
        MailboxItem(
            delivery_id=DeliveryId(name),
            channel=channel,
            sender=CANARY,
            to=CANARY,
            content=shown,
            raw=CANARY.encode(),
            received_at=NOW,
        )
        for name, channel, shown in (
            ("dlv_e", Channel.EMAIL, mail),
            ("dlv_s", Channel.SMS, text),
            ("dlv_p", Channel.PUSH, push),
        )
    ]
    return MemoryLog([record], [event]), MemoryMailbox(items)


@pytest.mark.parametrize(
    "path",
    [
        "/log",
        "/log?text=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&tag=%3Cimg%20onerror=x%3E&status=%3Cb%3E",
        "/log/msg_x",
        "/mailbox",
        "/mailbox?channel=%3Cscript%3E&cursor=%22%3E%3Cscript%3E",
        "/mailbox/dlv_e",
        "/mailbox/dlv_e?view=text",
        "/mailbox/dlv_e?view=headers",
        "/mailbox/dlv_e?view=source",
        "/mailbox/dlv_e?view=%3Cscript%3E",
        "/mailbox/dlv_s",
        "/mailbox/dlv_p",
        "/log?lang=%3Cscript%3E",
    ],
)
async def test_hostile_text_is_shown_and_never_run(aiohttp_client: Client, path: str) -> None:
    client = await aiohttp_client(await make_console(*hostile_site()))

    async with client.get(path) as response:
        page = Html(await response.text())
        policy = response.headers["Content-Security-Policy"]

    assert response.status in (200, 422)
    assert list(page.dangers()) == []
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' data:;")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_a_hostile_e_mail_lists_no_link_that_runs_anything(aiohttp_client: Client) -> None:
    html = (
        '<a href="javascript:alert(1)">a</a><a href=" data:text/html,x">b</a><a href="https://example.org/?a=1&b">c</a>'
    )
    item = MailboxItem(
        delivery_id=DeliveryId("dlv_1"),
        channel=Channel.EMAIL,
        sender="a@example.org",
        to="b@example.org",
        content={"subject": "s", "html": html, "text": "t"},
        raw=None,
        received_at=NOW,
    )
    client = await aiohttp_client(await make_console(mailbox=MemoryMailbox([item])))

    page = await read(client, "/mailbox/dlv_1")

    outward = [link for link in page.links() if not link.startswith(("/", "#"))]
    assert outward == ["https://example.org/?a=1&b"]


async def test_whole_addresses_are_shown_to_whoever_says_why_and_it_is_kept(aiohttp_client: Client) -> None:
    record, audit = make_record(), MemoryAudit()
    client = await aiohttp_client(await make_console(MemoryLog([record]), audit=audit))
    path = f"/log/{record.message.id}"

    masked = await read(client, path)
    async with client.post(f"{path}/unmask", data={"reason": "The customer called"}) as answered:
        whole = await answered.text()

    assert "amina@example.org" not in masked.source
    assert "a•••@example.org" in masked.source
    assert [form.attributes["action"] for form in masked.all("form")] == [f"{path}/unmask"]
    assert "amina@example.org" in whole
    assert Html(whole).all("form") == []
    ((entry, event),) = audit.entries
    assert (entry.action, entry.subject) == (AuditAction.UNMASK, record.message.id)
    assert (entry.actor, entry.reason) == ("console", "The customer called")
    assert event is not None
    assert (event.type, event.data) == ("message.unmasked", {"by": "console", "reason": "The customer called"})


@pytest.mark.parametrize(
    ("reason", "headers", "status"),
    [
        ("", {}, 200),
        (" \n", {}, 200),
        ("x" * 501, {}, 200),
        ("why not", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("why not", {"Origin": "https://elsewhere.example"}, 403),
    ],
)
async def test_without_a_reason_or_from_elsewhere_addresses_stay_masked(
    aiohttp_client: Client, reason: str, headers: dict[str, str], status: int
) -> None:
    record, audit = make_record(), MemoryAudit()
    client = await aiohttp_client(await make_console(MemoryLog([record]), audit=audit))

    async with client.post(f"/log/{record.message.id}/unmask", data={"reason": reason}, headers=headers) as answered:
        assert answered.status == status
        assert "amina@example.org" not in await answered.text()

    assert audit.entries == []


async def test_the_address_of_a_form_leads_back_to_the_message(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console(MemoryLog([make_record()])))

    async with client.get("/log/msg_1/unmask?lang=de", allow_redirects=False) as answered:
        assert (answered.status, answered.headers["Location"]) == (302, "/log/msg_1?lang=de")
