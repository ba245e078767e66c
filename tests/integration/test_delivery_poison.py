"""A delivery whose claims keep ending before their time, with the worker or with the job that held it."""

from functools import partial
from operator import lt
from pathlib import Path

from gateway.delivery.accepting.accept import Accepted
from gateway.domain.lifecycle import DeliveryStatus as S
from gateway.domain.recipients import Channel
from gateway.ports import Capabilities, MessageRecord
from tests.fakes import ScriptedProvider
from tests.rigs import Rig, open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")


class Ended(BaseException):
    """Nothing catches it: whoever meets it ends there."""


class Deadly(ScriptedProvider):
    """Ends whoever prepares a message for it, as often as it is armed for."""

    def __init__(self, name: str) -> None:
        self.left = 0
        self.ended = 0
        super().__init__(name)

    @property
    def capabilities(self) -> Capabilities:
        if self.left:
            self.left -= 1
            self.ended += 1
            raise Ended
        return self._capabilities

    @capabilities.setter
    def capabilities(self, capabilities: Capabilities) -> None:
        self._capabilities = capabilities


async def end(rig: Rig, deadly: Deadly, times: int) -> None:
    """Let it end so many jobs, sweeping until what each left behind is found: a job may still be ending then."""
    assert rig.working.worker is not None
    for number in range(times):
        await eventually(partial(swept, rig, deadly), partial(lt, number))


async def swept(rig: Rig, deadly: Deadly) -> int:
    """How many jobs it has ended, after one sweep."""
    assert rig.working.worker is not None
    await rig.working.worker.sweep()
    return deadly.ended


async def settled(rig: Rig, deadly: Deadly, accepted: Accepted) -> MessageRecord:
    """The message once it is sent, sweeping until then."""

    async def look() -> MessageRecord:
        await swept(rig, deadly)
        return await rig.read(accepted)

    return await eventually(look, lambda record: record.status is S.SENT)


async def test_it_is_set_aside_after_three_claims_and_its_message_goes_on_by_another_channel(tmp_path: Path) -> None:
    deadly = Deadly("deadly")
    async with open_rig(tmp_path, further=[deadly], routes=routes_to("deadly")) as rig:
        deadly.left = 3
        accepted = await rig.send(channels=(Channel.EMAIL, Channel.SMS))
        await end(rig, deadly, 3)

        record = await settled(rig, deadly, accepted)

        outcomes = [(one.delivery.channel, one.delivery.status, one.delivery.reason) for one in record.deliveries]
        assert outcomes == [(Channel.EMAIL, S.FAILED, "poison"), (Channel.SMS, S.SENT, None)]
        events = (await rig.gateway.log.events(accepted.message_id, None, 100, None)).items
        (failed,) = [event for event in events if event.type == "delivery.failed"]
        assert (failed.data["reason"], failed.data["claims"]) == ("poison", 3)
        assert rig.working.metrics.registry.get_sample_value("heliograph_deliveries_poisoned_total") == 1


async def test_one_that_is_only_suspected_is_delivered(tmp_path: Path) -> None:
    deadly = Deadly("deadly")
    async with open_rig(tmp_path, further=[deadly], routes=routes_to("deadly")) as rig:
        deadly.left = 2
        accepted = await rig.send(channels=(Channel.EMAIL,))
        await end(rig, deadly, 2)

        record = await settled(rig, deadly, accepted)

        assert len(record.deliveries[0].attempts) == 1
