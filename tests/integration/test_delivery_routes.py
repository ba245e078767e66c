"""Which provider a delivery goes to, and what becomes of it while none can take it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome, SendResult
from gateway.domain.recipients import Channel
from gateway.ports import MessageRecord
from tests.contract.smtp_peer import smtp_peer
from tests.fakes import ScriptedProvider
from tests.rigs import open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")
S = DeliveryStatus
LATER = SendResult(outcome=Outcome.TRANSIENT, code="451")


async def test_a_route_for_a_category_and_one_by_weight_lead_where_they_say(tmp_path: Path) -> None:
    direct, heavy, light = ScriptedProvider("direct"), ScriptedProvider("heavy"), ScriptedProvider("light")
    routes: list[dict[str, Any]] = [
        {"channel": "sms", "categories": ["critical"], "providers": ["direct"]},
        {"channel": "sms", "weights": {"light": 0, "heavy": 1}},
        *routes_to("light"),
    ]
    async with open_rig(tmp_path, further=[direct, heavy, light], routes=routes) as rig:
        code = await rig.settled(await rig.send("code"), S.SENT)
        note = await rig.settled(await rig.send(channels=(Channel.SMS,)), S.SENT)

        assert [one.deliveries[0].delivery.provider for one in (code, note)] == ["direct", "heavy"]


async def test_while_all_providers_fail_messages_wait_spend_no_tries_and_only_time_ends_them(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", LATER)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), delivery={"attempts": 1}) as rig:
        provider.open.clear()
        accepted = [await rig.send(channels=(Channel.EMAIL,)) for _ in range(8)]
        await eventually(_calls_of(provider), lambda calls: calls == 8)
        provider.open.set()
        for one in accepted:
            await eventually(partial(rig.read, one), _rests)
        soon = rig.gateway.clock.now() + timedelta(milliseconds=300)
        code = await rig.settled(await rig.send("code", expires_at=soon))

        # The calls that ended before it was known spent the only try of their messages.
        spent = [record for record in [await rig.read(one) for one in accepted] if record.status is S.FAILED]
        assert len(spent) < 5
        assert code.status is S.EXPIRED
        assert code.deliveries[0].attempts == ()
        assert len(provider.envelopes) == 8
        shown = await rig.working.metrics.exposition()
        assert b'heliograph_providers_resting{provider="scripted"} 1.0' in shown


async def test_a_call_may_last_no_longer_than_what_it_carries_is_worth_sending(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        soon = rig.gateway.clock.now() + timedelta(seconds=20)
        await rig.settled(await rig.send("code", expires_at=soon), S.SENT)
        await rig.settled(await rig.send(channels=(Channel.SMS,)), S.SENT)

        code, note = provider.envelopes
        assert 0 < code.deadline_seconds <= 20
        assert note.deadline_seconds == 30


async def test_what_is_over_a_providers_rate_goes_to_the_next_one(tmp_path: Path) -> None:
    second = ScriptedProvider("second")
    async with smtp_peer() as peer:
        routes = [{"channel": "email", "providers": ["main", "second"]}, *routes_to("second")[1:]]
        async with open_rig(tmp_path, further=[second], routes=routes, providers=_relay(peer.port)) as rig:
            for _ in range(3):
                await rig.settled(await rig.send(channels=(Channel.EMAIL,)), S.SENT)

        assert (len(peer.mails), len(second.envelopes)) == (1, 2)


async def test_what_is_over_the_rate_of_the_only_provider_waits_and_spends_no_try(tmp_path: Path) -> None:
    async with smtp_peer() as peer:
        async with open_rig(tmp_path, routes=routes_to("main")[:1] + MAILBOX, providers=_relay(peer.port)) as rig:
            await rig.settled(await rig.send(channels=(Channel.EMAIL,)), S.SENT)
            late = await rig.send(channels=(Channel.EMAIL,))
            record = await eventually(partial(rig.read, late), lambda seen: _reason(seen) == "rate_limited")

        assert record.status is S.QUEUED
        assert record.deliveries[0].attempts == ()
        assert len(peer.mails) == 1


async def test_no_more_calls_are_under_way_than_the_settings_allow(tmp_path: Path) -> None:
    async with smtp_peer() as peer:
        providers = _relay(peer.port, rate=None, concurrency=2)
        async with open_rig(tmp_path, routes=routes_to("main")[:1] + MAILBOX, providers=providers) as rig:
            sent = [await rig.send(channels=(Channel.EMAIL,)) for _ in range(10)]
            for one in sent:
                await rig.settled(one, S.SENT)

        assert len(peer.mails) == 10
        assert peer.most_open <= 2


MAILBOX: list[dict[str, Any]] = [{"channel": channel, "providers": ["mailbox"]} for channel in ("sms", "push")]


def _relay(port: int, **changes: Any) -> dict[str, Any]:
    main = {"kind": "smtp", "host": "127.0.0.1", "port": port, "from": "Shop <shop@example.org>", "rate": "1/h"}
    return {"main": {**main, **changes}}


def _calls_of(provider: ScriptedProvider) -> Callable[[], Awaitable[int]]:
    async def calls() -> int:
        return len(provider.envelopes)

    return calls


def _reason(record: MessageRecord) -> str | None:
    return record.deliveries[0].delivery.reason


def _rests(record: MessageRecord) -> bool:
    return record.status is S.FAILED or _reason(record) == "provider_resting"
