"""Opens, clicks and conversions over real HTTP: told where a category asks for it, and of nobody else."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from gateway.domain.ids import DeliveryId
from gateway.storage import tables
from tests.http import ALL_SCOPES, Caller, Site, open_site, settled
from tests.modes import Mode

MODES = ("embedded", "scaled")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
APPLE = "Mozilla/5.0"
SHOP = "https://example.org/back?a=1&b=%2F#top"
OFFER: Mapping[str, Any] = {
    "template": "win-back-offer",
    "channels": ["email"],
    "data": {"discount": 0.2, "coupon": "BACK20", "ends": "2026-12-24", "shop_url": SHOP},
}
CODE: Mapping[str, Any] = {"template": "one-time-code", "channels": ["email"], "to": {"email": "code@example.org"}}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Sent:
    """An e-mail that went out, with what its reader can follow and load."""

    message: str
    delivery: str
    html: str
    links: tuple[str, ...]
    pixels: tuple[str, ...]

    @property
    def click(self) -> str:
        (link,) = [link for link in self.links if link.startswith("/c/")]
        return link


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pixels: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "a":
            self.links.append(told["href"] or "")
        if tag == "img":
            self.pixels.append(told["src"] or "")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that delivers, and tells of opens and clicks in marketing."""
    asked = {"opens": ["marketing"], "clicks": ["marketing"], "click_parameter": "via"}
    with mode.furnished(tmp_path_factory.mktemp("engagement")) as folder:
        async with open_site(folder, work=True, engagement=asked) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def caller(working: Site, service: str) -> Caller:
    return await working.caller(service, ALL_SCOPES)


async def send(site: Site, caller: Caller, body: Mapping[str, Any]) -> Sent:
    """Send an e-mail, read it as its reader would, a minute after it went."""
    accepted = await caller.post("/v1/messages", body)
    assert accepted.status == 202, accepted.body
    message = await settled(caller, accepted.body["id"], "sent", "delivered")
    (delivery,) = message["deliveries"]
    await a_minute_ago(site, delivery["id"])
    html = delivery["content"]["html"]
    base = site.gateway.settings.public_url
    read = _Reader(html)
    links, pixels = (tuple(one.removeprefix(base) for one in found) for found in (read.links, read.pixels))
    return Sent(message=message["id"], delivery=delivery["id"], html=html, links=links, pixels=pixels)


async def offer(site: Site, caller: Caller, person: str) -> Sent:
    """An offer to somebody who asked for such."""
    await caller.put(f"/v1/recipients/{person}", {"email": f"{person}@example.org"})
    line = {"channel": "email", "topic": "offers", "state": "granted", "source": "signup-form"}
    await caller.put(f"/v1/recipients/{person}/consents", {"consents": [line]})
    return await send(site, caller, {**OFFER, "to": {"id": person}})


async def a_minute_ago(site: Site, delivery_id: str) -> None:
    """Let the call to the provider have been made then: sooner only scanners look."""
    attempts = tables.attempts
    at = site.gateway.clock.now() - timedelta(minutes=1)
    async with site.gateway.store.database.writer.transaction() as connection:
        await connection.execute(attempts.update().where(attempts.c.delivery_id == delivery_id).values(started_at=at))


async def visit(site: Site, path: str, agent: str = FIREFOX, method: str = "GET") -> tuple[int, str | None, bytes]:
    """Status, where it leads, and what came."""
    async with site.client.request(method, path, headers={"User-Agent": agent}, allow_redirects=False) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in response.headers
        return response.status, response.headers.get("Location"), await response.read()


async def engagement(caller: Caller, sent: Sent) -> Any:
    return (await caller.get(f"/v1/messages/{sent.message}")).body["engagement"]


async def count_kept(site: Site) -> int:
    async with site.gateway.store.database.reader.connect() as connection:
        return (await connection.scalar(sa.select(sa.func.count()).select_from(tables.engagements))) or 0


def told(opened: tuple[int, int] = (0, 0), clicked: tuple[int, int] = (0, 0), converted: int = 0) -> Any:
    people_and_machines = [{"people": people, "machines": machines} for people, machines in (opened, clicked)]
    return {"opened": people_and_machines[0], "clicked": people_and_machines[1], "converted": converted}


async def test_an_e_mail_tells_of_its_reader_and_its_links_lead_where_they_led(working: Site, caller: Caller) -> None:
    sent = await offer(working, caller, "reader")
    (pixel,) = sent.pixels
    item = await working.gateway.store.mailbox.get_item(DeliveryId(sent.delivery))
    assert str(item.content["html"]).replace("\r\n", "\n").strip() == sent.html.strip()

    status, _, image = await visit(working, pixel)
    await visit(working, pixel, APPLE)
    clicked = await visit(working, sent.click)
    tried = await visit(working, sent.click, method="HEAD")

    assert (status, image[:6]) == (200, b"GIF89a")
    leads_to = f"https://example.org/back?a=1&b=%2F&via={sent.delivery}#top"
    assert clicked[:2] == tried[:2] == (302, leads_to)
    assert await engagement(caller, sent) == told(opened=(1, 1), clicked=(1, 1))
    events = (await caller.get(f"/v1/messages/{sent.message}/events")).body["items"]
    done = [(one["type"], one["data"]["by"], one["data"].get("link")) for one in events[-4:]]
    assert done == [
        ("delivery.opened", "person", None),
        ("delivery.opened", "apple_proxy", None),
        ("delivery.clicked", "person", "https://example.org/back"),
        ("delivery.clicked", "scanner", "https://example.org/back"),
    ]
    metrics = (await caller.get("/metrics")).body
    assert 'heliograph_engagements_total{by="person",kind="clicked"}' in metrics


async def test_links_by_which_people_choose_and_leave_are_never_wrapped(working: Site, caller: Caller) -> None:
    sent = await offer(working, caller, "chooser")

    token = working.gateway.links.token(DeliveryId(sent.delivery))
    message = (await caller.get(f"/v1/messages/{sent.message}")).body

    assert [link for link in sent.links if link != sent.click] == [f"/u/{token}"] * 2
    content = message["deliveries"][0]["content"]
    assert (
        content["headers"]["List-Unsubscribe"]
        == f"<{working.gateway.links.unsubscribe_url(DeliveryId(sent.delivery))}>"
    )
    assert SHOP in content["text"]


async def test_a_critical_message_carries_nothing(working: Site, caller: Caller) -> None:
    data = {"code": "4711", "minutes": 10}
    sent = await send(working, caller, {**CODE, "data": data})

    assert sent.pixels == ()
    assert not [link for link in sent.links if link.startswith("/c/")]


async def test_a_token_that_was_touched_leads_nowhere_and_leaves_nothing(working: Site, caller: Caller) -> None:
    sent = await offer(working, caller, "forged")
    before = await count_kept(working)
    carried, _, signature = sent.click.rpartition(".")
    elsewhere = "aHR0cHM6Ly9ldmlsLmV4YW1wbGUv"

    for path in (
        f"{sent.click[:-1]}",
        f"{sent.click}A",
        f"{carried[:-4]}.{signature}",
        f"/c/{sent.delivery}.{elsewhere}.{signature}",
    ):
        assert (await visit(working, path))[:2] == (404, None)
    for path in (f"{sent.pixels[0]}A", f"/o/{sent.delivery}", "/o/%00", f"/o/{sent.click[3:]}"):
        assert (await visit(working, path))[0] == 404

    assert await count_kept(working) == before


async def test_a_conversion_is_kept_once_with_the_message_that_led_to_it(working: Site, caller: Caller) -> None:
    sent = await offer(working, caller, "buyer")
    await visit(working, sent.click)
    value = {"amount": "129.90", "currency": "CAD"}
    order = {"name": "order", "reference": "A-1009", "value": value, "recipient_id": "buyer"}

    first = await caller.post("/v1/conversions", order)
    again = await caller.post("/v1/conversions", order)
    by_delivery = await caller.post("/v1/conversions", {"name": "sign-up", "delivery_id": sent.delivery})

    assert (first.status, again.status, by_delivery.status) == (201, 200, 201)
    assert first.body == again.body
    assert (first.body["message_id"], first.body["delivery_id"]) == (sent.message, sent.delivery)
    assert first.body["data"] == {"name": "order", "reference": "A-1009", "value": value, "found_by": "click"}
    assert await engagement(caller, sent) == told(clicked=(1, 0), converted=2)


async def test_a_conversion_that_nothing_led_to_is_refused_and_not_kept(working: Site, caller: Caller) -> None:
    sent = await offer(working, caller, "looker")
    held = await caller.post(
        "/v1/messages",
        {**OFFER, "to": {"id": "looker"}, "send_at": "2027-01-01T09:00:00Z", "expires_at": "2027-01-02T09:00:00Z"},
    )
    other = await working.caller("somebody-else", ALL_SCOPES)
    before = await count_kept(working)

    def named(**ways: Any) -> dict[str, Any]:
        return {"name": "order", **ways}

    refused = [
        await caller.post("/v1/conversions", body)
        for body in (
            named(recipient_id="looker"),
            named(message_id="msg_unknown"),
            named(message_id=held.body["id"]),
            named(),
            named(message_id=sent.message, recipient_id="looker"),
            named(message_id=sent.message, at="2999-01-01T00:00:00Z"),
            named(message_id=sent.message, value={"amount": "1.00", "currency": "XQZ"}),
        )
    ]
    anothers = await other.post("/v1/conversions", named(message_id=sent.message))

    assert [(one.status, one.body["code"]) for one in (*refused[:3], anothers)] == [
        (404, "not_found"),
        (404, "not_found"),
        (409, "not_sent"),
        (404, "not_found"),
    ]
    problems = [[(each["pointer"], each["code"]) for each in one.body["errors"]] for one in refused[3:]]
    assert problems == [
        [("", "not_one_of")],
        [("", "not_one_of")],
        [("/at", "in_the_future")],
        [("/value/currency", "unknown_currency")],
    ]
    assert await count_kept(working) == before


async def test_all_that_a_person_did_is_given_out_and_goes_with_them(working: Site, caller: Caller) -> None:
    sent = await offer(working, caller, "leaver")
    await visit(working, sent.pixels[0])
    await visit(working, sent.click)
    await caller.post("/v1/conversions", {"name": "order", "recipient_id": "leaver", "metadata": {"note": "blue"}})

    exported = await caller.get("/v1/recipients/leaver/export")
    erased = await caller.call("DELETE", "/v1/recipients/leaver")
    after = await visit(working, sent.click)

    (message,) = exported.body["messages"]
    done = [(one["type"], one["by"], one["data"]) for one in message["engagements"]]
    seen = {"method": "GET", "user_agent": FIREFOX}
    assert done == [
        ("opened", "person", seen),
        ("clicked", "person", {**seen, "url": SHOP}),
        ("converted", "person", {"name": "order", "metadata": {"note": "blue"}, "found_by": "click"}),
    ]
    assert erased.status == 204
    assert after[0] == 302
    assert await engagement(caller, sent) == told()
