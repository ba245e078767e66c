"""The mailbox: what went out, as its reader would see it."""

from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from gateway.domain.ids import DeliveryId
from gateway.domain.recipients import Channel
from gateway.ports import MailboxItem
from tests.factories import NOW
from tests.page_stores import MemoryMailbox
from tests.pages import Html, make_console

Client = Callable[[Any], Awaitable[TestClient[Any, Any]]]
PIXEL = b"\x89PNG\r\n\x1a\n"


def make_email() -> MailboxItem:
    """An Arabic e-mail with an image inside."""
    html = '<html lang="ar" dir="rtl"><body><p>مرحبًا</p><img src="cid:logo"><img src="cid:none"></body></html>'
    mail = EmailMessage()
    mail["Subject"] = "طلبك"
    mail.set_content("مرحبًا")
    mail.add_alternative(html, subtype="html")
    (part,) = (part for part in mail.iter_parts() if part.get_content_subtype() == "html")
    part.add_related(PIXEL, "image", "png", cid="<logo>")
    return MailboxItem(
        delivery_id=DeliveryId("dlv_e"),
        channel=Channel.EMAIL,
        sender="Shop <shop@example.org>",
        to="amina@example.org",
        content={"subject": "طلبك", "html": html, "text": "مرحبًا", "headers": {"Subject": "طلبك"}, "locale": "ar"},
        raw=mail.as_bytes(),
        received_at=NOW,
    )


def make_sms() -> MailboxItem:
    """A German text message of two segments."""
    text = "Heliograph: Deine Bestellung A-1009 ist unterwegs und kommt voraussichtlich am 1. Dezember bei dir an."
    return MailboxItem(
        delivery_id=DeliveryId("dlv_s"),
        channel=Channel.SMS,
        sender="Heliograph",
        to="+4915123456789",
        content={"text": text, "encoding": "gsm-7", "units": 1161, "segments": 2, "locale": "de"},
        raw=None,
        received_at=NOW,
    )


def make_push() -> MailboxItem:
    """A Hebrew notification."""
    return MailboxItem(
        delivery_id=DeliveryId("dlv_p"),
        channel=Channel.PUSH,
        sender="",
        to="fcm",
        content={
            "title": "ההזמנה בדרך",
            "body": "מחר",
            "action": "https://example.org/t",
            "bytes": 200,
            "locale": "he",
        },
        raw=None,
        received_at=NOW,
    )


async def read(client: TestClient[Any, Any], path: str, status: int = 200) -> Html:
    async with client.get(path) as response:
        assert response.status == status, path
        return Html(await response.text())


@pytest.fixture
async def client(aiohttp_client: Client) -> TestClient[Any, Any]:
    items = (make_email(), make_sms(), make_push())
    return await aiohttp_client(await make_console(mailbox=MemoryMailbox(items)))


@pytest.mark.parametrize(
    ("query", "found"),
    [("", ["dlv_e", "dlv_s", "dlv_p"]), ("?channel=sms", ["dlv_s"]), ("?channel=pigeon", ["dlv_e", "dlv_s", "dlv_p"])],
)
async def test_the_list_shows_all_channels_or_one(client: TestClient[Any, Any], query: str, found: list[str]) -> None:
    page = await read(client, f"/mailbox{query}")

    letters = [link.attributes["href"] for link in page.all("a") if link.attributes.get("class") == "letter"]
    assert letters == [f"/mailbox/{name}" for name in found]


async def test_an_e_mail_is_shown_as_text_with_its_headers_and_its_source(client: TestClient[Any, Any]) -> None:
    text = await read(client, "/mailbox/dlv_e?view=text")
    headers = await read(client, "/mailbox/dlv_e?view=headers")
    source = await read(client, "/mailbox/dlv_e?view=source")

    paper = text.one("pre")
    assert (paper.text, paper.attributes["lang"], paper.attributes["dir"]) == ("مرحبًا", "ar", "rtl")
    assert (headers.one("th").text, headers.one("td").text) == ("Subject", "طلبك")
    assert "Content-Type: multipart/alternative" in source.one("pre").text


async def test_the_frame_holds_the_e_mail_with_its_own_images_and_loads_nothing_else(
    client: TestClient[Any, Any],
) -> None:
    page = await read(client, "/mailbox/dlv_e")
    frame = page.one("iframe").attributes

    async with client.get(frame["src"] or "") as response:
        html, policy = await response.text(), response.headers["Content-Security-Policy"]

    assert frame["sandbox"] in (None, "")
    assert '<img src="data:image/png;base64,' in html
    assert 'src="cid:none"' in html
    assert policy == ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'")


async def test_a_text_message_shows_what_it_costs(client: TestClient[Any, Any]) -> None:
    page = await read(client, "/mailbox/dlv_s?lang=en")

    facts = [element.text for element in page.all("dd")]
    bubble = next(each for each in page.all("div") if each.attributes.get("class") == "bubble")
    assert bubble.text == make_sms().content["text"]
    assert facts[-3:] == ["GSM-7", "1,161", "2"]


async def test_a_notification_is_a_card_in_its_own_direction(client: TestClient[Any, Any]) -> None:
    page = await read(client, "/mailbox/dlv_p")

    card = next(each for each in page.all("div") if each.attributes.get("class") == "notification")
    assert (card.attributes["lang"], card.attributes["dir"]) == ("he", "rtl")
    assert "ההזמנה בדרך" in card.text
    assert "https://example.org/t" not in page.links()


async def test_a_cursor_that_is_not_ours_is_named(client: TestClient[Any, Any]) -> None:
    page = await read(client, "/mailbox?cursor=forged", status=422)

    assert any(element.attributes.get("role") == "alert" for element in page.all("p"))
