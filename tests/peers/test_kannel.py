"""A real Kannel between the gateway and a carrier: receipts in whatever order they come, and texts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gateway.ports import Fitness
from tests.contract.test_kannel import make_kannel
from tests.http import ALL_SCOPES, Caller, Site, open_site, settled
from tests.peers.kannel import PASSWORD, TOKEN, USERNAME, Carrier, Door, Kannel, running_kannel, serving
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE_SECONDS = 30.0
TEMPLATE = """
description = "Says something"
category = "transactional"
channels = ["sms"]
[variables]
text = {type = "string", max_length = 1000}
[samples.usual]
text = "hello"
"""


@dataclass
class House:
    """A gateway, its Kannel, and the carrier beyond."""

    site: Site
    caller: Caller
    kannel: Kannel
    carrier: Carrier
    door: Door

    async def send(self, number: str, text: str = "hello") -> str:
        """The id of a message that was accepted."""
        body = {"template": "note", "to": {"phone": number}, "data": {"text": text}}
        accepted = await self.caller.post("/v1/messages", body)
        assert accepted.status == 202, accepted.body
        return str(accepted.body["id"])

    async def told(self, message: str) -> list[str]:
        """What Kannel said of it, word by word, in the order in which it came."""
        events = (await self.caller.get(f"/v1/messages/{message}/events")).body["items"]
        return [one["data"]["told"] for one in events if "told" in one["data"]]

    async def parts(self, number: str, count: int) -> list[dict[str, str]]:
        """What reached the carrier for a number, once there are so many parts."""
        return await eventually(lambda: self._of(number), lambda got: len(got) == count)

    async def _of(self, number: str) -> list[dict[str, str]]:
        return sorted(self.carrier.of(number), key=lambda part: part.get("udh", ""))

    async def hears(self, message: str, *words: str) -> list[str]:
        """The same, once all of these were said."""
        return await eventually(lambda: self.told(message), lambda told: set(words) <= set(told), PATIENCE_SECONDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("kannel")
    for name, text in (("template.toml", TEMPLATE), ("sms/body.txt", "{{ text }}")):
        path = folder / "templates" / "note" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    carrier, door = Carrier(), Door()
    async with serving("/send", carrier.take) as carrier_url, serving("/webhooks/carriers", door.take) as url:
        with running_kannel(f"{carrier_url}/send", f"{url}/webhooks/carriers") as kannel:
            account = {
                "kind": "kannel", "base_url": kannel.url, "username": USERNAME, "password": PASSWORD,
                "inbound_token": TOKEN, "from": "Shop",
            }  # fmt: skip
            sections: dict[str, Any] = {
                "server": {"public_url": url},
                "providers": {"carriers": account},
                "routes": [{"channel": "sms", "providers": ["carriers"]}],
                "content": {"templates": folder / "templates"},
            }
            async with open_site(folder, work=True, **sections) as site:
                door.gateway = site.client
                yield House(site, await site.caller("shop", ALL_SCOPES), kannel, carrier, door)
                door.gateway = None


async def test_receipts_that_come_the_other_way_round_come_to_the_same(house: House) -> None:
    number = "+33612000001"
    house.door.shut = {"8"}
    message = await house.send(number)
    await settled(house.caller, message, "sent")
    await house.parts(number, 1)

    await house.carrier.tell(number, 4, 1)
    await settled(house.caller, message, "delivered")
    house.door.shut = set()

    assert (await house.hears(message, "8"))[-1] == "8"
    assert (await settled(house.caller, message, "delivered"))["status"] == "delivered"


async def test_receipts_that_met_a_shut_door_come_again(house: House) -> None:
    number = "+33612000002"
    house.door.shut = {"8", "2"}
    message = await house.send(number)
    await settled(house.caller, message, "sent")
    await house.parts(number, 1)

    await house.carrier.tell(number, 2)
    house.door.shut = set()

    await settled(house.caller, message, "undelivered")
    # Each was brought twice, and counts once.
    assert sorted(await house.hears(message, "8", "2")) == ["2", "8"]


async def test_a_text_that_the_carrier_refuses_is_not_delivered(house: House) -> None:
    number = "+33612000003"
    house.carrier.refused[number] = (400, "No such number")

    message = await house.send(number)

    await settled(house.caller, message, "undelivered")
    assert await house.hears(message, "16") == ["16"]


@pytest.mark.parametrize(
    ("number", "text", "parts"),
    [
        ("+33612000004", "Grüße €[]{}^~|\\@ñ", 1),
        ("+33612000005", "Привет 👋", 1),
        ("+33612000006", "€uro " * 60, 3),
        ("+33612000007", "мир 👋 " * 30, 4),
    ],
    ids=["gsm", "ucs", "long gsm", "long ucs"],
)
async def test_the_carrier_gets_what_was_written(house: House, number: str, text: str, parts: int) -> None:
    message = await house.send(number, text.strip())

    await settled(house.caller, message, "sent")
    got = await house.parts(number, parts)

    # Kannel may cut between the halves of a surrogate pair; a handset puts the parts together before it reads them.
    whole = "".join(part["text"] for part in got).encode("utf-16", "surrogatepass").decode("utf-16")
    assert whole == text.strip()


async def test_a_stop_comes_in_and_holds_for_what_follows(house: House) -> None:
    number = "+33612000008"
    await settled(house.caller, await house.send(number), "sent")

    async with aiohttp.ClientSession() as session:
        text = {"username": "kannel", "password": "kannel", "from": number, "to": "+33700000000", "text": "STOP"}
        async with session.get(house.kannel.texts, params=text) as answer:
            assert answer.status == 202

    async def suppressions() -> Any:
        return (await house.caller.get("/v1/suppressions", address=number)).body["items"]

    (suppression,) = await eventually(suppressions, bool, PATIENCE_SECONDS)
    assert suppression["reason"] == "stop"
    assert (await settled(house.caller, await house.send(number)))["status"] == "suppressed"


async def test_a_probe_tells_right_from_wrong_credentials_and_sends_nothing(house: House) -> None:
    before = len(house.carrier.got)
    found = []

    for password in (PASSWORD, "wrong"):
        provider = make_kannel(house.kannel.url, username=USERNAME, password=password)
        found.append((await provider.health()).fitness)
        await provider.aclose()

    assert found == [Fitness.OK, Fitness.MISCONFIGURED]
    assert len(house.carrier.got) == before
