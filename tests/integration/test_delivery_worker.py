"""The in-process worker: urgent first, drained at the end, and whole again after a crash."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.bootstrap import open_gateway
from gateway.domain.ids import DeliveryId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Lane, Outcome, Priority, SendResult
from gateway.domain.recipients import Channel
from tests.factories import make_recipient, make_suppression
from tests.fakes import ScriptedProvider, SetClock
from tests.rigs import Rig, make_settings, open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")

S = DeliveryStatus
SMS_FAST = [
    {"channel": "sms", "providers": ["fast"]},
    {"channel": "email", "providers": ["slow"]},
    {"channel": "push", "providers": ["fast"]},
]


async def _count(provider: ScriptedProvider) -> int:
    return len(provider.envelopes)


async def test_a_one_time_code_overtakes_campaigns_that_fill_every_ordinary_place(tmp_path: Path) -> None:
    slow, fast = ScriptedProvider("slow"), ScriptedProvider("fast")
    slow.open.clear()
    async with open_rig(tmp_path, further=[slow, fast], routes=SMS_FAST, delivery={"in_flight": 8}) as rig:
        for _ in range(20):
            await rig.send(channels=(Channel.EMAIL,), priority=Priority.LOW)
        await eventually(lambda: _count(slow), lambda seen: seen == 7)

        record = await rig.settled(await rig.send("code"), S.SENT)

        waited = record.deliveries[0].attempts[0].started_at - record.message.created_at
        assert waited < timedelta(seconds=1)
        assert len(slow.envelopes) == 7
        slow.open.set()
        await eventually(lambda: _count(slow), lambda seen: seen == 20)


async def test_a_provider_is_never_called_more_often_at_once_than_it_takes(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", concurrency=2)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        sent = [await rig.send() for _ in range(20)]

        for one in sent:
            await rig.settled(one, S.SENT)

        assert provider.most_at_once <= 2


async def test_what_waits_for_a_provider_that_hangs_is_never_marked_as_handed_over(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", concurrency=1)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), delivery={"attempts": 1}) as rig:
        provider.open.clear()
        called, *waiting = [await rig.send() for _ in range(4)]
        await rig.settled(called, S.SENDING)

        for one in waiting:
            (held,) = (await rig.settled(one, S.QUEUED)).deliveries
            assert (held.delivery.attempts, held.attempts) == (0, ())
            assert "delivery.sending" not in await rig.events(one)
        provider.open.set()

        for one in (called, *waiting):
            (held,) = (await rig.settled(one, S.SENT)).deliveries
            assert [attempt.number for attempt in held.attempts] == [1]
        assert len(provider.envelopes) == 4


async def test_leaving_finishes_the_calls_under_way_and_claims_nothing_more(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", concurrency=1)
    provider.open.clear()
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), delivery={"in_flight": 1}) as rig:
        first = await rig.send()
        await eventually(lambda: _count(provider), lambda seen: seen == 1)
        second = await rig.send()
        assert rig.working.worker is not None
        rig.working.worker.stop()
        asyncio.get_running_loop().call_later(0.1, provider.open.set)

    async with open_rig(tmp_path, work=False) as rig:
        assert (await rig.read(first)).status is S.SENT
        assert (await rig.read(second)).status is S.ACCEPTED


async def test_a_call_that_outlasts_the_drain_ends_unknown_and_is_not_repeated(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    provider.open.clear()
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), server={"drain": "2s"}) as rig:
        accepted = await rig.send()
        await eventually(lambda: _count(provider), lambda seen: seen == 1)

    again = ScriptedProvider("scripted")
    async with open_rig(tmp_path, further=[again], routes=routes_to("scripted")) as rig:
        record = await rig.settled(accepted, S.UNKNOWN)
        await rig.settled(await rig.send(), S.SENT)

        assert record.deliveries[0].delivery.reason == "worker_lost"
        assert len(again.envelopes) == 1


async def test_a_call_that_is_cut_goes_again_to_the_provider_that_repeats_nothing(tmp_path: Path) -> None:
    cut = ScriptedProvider("first", idempotent=True)
    cut.open.clear()
    routes = routes_to("first", "second")
    further = [cut, ScriptedProvider("second")]
    async with open_rig(tmp_path, further=further, routes=routes, server={"drain": "2s"}) as rig:
        accepted = await rig.send()
        await eventually(lambda: _count(cut), lambda seen: seen == 1)

    further = [ScriptedProvider("first", idempotent=True), ScriptedProvider("second")]
    async with open_rig(tmp_path, further=further, routes=routes) as rig:
        await rig.settled(accepted, S.SENT)

        assert [len(provider.envelopes) for provider in further] == [1, 0]


async def test_claims_of_a_dead_worker_are_taken_over_at_the_next_start(tmp_path: Path) -> None:
    clock = SetClock()
    async with open_rig(tmp_path, work=False, clock=clock) as rig:
        accepted = await rig.send()
        store = rig.gateway.store
        await store.leases.join(WorkerId("wrk_gone"))
        claims = await store.dispatch.claim(WorkerId("wrk_gone"), 10, rig.gateway.clock.now())

    async with open_rig(tmp_path, clock=clock) as rig:
        # Where no lock tells at once, its beat has to stand still for the length of a lease.
        clock.advance(31)
        assert rig.working.worker is not None
        await rig.working.worker.sweep()
        record = await rig.settled(accepted, S.DELIVERED)

        assert len(claims) == 1
        assert len(record.deliveries[0].attempts) == 1


async def test_a_suppression_that_comes_while_it_waits_for_a_place_wins(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", concurrency=1)
    provider.open.clear()
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        blocking = await rig.send(to=make_recipient(id="other", email="other@example.org"), channels=(Channel.EMAIL,))
        await eventually(lambda: _count(provider), lambda seen: seen == 1)
        waiting = await rig.send(channels=(Channel.EMAIL,))
        await rig.gateway.suppressions.add_suppression(make_suppression())
        provider.open.set()

        record = await rig.settled(waiting)

        assert record.status is S.SUPPRESSED
        assert (await rig.settled(blocking, S.SENT)).status is S.SENT
        assert len(provider.envelopes) == 1


async def test_an_adapter_that_breaks_leaves_unknown_and_the_worker_alive(tmp_path: Path) -> None:
    def explode(_: object) -> SendResult:
        raise RuntimeError("a fault of the adapter")

    provider = ScriptedProvider("scripted", explode, SendResult(outcome=Outcome.SENT))
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        broken = await rig.settled(await rig.send(), S.UNKNOWN)
        fine = await rig.settled(await rig.send(), S.SENT)

        assert (broken.status, fine.status) == (S.UNKNOWN, S.SENT)


_FAULT = {
    "sqlite": (
        "CREATE TRIGGER fault BEFORE UPDATE ON deliveries WHEN OLD.status = 'sending'"
        " BEGIN SELECT RAISE(ABORT, 'a defect'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION USING ERRCODE = ''23514''; END'",
        "CREATE TRIGGER fault BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (OLD.status = 'sending')"
        " EXECUTE FUNCTION fault()",
    ),
}
_MENDED = {"sqlite": "DROP TRIGGER fault", "postgresql": "DROP TRIGGER fault ON deliveries"}


async def change_tables(rig: Rig, *statements: str) -> None:
    async with rig.gateway.store.database.migration() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


@pytest.mark.parametrize(("idempotent", "status"), [(False, S.UNKNOWN), (True, S.SENT)])
async def test_a_call_whose_outcome_could_not_be_recorded_is_settled_while_its_worker_lives(
    tmp_path: Path, idempotent: bool, status: DeliveryStatus
) -> None:
    provider = ScriptedProvider("scripted", idempotent=idempotent)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        await change_tables(rig, *_FAULT[rig.gateway.store.database.engine])
        accepted = await rig.send()
        worker = rig.working.worker
        assert worker is not None

        async def in_flight() -> float | None:
            return rig.working.metrics.registry.get_sample_value("heliograph_deliveries_in_flight")

        await eventually(lambda: _count(provider), lambda seen: seen == 1)
        await eventually(in_flight, lambda seen: seen == 0)
        dropped = await rig.read(accepted)
        await change_tables(rig, _MENDED[rig.gateway.store.database.engine])

        await worker.sweep()

        record = await rig.settled(accepted, status)

        assert dropped.status is S.SENDING
        assert len(provider.envelopes) == (2 if idempotent else 1)
        assert "delivery.queued" in await rig.events(accepted) or record.deliveries[0].delivery.reason == "worker_lost"


async def test_a_template_that_changes_on_disk_is_live_within_seconds(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        before = rig.gateway.templates.snapshot.template("note").version
        (tmp_path / "templates/note/sms/body.txt").write_text("Changed: {{ text }}")

        async def version() -> str:
            return rig.gateway.templates.snapshot.template("note").version

        await eventually(version, lambda seen: seen != before)
        record = await rig.settled(await rig.send(channels=(Channel.SMS,)))

        assert getattr(record.deliveries[0].content, "text", "") == "Changed: hello"


async def test_a_broken_template_is_refused_counted_and_the_last_good_one_serves(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        (tmp_path / "templates/note/sms/body.txt").write_text("{% if %}")

        async def broken() -> bool:
            return "note" in rig.gateway.templates.snapshot.broken

        await eventually(broken, bool)
        record = await rig.settled(await rig.send(channels=(Channel.SMS,)))

        assert getattr(record.deliveries[0].content, "text", "") == "Note: hello"
        refused = rig.gateway.metrics.registry.get_sample_value(
            "heliograph_content_refresh_failures_total", {"kind": "templates"}
        )
        assert refused == 1


async def test_the_first_start_makes_one_key_and_later_ones_none(tmp_path: Path) -> None:
    # Of the embedded mode: elsewhere nobody watches a process's standard output.
    settings = make_settings(tmp_path, store={"url": f"sqlite:///{tmp_path}/heliograph.db"}, queue={"url": ""})

    async with open_gateway(settings, work=False) as first:
        made = first.first_key
    async with open_gateway(settings, work=False) as second:
        later = second.first_key

    assert made is not None
    assert made.startswith("hg_live_")
    assert later is None
    assert (tmp_path / "heliograph.db.secret").stat().st_mode & 0o777 == 0o600


async def test_links_of_an_earlier_start_still_work(tmp_path: Path) -> None:
    async with open_rig(tmp_path, work=False) as rig:
        token = rig.gateway.links.token(DeliveryId("dlv_1"))

    async with open_rig(tmp_path, work=False) as rig:
        assert rig.gateway.links.read(token) == "dlv_1"


async def test_the_priorities_are_counted_apart(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        await rig.settled(await rig.send("code"), S.DELIVERED)

        name = f"{Lane.CRITICAL.name.lower()}"
        metrics, of_worker = rig.gateway.metrics.registry, rig.working.metrics.registry

        async def dispatched() -> float:
            return of_worker.get_sample_value("heliograph_dispatch_seconds_count", {"priority": name}) or 0

        await eventually(dispatched, lambda seen: seen == 1)
        assert metrics.get_sample_value("heliograph_messages_accepted_total", {"category": "critical"}) == 1


async def test_a_provider_that_hangs_holds_no_other_up(tmp_path: Path) -> None:
    hanging, well = ScriptedProvider("hanging", concurrency=4), ScriptedProvider("well")
    hanging.open.clear()
    routes = [
        {"channel": "sms", "providers": ["hanging"]},
        {"channel": "push", "providers": ["hanging"]},
        {"channel": "email", "providers": ["well"]},
    ]
    async with open_rig(tmp_path, further=[hanging, well], routes=routes, delivery={"in_flight": 32}) as rig:
        for _ in range(160):
            await rig.send(channels=(Channel.SMS,))
        await eventually(lambda: _count(hanging), lambda seen: seen == 4)

        loop = asyncio.get_running_loop()
        began = loop.time()
        for one in [await rig.send(channels=(Channel.EMAIL,)) for _ in range(40)]:
            await rig.settled(one, S.SENT)
        took = loop.time() - began
        hanging.open.set()

        assert len(well.envelopes) == 40
        assert took < 10
