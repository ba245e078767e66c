"""The page behind the links in messages: a GET changes nothing, one POST is enough to leave."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from gateway.domain.ids import DeliveryId
from gateway.web.public.preferences import WORDING
from tests.http import ALL_SCOPES, Caller, Site, open_site, settled
from tests.modes import Mode
from tests.pages import Html

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFER: Mapping[str, Any] = {
    "template": "win-back-offer",
    "channels": ["email"],
    "data": {"discount": 0.2, "coupon": "BACK20", "ends": "2026-12-24", "shop_url": "https://example.org/back"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that accepts and delivers."""
    with mode.furnished(tmp_path_factory.mktemp("working")) as folder:
        async with open_site(folder, work=True) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def caller(working: Site, service: str) -> Caller:
    return await working.caller(service, ALL_SCOPES)


async def grant(caller: Caller, person: str, **record: str) -> None:
    await caller.put(f"/v1/recipients/{person}", {"email": f"{person}@example.org", **record})
    line = {"channel": "email", "topic": "offers", "state": "granted", "source": "signup-form"}
    await caller.put(f"/v1/recipients/{person}/consents", {"consents": [line]})


async def send_offer(working: Site, caller: Caller, to: Mapping[str, str]) -> str:
    """Send an offer, wait until it is out, and answer the path of its link."""
    accepted = await caller.post("/v1/messages", {**OFFER, "to": to})
    assert accepted.status == 202, accepted.body
    await settled(caller, accepted.body["id"], "sent", "delivered")
    return "/u/" + working.gateway.links.token(DeliveryId(accepted.body["deliveries"][0]["id"]))


async def states(caller: Caller, person: str) -> dict[tuple[str, str], str]:
    answer = await caller.get(f"/v1/recipients/{person}/consents")
    return {(line["channel"], line["topic"]): line["state"] for line in answer.body["items"]}


async def get_page(working: Site, path: str, status: int = 200, **headers: str) -> Html:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with working.client.get(path, headers=named) as response:
        assert response.status == status
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Set-Cookie" not in response.headers
        page = Html(await response.text())
    assert list(page.dangers()) == []
    return page


async def test_where_no_category_is_named_an_e_mail_tells_nothing(working: Site, caller: Caller) -> None:
    await grant(caller, "unwatched")
    path = await send_offer(working, caller, {"id": "unwatched"})
    found = (await caller.get("/v1/messages", recipient="unwatched")).body["items"][0]

    html = found["deliveries"][0]["content"]["html"]

    assert f'href="{OFFER["data"]["shop_url"]}"' in html
    assert path in html
    assert "/c/" not in html
    assert "<img" not in html


async def test_a_link_scanner_changes_nothing(working: Site, caller: Caller) -> None:
    await grant(caller, "scanned")
    path = await send_offer(working, caller, {"id": "scanned"})

    for method in ("GET", "HEAD", "GET"):
        async with working.client.request(method, path) as response:
            assert response.status == 200

    assert await states(caller, "scanned") == {("email", "offers"): "granted"}


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
async def test_one_click_leaves_at_once(working: Site, caller: Caller, encoding: str) -> None:
    person = f"leaver-{encoding}"
    await grant(caller, person)
    path = await send_offer(working, caller, {"id": person})
    given: Mapping[str, Any] = {"data": {"List-Unsubscribe": "One-Click"}}
    if encoding == "multipart":
        body = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
        given = {"data": body, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}

    async with working.client.post(path, **given) as response:
        assert response.status == 200
        assert "Set-Cookie" not in response.headers

    assert await states(caller, person) == {("email", "offers"): "denied"}


async def test_one_click_answers_the_same_whether_or_not_the_token_is_ours(working: Site, caller: Caller) -> None:
    await grant(caller, "uniform")
    path = await send_offer(working, caller, {"id": "uniform"})
    answers = []

    for each in (path, f"{path[:-2]}xx", "/u/nonsense", "/u/%00"):
        async with working.client.post(each, data={"List-Unsubscribe": "One-Click"}) as response:
            headers = {
                name: response.headers[name] for name in response.headers if name not in ("Date", "X-Request-Id")
            }
            answers.append((response.status, (await response.text()).replace(each, "/u/…"), headers))

    assert answers[0][0] == 200
    assert answers[0][1] == answers[1][1] == answers[2][1] == answers[3][1]


async def test_the_form_keeps_what_was_chosen_and_the_words_that_were_shown(working: Site, caller: Caller) -> None:
    await grant(caller, "chooser", locale="de")
    path = await send_offer(working, caller, {"id": "chooser"})
    page = await get_page(working, path)
    boxes = {
        box.attributes["value"]: "checked" in box.attributes
        for box in page.all("input")
        if box.attributes.get("type") == "checkbox"
    }

    async with working.client.post(path, data={"granted": ["email:digest"]}, allow_redirects=False) as response:
        moved = response.headers["Location"]
        assert response.status == 303
    saved = await get_page(working, moved)

    assert boxes["email:offers"] is True
    assert boxes["email:digest"] is False
    assert await states(caller, "chooser") == {("email", "offers"): "denied", ("email", "digest"): "granted"}
    assert any(element.attributes.get("role") == "status" for element in saved.all("p"))
    history = await caller.get("/v1/recipients/chooser/consents/history")
    granted = next(line for line in history.body["items"] if line["topic"] == "digest")
    assert (granted["source"], granted["locale"]) == ("preference-centre", "de")
    assert granted["wording"] in page.source


async def test_leaving_everything_takes_one_button(working: Site, caller: Caller) -> None:
    await grant(caller, "all-out")
    path = await send_offer(working, caller, {"id": "all-out"})

    async with working.client.post(path, data={"granted": ["email:offers"], "nothing": "1"}) as response:
        assert response.status == 200

    assert await states(caller, "all-out") == {("email", "offers"): "denied"}


@pytest.mark.parametrize(("locale", "expected", "direction"), [("ar", "ar", "rtl"), ("ja", "ja", "ltr")])
async def test_the_page_is_in_the_language_of_the_message(
    working: Site, caller: Caller, locale: str, expected: str, direction: str
) -> None:
    person = f"reader-{locale}"
    await grant(caller, person, locale=locale)
    path = await send_offer(working, caller, {"id": person})

    page = await get_page(working, path, Accept_Language="de")
    chosen = await get_page(working, f"{path}?lang=fr", Accept_Language="de")

    assert (page.one("html").attributes["lang"], page.one("html").attributes["dir"]) == (expected, direction)
    assert chosen.one("html").attributes["lang"] == "fr"


async def test_the_sentence_that_is_kept_is_the_one_that_is_shown(working: Site, caller: Caller) -> None:
    await grant(caller, "wording")
    path = await send_offer(working, caller, {"id": "wording"})

    page = await get_page(working, path)

    assert WORDING in page.one("main").text


@pytest.mark.parametrize("token", ["nonsense", "dlv_1.AAAAAAAAAAAAAAAAAAAAAA", "x" * 500, "%F0%9F%98%80", "a%2Fb"])
async def test_a_link_that_is_not_ours_says_that_it_does_not_work(working: Site, token: str) -> None:
    page = await get_page(working, f"/u/{token}", status=404)

    assert page.one("h1").text == "This link does not work"


async def test_a_form_that_is_too_large_is_refused(working: Site) -> None:
    async with working.client.post("/u/x", data={"granted": "x" * 20_000}) as response:
        assert response.status == 413


PART = b'--b\r\nContent-Disposition: form-data; name="pause"\r\n%s\r\n\r\n7\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded; charset=nonsense", b"pause=7"),
        ("multipart/form-data; boundary=b", PART % b"Content-Transfer-Encoding: nonsense"),
        ("multipart/form-data; boundary=b", PART % b"Content-Type: text/plain; charset=nonsense"),
        ("multipart/form-data", PART % b""),
    ],
)
async def test_a_form_in_an_encoding_that_does_not_exist_is_refused(
    working: Site, content_type: str, body: bytes
) -> None:
    async with working.client.post("/u/x", data=body, headers={"Content-Type": content_type}) as response:
        assert response.status == 400


OWN: Mapping[str, Any] = {
    "granted": "email:offers",
    "limit": "3",
    "per": "week",
    "start": "21:00",
    "end": "08:00",
    "day": "4",
    "timezone": "Asia/Tokyo",
    "pause": "14",
}


async def kept(caller: Caller, person: str) -> Any:
    return (await caller.get(f"/v1/recipients/{person}")).body["preferences"]


async def test_own_limits_are_kept_shown_and_told_in_the_timeline(working: Site, caller: Caller) -> None:
    await grant(caller, "limiter", timezone="Europe/Paris")
    path = await send_offer(working, caller, {"id": "limiter"})

    async with working.client.post(path, data=OWN, allow_redirects=False) as response:
        assert response.status == 303

    preferences = await kept(caller, "limiter")
    assert preferences["frequency_caps"] == [
        {"name": "own-frequency", "limit": 3, "per": "week", "categories": ["marketing"]}
    ]
    quiet = {rule["name"]: rule for rule in preferences["quiet_hours"]}
    assert quiet["own-hours"]["forbid"] == [{"from": "21:00", "to": "08:00", "days": ["fri"]}]
    assert quiet["own-break"]["valid_until"] > "2026-01-01"
    assert preferences["timezone"] == "Asia/Tokyo"
    page = await get_page(working, path)
    values = {box.attributes.get("name"): box.attributes.get("value") for box in page.all("input")}
    assert (values["limit"], values["start"], values["end"]) == ("3", "21:00", "08:00")
    chosen = [option.attributes["value"] for option in page.all("option") if "selected" in option.attributes]
    assert chosen == ["week", "Asia/Tokyo", "kept"]
    message = (await caller.get("/v1/messages", recipient="limiter")).body["items"][0]
    events = (await caller.get(f"/v1/messages/{message['id']}/events")).body["items"]
    assert events[-1]["type"] == "delivery.preferences_changed"


async def test_own_hours_hold_what_settings_let_go_and_a_put_does_not_lose_them(working: Site, caller: Caller) -> None:
    await grant(caller, "sleeper")
    path = await send_offer(working, caller, {"id": "sleeper"})
    async with working.client.post(path, data=OWN, allow_redirects=False):
        pass

    await caller.put("/v1/recipients/sleeper", {"email": "sleeper@example.org", "timezone": "Europe/Paris"})

    explained = (await caller.post("/v1/explain", {**OFFER, "to": {"id": "sleeper"}})).body["deliveries"][0]
    assert explained["decision"] in ("suppress", "expire", "hold")
    assert explained["rule"] == "own-break"
    assert explained["zones"] == ["Asia/Tokyo"]


@pytest.mark.parametrize(
    "wrong",
    [{"start": "21:00", "end": "21:00"}, {"start": "21:00", "end": ""}, {"limit": "0"}, {"timezone": "Mars/Base"}],
    ids=lambda wrong: "-".join(wrong.values()),
)
async def test_what_cannot_be_meant_is_shown_again_and_nothing_is_saved(
    working: Site, caller: Caller, service: str, wrong: Mapping[str, str]
) -> None:
    person = f"wrong-{service}"
    await grant(caller, person)
    path = await send_offer(working, caller, {"id": person})

    async with working.client.post(path, data={**OWN, "granted": "email:digest", **wrong}) as response:
        page = Html(await response.text())
        assert response.status == 422

    assert list(page.dangers()) == []
    assert any(element.attributes.get("role") == "alert" for element in page.all("p"))
    assert await kept(caller, person) is None
    assert await states(caller, person) == {("email", "offers"): "granted"}


async def test_a_form_without_own_limits_leaves_those_that_were_chosen(working: Site, caller: Caller) -> None:
    await grant(caller, "keeper")
    path = await send_offer(working, caller, {"id": "keeper"})
    async with working.client.post(path, data=OWN, allow_redirects=False):
        pass
    before = await kept(caller, "keeper")

    async with working.client.post(path, data={"nothing": "1", "pause": ""}, allow_redirects=False) as response:
        assert response.status == 303

    assert await kept(caller, "keeper") == before
    assert await states(caller, "keeper") == {("email", "offers"): "denied"}


async def test_who_wants_one_message_a_month_gets_one(working: Site, caller: Caller) -> None:
    await grant(caller, "rarely")
    path = await send_offer(working, caller, {"id": "rarely"})
    once = {"granted": "email:offers", "limit": "1", "per": "month", "pause": ""}
    async with working.client.post(path, data=once, allow_redirects=False) as response:
        assert response.status == 303

    await send_offer(working, caller, {"id": "rarely"})
    another = await caller.post("/v1/messages", {**OFFER, "to": {"id": "rarely"}})
    ended = await settled(caller, another.body["id"], "held", "expired")

    assert ended["deliveries"][0]["reason"] == "frequency_cap"


async def test_the_page_says_that_texts_were_stopped(working: Site, caller: Caller) -> None:
    await grant(caller, "stopped", phone="+33612340077", locale="de")
    path = await send_offer(working, caller, {"id": "stopped"})
    before = await get_page(working, path)

    await caller.post("/v1/suppressions", {"channel": "sms", "address": "+33612340077", "reason": "stop"})

    after = await get_page(working, path)
    assert "START" not in before.source
    assert "SMS an deine Nummer sind gestoppt." in after.source
    assert "+33612340077" not in after.source
