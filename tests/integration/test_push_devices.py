"""One push delivery, device by device: each goes to the provider of its platform, and each one's outcome is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.delivery.presentation import delivery_json
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import DeviceResult, Envelope, Outcome, SendResult
from gateway.domain.recipients import Channel, PushDevice, PushPlatform, Recipient
from gateway.ports import MessageRecord
from tests.factories import make_recipient
from tests.fakes import ScriptedProvider
from tests.rigs import Rig, open_rig, routes_to

MODES = ("embedded", "scaled")
S = DeliveryStatus
FCM, APNS = PushPlatform.FCM, PushPlatform.APNS
TO_BOTH = routes_to("apps", "iphones")
PUSH = (Channel.PUSH,)
Fate = Outcome | Callable[[PushDevice], Outcome]


def devices_of(*named: tuple[PushPlatform, str]) -> Recipient:
    devices = [PushDevice(platform=platform, token=token) for platform, token in named]
    return make_recipient(push=tuple(devices))


AMINA = devices_of((FCM, "phone"), (APNS, "tablet"), (FCM, "watch"))


def pushing(name: str, platform: PushPlatform, *fates: Fate) -> ScriptedProvider:
    """One that reaches a platform's devices, and says in turn how each call fared."""

    def answering(fate: Fate) -> Callable[[Envelope], SendResult]:
        def answer(envelope: Envelope) -> SendResult:
            outcomes = [fate if isinstance(fate, Outcome) else fate(device) for device in envelope.devices]
            devices = [
                DeviceResult(platform=device.platform.value, status=outcome.value, provider_message_id=name)
                for device, outcome in zip(envelope.devices, outcomes, strict=True)
            ]
            best = Outcome.SENT if Outcome.SENT in outcomes else outcomes[0]
            return SendResult(outcome=best, provider_message_id=f"{name}-1", devices=tuple(devices))

        return answer

    return ScriptedProvider(name, *map(answering, fates or (Outcome.SENT,)), platforms={platform}, receipts=False)


def tokens(provider: ScriptedProvider) -> list[list[str]]:
    return [[device.address for device in envelope.devices] for envelope in provider.envelopes]


async def sent_push(rig: Rig, to: Recipient, *statuses: DeliveryStatus) -> MessageRecord:
    accepted = await rig.send(to=to, channels=PUSH, strategy=Strategy.ALL)
    return await rig.settled(accepted, *statuses)


def listed(record: MessageRecord) -> list[tuple[Any, Any, Any]]:
    (delivery,) = record.deliveries
    shown: Any = delivery_json(delivery)
    return [(one["platform"], one["status"], one["reason"]) for one in shown["devices"]]


async def test_each_device_goes_to_the_provider_of_its_platform_at_the_same_time(tmp_path: Path) -> None:
    apps, iphones = pushing("apps", FCM), pushing("iphones", APNS)
    async with open_rig(tmp_path, further=[apps, iphones], routes=TO_BOTH) as rig:
        record = await sent_push(rig, AMINA, S.SENT)

        assert (tokens(apps), tokens(iphones)) == ([["phone", "watch"]], [["tablet"]])
        (delivery,) = record.deliveries
        assert [(one.number, one.provider) for one in delivery.attempts] == [(1, "apps"), (2, "iphones")]
        assert all(one.finished_at and one.result for one in delivery.attempts)
        assert (delivery.delivery.attempts, delivery.delivery.reason) == (2, "no_receipts")
        assert listed(record) == [("fcm", "sent", None), ("fcm", "sent", None), ("apns", "sent", None)]


async def test_one_that_was_reached_is_enough(tmp_path: Path) -> None:
    apps, iphones = pushing("apps", FCM, Outcome.TRANSIENT), pushing("iphones", APNS)
    async with open_rig(tmp_path, further=[apps, iphones], routes=TO_BOTH) as rig:
        record = await sent_push(rig, AMINA, S.SENT)

        assert (len(apps.envelopes), len(iphones.envelopes)) == (1, 1)
        assert [one[1] for one in listed(record)] == ["transient", "transient", "sent"]
        assert record.deliveries[0].delivery.provider_message_id == "iphones-1"


async def test_where_none_was_reached_all_are_tried_again_until_one_is(tmp_path: Path) -> None:
    apps = pushing("apps", FCM, Outcome.TRANSIENT, Outcome.SENT)
    iphones = pushing("iphones", APNS, Outcome.THROTTLED, Outcome.REJECTED)
    async with open_rig(tmp_path, further=[apps, iphones], routes=TO_BOTH) as rig:
        record = await sent_push(rig, AMINA, S.SENT)

        assert [one.number for one in record.deliveries[0].attempts] == [1, 2, 3, 4]
        assert [one[1] for one in listed(record)] == ["sent", "sent", "rejected"]


async def test_a_lost_answer_for_one_platform_keeps_the_whole_from_a_second_call(tmp_path: Path) -> None:
    apps, iphones = pushing("apps", FCM, Outcome.UNKNOWN), pushing("iphones", APNS, Outcome.TRANSIENT)
    async with open_rig(tmp_path, further=[apps, iphones], routes=TO_BOTH) as rig:
        await sent_push(rig, AMINA, S.UNKNOWN)

        assert (len(apps.envelopes), len(iphones.envelopes)) == (1, 1)


async def test_dead_tokens_of_several_devices_are_each_suppressed_and_the_others_go_on(tmp_path: Path) -> None:
    apps = pushing("apps", FCM, lambda one: Outcome.INVALID_RECIPIENT if one.address == "watch" else Outcome.SENT)
    iphones = pushing("iphones", APNS, Outcome.INVALID_RECIPIENT)
    async with open_rig(tmp_path, further=[apps, iphones], routes=TO_BOTH) as rig:
        for _ in range(2):
            await sent_push(rig, AMINA, S.SENT)

        assert (tokens(apps), tokens(iphones)) == ([["phone", "watch"], ["phone"]], [["tablet"]])
        page = await rig.gateway.suppressions.list_suppressions(Channel.PUSH, None, 10, None)
        blamed = {one.address: (one.evidence or {})["provider"] for one in page.items}
        assert blamed == {"watch": "apps", "tablet": "iphones"}


async def test_a_second_provider_of_a_platform_takes_over_from_one_that_fails(tmp_path: Path) -> None:
    apps, iphones = pushing("apps", FCM, Outcome.MISCONFIGURED), pushing("iphones", APNS, Outcome.MISCONFIGURED)
    spare = pushing("spare", APNS)
    async with open_rig(tmp_path, further=[apps, iphones, spare], routes=routes_to("apps", "iphones", "spare")) as rig:
        record = await sent_push(rig, AMINA, S.SENT)

        assert tokens(spare) == [["tablet"]]
        assert len(iphones.envelopes) == 1
        assert ("apns", "sent", None) in listed(record)


@pytest.mark.parametrize("reached", [True, False], ids=["beside another", "alone"])
async def test_a_device_that_no_provider_reaches_is_left_out_or_ends_the_delivery(
    tmp_path: Path, reached: bool
) -> None:
    apps = pushing("apps", FCM)
    to = devices_of(*([(FCM, "phone")] if reached else []), (APNS, "tablet"))
    async with open_rig(tmp_path, further=[apps], routes=routes_to("apps")) as rig:
        record = await sent_push(rig, to, S.SENT if reached else S.SUPPRESSED)

        if reached:
            assert listed(record) == [("fcm", "sent", None), ("apns", "skipped", "no_provider")]
        else:
            assert record.deliveries[0].delivery.reason == "no_route"
