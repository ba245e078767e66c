"""What changes while a message is held counts: at once where it moves the hold, and at the latest at the hand-off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.delivery.accepting.accept import Accepted
from gateway.domain.ids import ConsentId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.preferences import ConsentState
from gateway.domain.recipients import Channel
from gateway.ports import MessageRecord
from tests.factories import make_consent, make_recipient, make_suppression
from tests.fakes import ScriptedProvider, SetClock
from tests.rigs import Rig, open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")

S = DeliveryStatus
MONDAY = datetime.fromisoformat("2026-11-23T07:00:00-05:00")
EIGHT = MONDAY + timedelta(hours=1)
DAYTIME = {
    "name": "daytime",
    "categories": ["marketing"],
    "allow": [{"from": "08:00", "to": "20:00"}],
}
AWAY = SendResult(outcome=Outcome.TRANSIENT)


@asynccontextmanager
async def at_seven(folder: Path, provider: ScriptedProvider, **changes: Any) -> AsyncIterator[tuple[Rig, SetClock]]:
    """It is seven in the morning where Amina lives, who wants offers by e-mail."""
    clock = SetClock(MONDAY)
    sections = {
        "routes": routes_to(provider.name),
        "quiet_hours": [DAYTIME],
        "policy": {"packs": False, "release_over": "0s"},
        **changes,
    }
    async with open_rig(folder, further=[provider], clock=clock, **sections) as rig:
        await rig.gateway.recipients.put_recipient(rig.service_id, make_recipient(), MONDAY)
        granted = make_consent(service_id=rig.service_id, topic="offers", at=MONDAY, recorded_at=MONDAY)
        await rig.gateway.consents.add_consents([granted])
        yield rig, clock


async def send_offer(rig: Rig) -> Accepted:
    """To what is kept of Amina."""
    named = make_recipient(email=None, phone=None, push=(), locale=None, timezone=None, country=None)
    return await rig.send("offer", to=named, channels=(Channel.EMAIL,))


async def held_until(rig: Rig, accepted: Accepted, instant: datetime) -> MessageRecord:
    """Its record once it is held to that instant."""
    return await eventually(
        lambda: rig.read(accepted), lambda record: record.deliveries[0].delivery.not_before == instant
    )


async def test_a_zone_that_changes_moves_what_is_held_both_ways(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with at_seven(tmp_path, provider) as (rig, _):
        accepted = await send_offer(rig)
        await held_until(rig, accepted, EIGHT)

        await rig.gateway.recipients.put_recipient(
            rig.service_id, make_recipient(timezone="America/Los_Angeles"), MONDAY
        )
        later = await held_until(rig, accepted, EIGHT + timedelta(hours=3))
        await rig.gateway.recipients.put_recipient(rig.service_id, make_recipient(timezone="Europe/Paris"), MONDAY)
        sent = await rig.settled(accepted, S.SENT)

        assert later.deliveries[0].delivery.status is S.HELD
        assert len(sent.deliveries[0].attempts) == 1


async def test_a_consent_withdrawn_a_minute_before_stops_the_release(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with at_seven(tmp_path, provider) as (rig, clock):
        accepted = await send_offer(rig)
        await held_until(rig, accepted, EIGHT)
        clock.advance(59 * 60)
        now = clock.now()
        denied = make_consent(
            id=ConsentId("con_2"),
            service_id=rig.service_id,
            topic="offers",
            state=ConsentState.DENIED,
            at=now,
            recorded_at=now,
        )

        await rig.gateway.consents.add_consents([denied])
        record = await rig.settled(accepted)
        clock.advance(120)

        assert clock.now() > EIGHT
        assert (record.status, record.deliveries[0].delivery.reason) == (S.SUPPRESSED, "consent_denied")
        assert provider.envelopes == []


async def test_a_stop_while_a_retry_is_queued_stops_it(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", AWAY)
    slow = {"retry_first": "1h", "retry_max": "1h"}
    async with at_seven(tmp_path, provider, quiet_hours=[], delivery=slow) as (rig, clock):
        accepted = await send_offer(rig)
        await rig.settled(accepted, S.QUEUED)
        await rig.gateway.suppressions.add_suppression(make_suppression(created_at=clock.now()))

        clock.advance(3_601)
        record = await rig.settled(accepted)

        assert record.status is S.SUPPRESSED
        assert len(provider.envelopes) == 1


async def test_a_suppression_ends_what_is_held_at_once(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with at_seven(tmp_path, provider) as (rig, clock):
        accepted = await send_offer(rig)
        await held_until(rig, accepted, EIGHT)

        await rig.gateway.suppressions.add_suppression(make_suppression(created_at=clock.now()))

        assert (await rig.settled(accepted)).status is S.SUPPRESSED


async def test_an_opening_releases_over_its_span_and_the_api_says_when_it_opened(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    policy = {"packs": False, "release_over": "10m"}
    async with at_seven(tmp_path, provider, policy=policy) as (rig, clock):
        accepted = [await send_offer(rig) for _ in range(8)]
        for one in accepted:
            await held_until(rig, one, EIGHT)

        clock.advance(60 * 60)
        early = len(provider.envelopes)
        for _ in range(11):
            clock.advance(60)
        for one in accepted:
            await rig.settled(one, S.SENT)

        starts = [(await rig.read(one)).deliveries[0].attempts[0].started_at for one in accepted]
        assert early == 0
        assert all(start >= EIGHT for start in starts)


async def test_rules_that_changed_move_what_is_held_at_the_next_start(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with at_seven(tmp_path, provider) as (rig, _):
        accepted = await send_offer(rig)
        await held_until(rig, accepted, EIGHT)

    earlier = {**DAYTIME, "allow": [{"from": "06:00", "to": "20:00"}]}
    again = ScriptedProvider("scripted")
    sections: dict[str, Any] = {"quiet_hours": [earlier], "policy": {"packs": False}, "routes": routes_to("scripted")}
    async with open_rig(tmp_path, further=[again], clock=SetClock(MONDAY), **sections) as rig:
        await rig.settled(accepted, S.SENT)

        assert len(again.envelopes) == 1
