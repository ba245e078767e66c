"""Frequency caps end to end: never one message too many, whatever happens at once, and none held for nothing."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.bootstrap import open_gateway
from gateway.delivery.accepting.accept import Accepted
from gateway.domain.ids import RecipientId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import Outcome, Priority, SendResult
from gateway.domain.recipients import Channel, Recipient
from tests.factories import make_recipient
from tests.fakes import ScriptedProvider
from tests.rigs import Rig, make_settings, open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")

S = DeliveryStatus
_LONG: Final = bool(os.environ.get("HELIOGRAPH_LONG"))
_ROUNDS: Final = 200 if _LONG else 2
_FURTHER_WORKERS: Final = 3
LIMIT: Final = 3
AT_ONCE: Final = 64
SENT = SendResult(outcome=Outcome.SENT, provider_message_id="p-1")
AWAY = SendResult(outcome=Outcome.TRANSIENT)
REFUSED = SendResult(outcome=Outcome.REJECTED)


def cap(**changes: Any) -> dict[str, Any]:
    """Three notes a day."""
    return {"name": "notes", "limit": LIMIT, "per": "24h", "categories": ["transactional"], **changes}


def person(number: int) -> Recipient:
    """Somebody who was not written to yet."""
    return make_recipient(id=RecipientId(f"user-{number}"))


@asynccontextmanager
async def several_workers(folder: Path, provider: ScriptedProvider, **changes: Any) -> AsyncIterator[Rig]:
    """A rig whose store four gateways dispatch from, all through one provider."""
    sections: Mapping[str, Any] = {"routes": routes_to(provider.name), "frequency_caps": [cap(**changes)]}
    async with open_rig(folder, further=[provider], together=True, **sections) as rig, AsyncExitStack() as stack:
        for _ in range(_FURTHER_WORKERS if rig.gateway.settings.queue.url else 0):
            settings = make_settings(folder, **sections)
            await stack.enter_async_context(open_gateway(settings, accept=False, further=[provider], together=True))
        yield rig


async def rest(rig: Rig, accepted: Sequence[Accepted]) -> Counter[str]:
    """How many messages stand where, once none of them moves any more."""

    async def standing() -> Counter[str]:
        return Counter([(await rig.read(one)).status.value for one in accepted])

    at_rest = {S.SENT, S.HELD, S.SUPPRESSED, S.FAILED}
    return await eventually(standing, lambda seen: set(seen) <= at_rest, 60)


@pytest.mark.timeout(3_600 if _LONG else 120)
async def test_of_sixty_four_sends_at_once_three_go(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with several_workers(tmp_path, provider) as rig:
        for number in range(_ROUNDS):
            provider.envelopes.clear()

            accepted = await asyncio.gather(*(rig.send(to=person(number)) for _ in range(AT_ONCE)))

            assert await rest(rig, accepted) == {"sent": LIMIT, "held": AT_ONCE - LIMIT}
            assert len(provider.envelopes) == LIMIT


@pytest.mark.timeout(3_600 if _LONG else 120)
async def test_three_arrive_in_the_end_where_the_provider_fails_in_between(tmp_path: Path) -> None:
    answers = [AWAY, REFUSED, SENT, AWAY, REFUSED, AWAY, SENT, REFUSED, AWAY, SENT]
    for number in range(max(_ROUNDS // 4, 2)):
        provider = ScriptedProvider("scripted", *answers)
        async with several_workers(tmp_path, provider) as rig:
            only = (Channel.EMAIL,)
            accepted = await asyncio.gather(*(rig.send(to=person(number), channels=only) for _ in range(AT_ONCE)))

            async def is_done(rig: Rig = rig, accepted: Sequence[Accepted] = accepted) -> bool:
                return (await rest(rig, accepted))["sent"] == LIMIT

            await eventually(is_done, bool, 60)
            standing = await rest(rig, accepted)

            assert standing["sent"] == LIMIT
            assert standing["failed"] == 3
            assert standing["held"] == AT_ONCE - LIMIT - 3


async def test_what_is_over_the_cap_is_dropped_or_takes_the_next_channel(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    caps = [
        cap(name="drop", limit=1, over="drop", channels=["sms"]),
        cap(name="next", limit=1, over="next_channel", channels=["push"]),
    ]
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), frequency_caps=caps) as rig:

        async def send(*channels: Channel) -> Any:
            return await rig.settled(await rig.send(channels=channels), S.SENT, S.SUPPRESSED)

        firsts = [await send(Channel.SMS, Channel.EMAIL), await send(Channel.PUSH, Channel.EMAIL)]
        dropped = await send(Channel.SMS, Channel.EMAIL)
        passed_on = await send(Channel.PUSH, Channel.EMAIL)

        assert [record.status for record in firsts] == [S.SENT, S.SENT]
        assert [(one.delivery.channel, one.delivery.reason) for one in dropped.deliveries] == [("sms", "frequency_cap")]
        assert [(one.delivery.channel, one.delivery.status) for one in passed_on.deliveries] == [
            ("push", S.SUPPRESSED),
            ("email", S.SENT),
        ]


async def test_what_is_deferred_goes_once_the_window_has_passed(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    caps = [cap(limit=1, per="1s")]
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), frequency_caps=caps) as rig:
        first = await rig.settled(await rig.send(), S.SENT)
        second = await rig.settled(await rig.send(), S.SENT)

        starts = [record.deliveries[0].attempts[0].started_at for record in (first, second)]
        assert starts[1] - starts[0] >= timedelta(seconds=1)


async def test_a_higher_priority_that_waits_keeps_its_slot_against_a_later_lower_one(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", AWAY, SENT)
    delivery = {"retry_first": "1h", "retry_max": "1h"}
    sections: Mapping[str, Any] = {"frequency_caps": [cap(limit=1)], "delivery": delivery}
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), **sections) as rig:
        urgent = await rig.send(priority=Priority.HIGH)
        await rig.settled(urgent, S.QUEUED)

        low = await rig.send(priority=Priority.LOW)
        held = await rig.settled(low, S.HELD)
        equal = await rig.settled(await rig.send(priority=Priority.HIGH), S.SENT)

        assert held.deliveries[0].delivery.reason == "frequency_cap"
        assert equal.status is S.SENT


async def test_each_channel_of_a_message_to_all_takes_a_slot(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    caps = [cap(limit=2, over="drop")]
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), frequency_caps=caps) as rig:
        accepted = await rig.send(strategy=Strategy.ALL)
        record = await rig.settled(accepted, S.SUPPRESSED)

        assert Counter(one.delivery.status for one in record.deliveries) == {S.SENT: 2, S.SUPPRESSED: 1}
