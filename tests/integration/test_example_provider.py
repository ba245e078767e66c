"""The worked example of an adapter from elsewhere: built, installed, held to the kit, and at work in a gateway."""

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.settings.kinds import load_kind
from providers.conformance.fault_server import FaultServer, Reply, Request, open_fault_server
from tests.http import ALL_SCOPES, Site, open_site, settled
from tests.integration.test_wheel import ROOT, python
from tests.modes import Mode
from tests.rigs import routes_to

MODES = ("embedded", "scaled")
EXAMPLE = ROOT / "examples" / "heliograph-pigeon"
SECRET = "what-pigeon-signs-with"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the distribution is installed, without a network."""
    folder = tmp_path_factory.mktemp("pigeon")
    python("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist"), cwd=EXAMPLE)
    (wheel,) = (folder / "dist").glob("*.whl")
    site = folder / "site-packages"
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    return site


def test_it_passes_the_conformance_kit_as_its_author_would_run_it(installed: Path) -> None:
    path = os.pathsep.join([str(installed), str(ROOT)])
    plugin = ("-p", "providers.conformance.plugin", "-p", "no:cacheprovider", "--import-mode=importlib")

    said = python("-P", "-m", "pytest", "-q", *plugin, "test_pigeon.py", cwd=EXAMPLE, path=path)

    assert " passed" in said


@pytest.fixture(scope="module")
def _found(installed: Path) -> Iterator[None]:
    """This process finds the distribution as if it were installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed)
        yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "heliograph_pigeon"]:
        del sys.modules[name]


def fly(request: Request) -> Reply:
    """Pigeon takes every text, under an id that is made of ours."""
    return Reply(status=201, body=json.dumps({"id": f"pgn-{json.loads(request.body)['reference']}"}).encode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pigeon() -> AsyncIterator[FaultServer]:
    async with open_fault_server(fly) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    _found: None, mode: Mode, pigeon: FaultServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """A gateway whose texts go by pigeon."""
    account = {"kind": "pigeon", "api_key": "k", "webhook_secret": SECRET, "base_url": pigeon.url, "from": "Shop"}
    with mode.furnished(tmp_path_factory.mktemp("site")) as folder:
        loft = load_kind("pigeon").section.model_validate(account)
        sections: dict[str, Any] = {
            "providers": {"loft": loft, "mailbox": {"kind": "mailbox"}},
            "routes": [{"channel": "sms", "providers": ["loft"]}, *routes_to("mailbox")],
        }
        async with open_site(folder, work=True, policy={"packs": False}, **sections) as opened:
            yield opened


@pytest.mark.asyncio(loop_scope="module")
async def test_a_text_goes_out_through_it_and_its_events_settle_the_delivery(site: Site, pigeon: FaultServer) -> None:
    from heliograph_pigeon.webhook import signature

    caller = await site.caller(scopes=ALL_SCOPES)
    body = {"template": "order-shipped", "to": {"phone": "+33612345678"}, "channels": ["sms"]}
    data = {"order": "A-1009", "total": {"amount": "129.90", "currency": "CAD"}, "eta": "2026-12-01"}
    accepted = await caller.post("/v1/messages", {**body, "data": data})
    message = await settled(caller, accepted.body["id"], "sent")
    (delivery,) = message["deliveries"]

    statuses = []
    for secret in ("somebody-else's-secret", SECRET):
        event = {"id": delivery["provider_message_id"], "reference": delivery["id"], "state": "landed"}
        raw, at = json.dumps({"events": [event]}).encode(), str(int(time.time()))
        headers = {"Pigeon-Signature": f"t={at},v1={signature(secret, at, raw)}"}
        async with site.client.post("/webhooks/loft", data=raw, headers=headers) as response:
            statuses.append(response.status)

    assert statuses == [401, 204]
    assert (await settled(caller, message["id"], "delivered"))["deliveries"][0]["provider"] == "loft"
    told = json.loads(pigeon.requests[-1].body)
    assert (told["from"], told["to"], told["reference"]) == ("Shop", "+33612345678", delivery["id"])
    assert told["events_to"].endswith("/webhooks/loft")
