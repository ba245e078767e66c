"""The page behind the link that asks for confirmation: a GET changes nothing, a POST grants once."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.domain.ids import ConsentId, DeliveryId
from tests.http import Caller, Site, open_site, settled
from tests.modes import Mode
from tests.pages import Html

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that accepts and delivers."""
    with mode.furnished(tmp_path_factory.mktemp("confirming")) as folder:
        async with open_site(folder, work=True) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def caller(working: Site, service: str) -> Caller:
    return await working.caller(service, {"send", "read", "recipients"})


async def asked(working: Site, caller: Caller, locale: str = "en") -> str:
    """Sign somebody up, and answer the path of the link that asks them."""
    await caller.put("/v1/recipients/amina", {"email": "amina@example.org", "locale": locale})
    line = {"channel": "email", "topic": "newsletter", "state": "pending", "source": "form", "locale": locale}
    await caller.put("/v1/recipients/amina/consents", {"consents": [line]})
    (message,) = (await caller.get("/v1/messages", template="double-opt-in")).body["items"]
    sent = await settled(caller, message["id"])
    item = await working.gateway.mailbox.get_item(DeliveryId(sent["deliveries"][0]["id"]))
    found = re.search(r"/u/cns_[\w.-]+", str(item.content["text"]))
    assert found
    return found[0]


async def state(caller: Caller) -> str:
    (line,) = (await caller.get("/v1/recipients/amina/consents")).body["items"]
    return str(line["state"])


async def page(working: Site, method: str, path: str, **headers: str) -> tuple[int, Html]:
    async with working.client.request(method, path, headers=headers) as response:
        return response.status, Html(await response.text())


async def test_a_link_scanner_confirms_nothing(working: Site, caller: Caller) -> None:
    path = await asked(working, caller)

    for method in ("GET", "HEAD", "GET"):
        assert (await page(working, method, path))[0] == 200

    assert await state(caller) == "pending"


async def test_a_click_confirms_and_the_page_says_so(working: Site, caller: Caller) -> None:
    path = await asked(working, caller, "fr")

    status, shown = await page(working, "POST", path)

    assert (status, await state(caller)) == (200, "granted")
    assert "Votre abonnement est confirmé" in shown.source
    assert (await page(working, "POST", path))[0] == 200
    history = (await caller.get("/v1/recipients/amina/consents/history")).body["items"]
    assert [line["state"] for line in history] == ["granted", "pending"]


async def test_the_page_is_in_the_language_of_the_sign_up(working: Site, caller: Caller) -> None:
    path = await asked(working, caller, "he")

    _, shown = await page(working, "GET", path)

    assert 'dir="rtl"' in shown.source
    assert "אישור ההרשמה שלך" in shown.source


async def test_what_was_withdrawn_or_is_not_ours_is_told_alike(working: Site, caller: Caller) -> None:
    path = await asked(working, caller)
    line = {"channel": "email", "topic": "newsletter", "state": "denied", "source": "form"}
    await caller.put("/v1/recipients/amina/consents", {"consents": [line]})
    stranger = working.gateway.confirmation_links.token(ConsentId("cns_01m813y938e1avec5ketw04mvk"))

    told = set()
    for at in (path, f"/u/{stranger}"):
        for method in ("GET", "POST"):
            status, shown = await page(working, method, at)
            told.add((status, shown.source.replace(at, "")))

    assert {status for status, _ in told} == {404}
    assert len(told) == 1
    assert await state(caller) == "denied"
