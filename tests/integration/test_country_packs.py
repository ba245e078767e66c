"""Country packs hold by the recipient's country, and what the operator does not follow is on record."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.domain.audit import SYSTEM, AuditAction
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import SendRequest
from gateway.domain.recipients import Channel, PhoneNumber, Recipient
from gateway.ports import AuditQuery
from tests.factories import make_consent, make_recipient
from tests.fakes import SetClock
from tests.rigs import Rig, open_rig

MODES = ("embedded", "scaled")
EVENING = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
"""A Monday, half past eight in Austin: after hours in Florida, before them in Texas."""
TEXAN = {"phone": "+15125550123", "country": "US", "region": "US-TX", "timezone": "America/Chicago"}
OVERRIDE = {"rule": "us-federal", "reason": "advice of counsel, 3 March 2026"}


async def send_text(rig: Rig, **changes: Any) -> tuple[DeliveryStatus, str | None]:
    """An offer by text to somebody who agreed; where it stands, and why."""
    person = make_recipient(**{**TEXAN, "phone": PhoneNumber(TEXAN["phone"]), **changes})
    await rig.gateway.recipients.put_recipient(rig.service_id, person, rig.gateway.clock.now())
    grant = make_consent(service_id=rig.service_id, channel=Channel.SMS)
    await rig.gateway.consents.add_consents([grant], again=True)
    record = await rig.settled(
        await rig.send("offer", to=Recipient(id=person.id), channels=(Channel.SMS,)),
        DeliveryStatus.HELD,
        DeliveryStatus.DELIVERED,
    )
    return record.deliveries[0].delivery.status, record.deliveries[0].delivery.reason


async def test_a_text_waits_for_the_hours_of_the_state_that_its_reader_lives_in(tmp_path: Path) -> None:
    async with open_rig(tmp_path, clock=SetClock(EVENING), policy={"packs": True}) as rig:
        in_texas = await send_text(rig)
        in_florida = await send_text(rig, region="US-FL")

    assert in_texas == (DeliveryStatus.DELIVERED, None)
    assert in_florida == (DeliveryStatus.HELD, "quiet_hours")


async def test_packs_that_are_turned_off_hold_nothing(tmp_path: Path) -> None:
    async with open_rig(tmp_path, clock=SetClock(EVENING), policy={"packs": ["FR"]}) as rig:
        assert await send_text(rig, region="US-FL") == (DeliveryStatus.DELIVERED, None)


async def test_an_override_is_kept_in_the_audit_trail_once(tmp_path: Path) -> None:
    for _ in range(2):
        async with open_rig(tmp_path, policy={"packs": True, "overrides": [OVERRIDE]}) as rig:
            audit = await rig.gateway.store.audit.list_audit(AuditQuery(action=AuditAction.OVERRIDE), 10, None)

    (entry,) = audit.items
    assert (entry.subject, entry.reason, entry.actor) == ("us-federal", OVERRIDE["reason"], SYSTEM)


async def test_an_override_stands_in_what_explain_tells(tmp_path: Path) -> None:
    async with open_rig(tmp_path, policy={"packs": True, "overrides": [OVERRIDE]}) as rig:
        texan = make_recipient(**{**TEXAN, "phone": PhoneNumber(TEXAN["phone"])})
        await rig.gateway.recipients.put_recipient(rig.service_id, texan, EVENING)
        await rig.gateway.consents.add_consents([make_consent(service_id=rig.service_id, channel=Channel.SMS)])
        request = SendRequest(template="offer", to=Recipient(id=texan.id), channels=(Channel.SMS,), data={"text": "x"})

        told = await rig.gateway.explainer.explain(rig.service_id, True, request, EVENING)

    steps = {step["rule"]: step["saw"] for step in trace_of(told)}
    assert steps["us-federal"]["overridden"] == OVERRIDE["reason"]
    assert "us-texas" in steps


def trace_of(told: Any) -> list[dict[str, Any]]:
    trace: list[dict[str, Any]] = told["deliveries"][0]["trace"]
    return trace
