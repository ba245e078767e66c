"""A next channel that waits its turn: the process that would try it ends, and another one does."""

from pathlib import Path
from typing import Any

from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel
from gateway.ports import MessageRecord
from tests.fakes import ScriptedProvider
from tests.rigs import open_rig, routes_to, write_templates
from tests.waiting import eventually

MODES = ("embedded", "scaled")
S = DeliveryStatus


def statuses(record: MessageRecord) -> list[tuple[Channel, DeliveryStatus]]:
    return [(one.delivery.channel, one.delivery.status) for one in record.deliveries]


async def test_a_restart_before_the_fallback_neither_forgets_it_nor_tries_it_twice(tmp_path: Path) -> None:
    templates = write_templates(tmp_path / "own")
    manifest = templates / "note" / "template.toml"
    manifest.write_text(manifest.read_text().replace('"first"\n', '"first"\nfallback_after = "1s"\n'))
    channels = (Channel.EMAIL, Channel.SMS)

    def provider() -> ScriptedProvider:
        return ScriptedProvider("scripted")

    settings: dict[str, Any] = {"routes": routes_to("scripted"), "content": {"templates": templates}}
    async with open_rig(tmp_path, further=[provider()], **settings) as rig:
        waiting, confirmed = [await rig.send(channels=channels) for _ in range(2)]
        for accepted in (waiting, confirmed):
            await rig.settled(accepted, S.SENT)
        arrived = (await rig.read(confirmed)).deliveries[0].delivery.id
        told = Receipt(event_id="1", delivery_id=arrived, status="delivered", evidence=Evidence.DELIVERED)
        await rig.gateway.tracker.take_in("scripted", [told])

    after = provider()
    async with open_rig(tmp_path, further=[after], **settings) as rig:
        both = [(Channel.EMAIL, S.SENT), (Channel.SMS, S.SENT)]
        await eventually(lambda: rig.read(waiting), lambda record: statuses(record) == both)

        assert statuses(await rig.read(confirmed)) == [(Channel.EMAIL, S.DELIVERED)]
        assert len(after.envelopes) <= 1
        assert await rig.gateway.store.dispatch.next_due() is None
