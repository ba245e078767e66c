"""A person leaves by text while messages to them are held, scheduled and queued: nothing of it goes any more."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from gateway.domain.instants import rfc3339
from gateway.domain.messages import Envelope, Outcome, SendResult, SmsContent
from gateway.settings import Settings
from gateway.web.app import make_app
from gateway.web.site import page_routes
from providers.mailbox_webhook import sign
from tests.fakes import ScriptedProvider
from tests.http import ALL_SCOPES, Caller, Site, settled
from tests.modes import Mode, sections_of
from tests.rigs import opened, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")
NUMBER = "+33612345678"
SECRET = "a secret for the tests of texts"
CODE: Mapping[str, Any] = {"template": "one-time-code", "data": {"code": "493028", "minutes": 10}, "channels": ["sms"]}
OFFER: Mapping[str, Any] = {
    "template": "win-back-offer",
    "channels": ["sms"],
    "data": {"discount": 0.2, "coupon": "BACK20", "ends": "2026-12-24", "shop_url": "https://example.org/back"},
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Carrier(ScriptedProvider):
    """Has no room for one-time codes, and takes everything else."""

    async def send(self, envelope: Envelope) -> SendResult:
        result = await super().send(envelope)
        is_code = isinstance(envelope.content, SmsContent) and "493028" in envelope.content.text
        return SendResult(outcome=Outcome.THROTTLED, retry_after_seconds=1) if is_code else result

    def texts(self) -> list[str]:
        """What it was given, but for the codes."""
        contents = [one.content for one in self.envelopes]
        texts = [content.text for content in contents if isinstance(content, SmsContent)]
        return [text for text in texts if "493028" not in text]


@asynccontextmanager
async def open_shop(folder: Path, carrier: Carrier) -> AsyncIterator[Site]:
    """A gateway whose marketing texts wait for an hour that is not this one."""
    hour = (datetime.now(UTC) + timedelta(hours=2)).hour
    opening = {"from": f"{hour:02}:00", "to": f"{(hour + 1) % 24:02}:00"}
    sections = {
        **sections_of(folder),
        "providers": {"mailbox": {"kind": "mailbox", "webhook_secret": SECRET}},
        "routes": routes_to("carrier"),
        "policy": {"packs": False},
        "quiet_hours": [{"name": "one-hour", "allow": [opening]}],
    }
    settings = Settings.model_validate(sections)
    async with (
        opened(settings, work=True, further=[carrier]) as (gateway, _),
        TestClient(TestServer(make_app(gateway, page_routes(gateway)))) as client,
    ):
        yield Site(gateway, client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Carrier, Site, Caller]]:
    carrier = Carrier("carrier")
    with mode.furnished(tmp_path_factory.mktemp("shop")) as folder:
        async with open_shop(folder, carrier) as site:
            yield carrier, site, await site.caller("shop", ALL_SCOPES)


async def text(site: Site, words: str, event_id: str) -> int:
    body = json.dumps({"id": event_id, "from": NUMBER, "text": words}).encode()
    headers = {"Content-Type": "application/json", **sign(SECRET, int(time.time()), body)}
    async with site.client.post("/webhooks/mailbox", data=body, headers=headers) as response:
        return response.status


async def send(caller: Caller, request: Mapping[str, Any], **more: Any) -> str:
    accepted = await caller.post("/v1/messages", {**request, "to": {"id": "amina", "phone": NUMBER}, **more})
    assert accepted.status == 202, accepted.body
    return str(accepted.body["id"])


async def test_after_a_stop_nothing_goes_that_waited_until_start_lifts_it(shop: tuple[Carrier, Site, Caller]) -> None:
    carrier, site, caller = shop
    await caller.put("/v1/recipients/amina", {"phone": NUMBER, "timezone": "UTC", "locale": "pt-BR"})
    line = {"channel": "sms", "topic": "offers", "state": "granted", "source": "sign-up"}
    await caller.put("/v1/recipients/amina/consents", {"consents": [line]})
    held = await send(caller, OFFER)
    scheduled = await send(caller, CODE, send_at=rfc3339(datetime.now(UTC) + timedelta(seconds=2)))
    queued = await send(caller, CODE)
    await settled(caller, held, "held")
    await settled(caller, queued, "queued")

    answers = await asyncio.gather(*(text(site, "STOP", "evt-stop") for _ in range(20)))
    calls = len(carrier.envelopes)

    ends = [(await settled(caller, one))["status"] for one in (held, scheduled, queued)]
    texts = await eventually(lambda: asyncio.sleep(0, carrier.texts()), lambda seen: len(seen) >= 1, 20)
    assert set(answers) == {204}
    assert ends == ["suppressed"] * 3
    assert len(texts) == 1
    assert "Sua inscrição foi cancelada" in texts[0]
    assert len(carrier.envelopes) <= calls + 1

    await text(site, "START", "evt-start")
    texts = await eventually(lambda: asyncio.sleep(0, carrier.texts()), lambda seen: len(seen) >= 2, 20)
    order = {"order": "A-1", "total": {"amount": "1.00", "currency": "BRL"}, "eta": "2026-12-01"}
    again = await send(caller, {"template": "order-shipped", "channels": ["sms"], "data": order})
    assert (await settled(caller, again, "sent"))["status"] == "sent"
    assert "Você pode receber nossas mensagens" in texts[1]
