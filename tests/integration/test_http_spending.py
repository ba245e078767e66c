"""What was spent, over HTTP, and marketing e-mail without a postal address, as operators are told."""

from pathlib import Path
from typing import Any

from gateway.bootstrap.checkup import check_up
from gateway.domain.checkup import Verdict
from gateway.settings import Settings
from gateway.work.gauges import Gauges
from tests.fakes import ScriptedProvider
from tests.http import ALL_SCOPES, open_site, send_body, settled
from tests.rigs import routes_to

MODES = ("embedded", "scaled")
LIMITS = [
    {"name": "mails", "per": "24h", "messages": 4, "cost": "1.00"},
    {"name": "blocks", "per": "1h", "messages": 9, "by": "prefix"},
]


async def test_ops_see_how_much_of_each_limit_is_used(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    spending = {"limits": LIMITS, "prices": {"scripted": {"other": "0.05"}}}
    async with open_site(
        tmp_path, work=True, further=[provider], routes=routes_to("scripted"), spending=spending
    ) as site:
        shop = await site.caller()
        ops = await site.caller("shop", ALL_SCOPES)
        reader = await site.caller("shop", {"read"})
        sent = await shop.post("/v1/messages", send_body())
        await settled(shop, sent.body["id"], "sent")

        shown = await ops.get("/v1/spending")
        refused = await reader.get("/v1/spending")

        assert refused.status == 403
        assert (shown.status, shown.body["currency"], shown.body["complaints"]) == (200, "EUR", [])
        assert shown.body["limits"] == [
            {
                "limit": "mails",
                "by": "service",
                "of": "shop",
                "per": "1d",
                "messages": {"used": 1, "limit": 4},
                "cost": {"used": "0.05", "limit": "1.00"},
                "share": 0.25,
            }
        ]
        gateway = site.gateway
        await Gauges(
            store=gateway.store.watching, clock=gateway.clock, metrics=gateway.metrics, spending=gateway.spending
        ).read()
        metrics = (await ops.get("/metrics")).body
        assert 'heliograph_spending_used{limit="mails"} 0.25' in metrics


async def test_who_has_an_address_for_some_readers_is_warned_for_the_others(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    sender = {"postal_addresses": [{"address": "Example SAS\n1 rue de la Paix, Paris", "locales": ["ar"]}]}
    async with open_site(tmp_path, further=[provider], routes=routes_to("scripted"), sender=sender) as site:
        ops = await site.caller("shop", ALL_SCOPES)
        body = {"channel": "email", "locale": "ar"}
        preview = await ops.post("/v1/templates/win-back-offer/preview", body)
        warnings = (await ops.get("/readyz")).body["warnings"]

        assert "<br><bdi>1 rue de la Paix, Paris</bdi>" in preview.body["content"]["html"]
        (warning,) = [one for one in warnings if "postal" in one]
        assert "sender.postal_address" in warning
        assert "win-back-offer" in warning


async def test_the_check_up_finds_the_same(tmp_path: Path) -> None:
    sections: dict[str, Any] = {"store": {"url": f"sqlite:///{tmp_path}/none.db"}, "routes": routes_to("scripted")}

    (found,) = await check_up(Settings.model_validate(sections))
    addressed = await check_up(Settings.model_validate(sections | {"sender": {"postal_address": "1 rue de la Paix"}}))

    assert (found.check, found.verdict) == ("imprint", Verdict.WARNING)
    assert "sender.postal_address" in found.detail
    assert addressed == []
