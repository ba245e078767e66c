"""Explaining: rules to be tried, instants, zones and their evidence; nothing is sent or stored."""

from typing import Any

import pytest

from gateway.domain.keys import Scope
from tests.http import Caller, Site, send_body

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")

NIGHT = {
    "name": "night",
    "categories": ["transactional"],
    "forbid": [{"from": "20:00", "to": "08:00"}],
}
IN_BERLIN = {"email": "amina@example.org", "timezone": "Europe/Berlin"}


async def explained(caller: Caller, **changes: Any) -> Any:
    told = await caller.post("/v1/explain", send_body(**changes))
    assert told.status == 200, told.body
    return told.body["deliveries"][0]


async def test_rules_can_be_tried_before_they_are_adopted(ops: Caller) -> None:
    late = {"to": IN_BERLIN, "at": "2026-11-30T22:00:00Z"}

    without, under = await explained(ops, **late), await explained(ops, **late, rules={"quiet_hours": [NIGHT]})

    assert without["decision"] == "send"
    assert (under["decision"], under["reason"], under["rule"]) == ("hold", "quiet_hours", "night")
    assert under["not_before"] == "2026-12-01T07:00:00Z"
    assert (under["zones"], under["zone_evidence"]) == (["Europe/Berlin"], "recipient")
    step = next(step for step in under["trace"] if step["rule"] == "night")
    assert step["verdict"] == "hold"
    assert step["saw"]["origin"] == "request"
    assert step["saw"]["local"] == "2026-11-30T23:00:00+01:00"


async def test_tried_rules_stand_in_place_of_the_country_packs(ops: Caller) -> None:
    grant = {"channel": "sms", "topic": "offers", "state": "granted", "source": "form", "at": "2026-01-01T00:00:00Z"}
    kept = await ops.put("/v1/recipients/texan", {"phone": "+12145551234"})
    assert kept.status in (200, 201), kept.body
    assert (await ops.put("/v1/recipients/texan/consents", {"consents": [grant]})).status == 200
    offer = {
        "template": "win-back-offer",
        "to": {"id": "texan"},
        "channels": ["sms"],
        "at": "2026-11-22T05:40:00Z",
        "data": (await ops.get("/v1/templates/win-back-offer")).body["samples"]["usual"],
    }

    by_packs, by_none = await explained(ops, **offer), await explained(ops, **offer, rules={})

    assert (by_packs["decision"], by_packs["zone_evidence"]) == ("hold", "phone")
    assert by_packs["zones"] == ["America/Chicago"]
    assert by_packs["not_before"] == "2026-11-22T18:00:00Z"
    assert by_none["decision"] == "send"


async def test_trying_rules_needs_the_scope_policy(site: Site, shop: Caller, service: str) -> None:
    body = send_body(rules={"quiet_hours": [NIGHT]})
    lawyer = await site.caller(service, {Scope.POLICY})

    refused, taken = await shop.post("/v1/explain", body), await lawyer.post("/v1/explain", body)

    assert (refused.status, refused.body["code"]) == (403, "missing_scope")
    assert taken.status == 200, taken.body


async def test_every_wrong_key_of_tried_rules_is_named_by_its_pointer(ops: Caller) -> None:
    wrong = {
        "quiet_hours": [{"name": "a", "countries": ["UK"], "allow": [{"from": "09:00", "to": "09:00"}]}],
        "frequency_caps": [{"name": "b", "limit": 0, "per": "year"}],
        "caps": [],
    }

    refused = await ops.post("/v1/explain", send_body(rules=wrong))

    assert refused.status == 422
    assert {error["pointer"] for error in refused.body["errors"]} == {
        "/rules/quiet_hours/0/countries/0",
        "/rules/quiet_hours/0/allow/0/to",
        "/rules/frequency_caps/0/limit",
        "/rules/frequency_caps/0/per",
        "/rules/caps",
    }


async def test_a_person_without_a_common_opening_is_told_so(ops: Caller) -> None:
    office = {"name": "office", "categories": ["transactional"], "allow": [{"from": "09:00", "to": "18:00"}]}
    everywhere = {
        "to": {"email": "a@example.org", "phone": "+18005551234"},
        "at": "2026-11-22T12:00:00Z",
        "rules": {"quiet_hours": [office]},
    }

    soon = await explained(ops, **everywhere)
    late = await explained(ops, **everywhere, expires_at="2026-12-31T00:00:00Z")

    assert (soon["decision"], soon["rule"]) == ("expire", "office")
    assert (late["decision"], late["reason"], late["rule"]) == ("suppress", "no_opening", "office")
    assert len(late["zones"]) > 20
