"""A wall clock that is set back delays nothing that is due, and sends nothing early."""

from datetime import timedelta
from pathlib import Path

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome, SendResult
from tests.factories import NOW
from tests.fakes import ScriptedProvider, SetClock
from tests.rigs import open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")

S = DeliveryStatus
HOUR = 3600.0


async def test_what_was_accepted_before_the_step_goes_at_once(tmp_path: Path) -> None:
    clock = SetClock()
    async with open_rig(tmp_path, clock=clock, work=False) as rig:
        accepted = await rig.send()
    clock.set_back(HOUR)

    async with open_rig(tmp_path, clock=clock) as rig:
        assert (await rig.settled(accepted)).status is S.DELIVERED


async def test_a_retry_waits_for_its_back_off_and_not_for_the_step(tmp_path: Path) -> None:
    clock = SetClock()
    provider = ScriptedProvider(
        "scripted", SendResult(outcome=Outcome.TRANSIENT, retry_after_seconds=300), SendResult(outcome=Outcome.SENT)
    )
    async with open_rig(
        tmp_path, clock=clock, further=[provider], routes=routes_to("scripted"), delivery={"retry_max": "10m"}
    ) as rig:
        accepted = await rig.send(expires_at=NOW + timedelta(days=1))
        await rig.settled(accepted, S.QUEUED)

        clock.set_back(HOUR)

        async def due_by() -> bool:
            due = await rig.gateway.store.dispatch.next_due()
            return due is not None and due <= clock.now() + timedelta(minutes=10)

        await eventually(due_by, bool)
        clock.advance(601)
        assert (await rig.settled(accepted, S.SENT)).status is S.SENT


async def test_what_is_for_later_keeps_its_instant(tmp_path: Path) -> None:
    clock = SetClock()
    provider = ScriptedProvider("scripted")
    async with open_rig(tmp_path, clock=clock, further=[provider], routes=routes_to("scripted")) as rig:
        later = await rig.send(send_at=NOW + timedelta(minutes=1))
        clock.set_back(HOUR)
        at_once = await rig.settled(await rig.send(), S.SENT)

        assert (await rig.read(later)).status is S.SCHEDULED
        clock.advance(HOUR + 61)
        record = await rig.settled(later, S.SENT)

        assert at_once.deliveries[0].attempts[0].started_at < NOW
        assert record.deliveries[0].attempts[0].started_at >= NOW + timedelta(minutes=1)
