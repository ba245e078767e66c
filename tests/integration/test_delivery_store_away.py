"""A store that cannot commit for a while: nothing is forgotten and nothing is sent twice."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.delivery.accepting.accept import Accepted
from gateway.delivery.accepting.senders import Senders
from gateway.delivery.dispatching.composition import Composer
from gateway.delivery.dispatching.dispatch import Dispatcher
from gateway.delivery.dispatching.envelopes import Addressing
from gateway.delivery.dispatching.facts import Terms
from gateway.delivery.dispatching.health import Health
from gateway.delivery.dispatching.judging import DispatchRules
from gateway.delivery.dispatching.limits import OwnLimits
from gateway.delivery.dispatching.pacing import Pacing
from gateway.delivery.dispatching.retry import RetryPolicy
from gateway.delivery.dispatching.routing import Route, RoutingTable
from gateway.delivery.engagement.told import ToldByProviders
from gateway.delivery.tracking.looks import LookRules
from gateway.delivery.tracking.receipts import Tracker
from gateway.delivery.tracking.settling import Settler
from gateway.delivery.upkeep.recovery import Sweeper
from gateway.delivery.upkeep.retention import Forgetter
from gateway.domain.ids import DeliveryId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Lane
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.errors import GatewayError, Overloaded, Unavailable
from gateway.metrics import Metrics
from gateway.ports import Claim, Clock, DispatchStore, Reservation, Retention, Step, StoredFacts
from gateway.work.doorbell import Doorbell
from gateway.work.worker import Worker
from tests.fakes import ScriptedProvider, SetClock
from tests.rigs import Rig, open_rig

MODES = ("embedded", "scaled")

WORKER = WorkerId("wrk_test")


class AwayStore:
    """The real store, away for the first calls of some of its verbs."""

    def __init__(self, store: DispatchStore, away: Mapping[str, int], error: GatewayError | None = None) -> None:
        self._store = store
        self._away = dict(away)
        self._error = error or Unavailable("the disk is full")

    def _come_back(self, verb: str) -> None:
        if self._away.get(verb, 0):
            self._away[verb] -= 1
            raise self._error

    async def claim(self, worker: WorkerId, limit: int, now: datetime, lowest: Lane = Lane.LOW) -> Sequence[Claim]:
        return await self._store.claim(worker, limit, now, lowest)

    async def facts(self, claims: Sequence[Claim], *, slots: bool = False) -> Mapping[DeliveryId, StoredFacts]:
        self._come_back("facts")
        return await self._store.facts(claims, slots=slots)

    async def reserve(self, reservation: Reservation) -> bool:
        self._come_back("reserve")
        return await self._store.reserve(reservation)

    async def record(self, step: Step) -> bool:
        self._come_back("record")
        return await self._store.record(step)

    async def note_failed_claims(self, claim: Claim, count: int) -> None:
        await self._store.note_failed_claims(claim, count)

    async def next_due(self) -> datetime | None:
        return await self._store.next_due()

    async def catch_up(self, now: datetime, latest: datetime) -> int:
        return await self._store.catch_up(now, latest)


class SlowClock:
    """A clock on which a second passes between any two looks: every wait was a long one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        self._seconds += 1.0
        return self._seconds


def _dispatcher(rig: Rig, store: DispatchStore, provider: ScriptedProvider, clock: Clock | None = None) -> Dispatcher:
    gateway = rig.gateway
    metrics, providers = Metrics(), {provider.name: provider}
    health = Health(gateway.clock)
    looks = LookRules(
        searched=frozenset(),
        asked=frozenset(),
        ask_after=timedelta(minutes=15),
        unknown_after=gateway.settings.delivery.unknown_after,
        resent=frozenset(),
        attempts=8,
    )
    routes = tuple(Route(channel=one, countries=frozenset(), providers=(provider.name,)) for one in Channel)
    return Dispatcher(
        store=store,
        composer=Composer(gateway.renderer, gateway.links, "UTC"),
        routing=RoutingTable(routes=routes, mailbox=provider.name),
        terms=Terms(),
        providers=providers,
        health=health,
        pacing=Pacing(OwnLimits(gateway.clock), {}, gateway.clock, lambda: 0.5),
        addressing=Addressing(Senders(gateway.services, gateway.clock), {}, {}),
        rules=DispatchRules(
            retry=RetryPolicy(
                attempts=8, first=gateway.settings.delivery.retry_first, longest=gateway.settings.delivery.retry_max
            ),
            looks=looks,
            release_over=timedelta(0),
        ),
        settler=Settler(
            store=gateway.store.calls,
            tracker=gateway.tracker,
            providers=providers,
            rules=looks,
            clock=gateway.clock,
            chance=lambda: 0.5,
            metrics=metrics,
        ),
        clock=clock or gateway.clock,
        chance=lambda: 0.5,
        wake=Doorbell(),
        metrics=metrics,
    )


def _worker(rig: Rig, store: DispatchStore, provider: ScriptedProvider) -> Worker:
    gateway, wake, metrics = rig.gateway, Doorbell(), Metrics()
    leases = gateway.store.leases
    times = Retention(**gateway.settings.retention.model_dump())
    forgetter = Forgetter(store=gateway.store.forgetting, retention=times, clock=gateway.clock)
    return Worker(
        queue=store,
        leases=leases,
        dispatcher=_dispatcher(rig, store, provider),
        sweeper=Sweeper(
            leases=leases,
            refunds=gateway.store.dispatch,
            forgetter=forgetter,
            eraser=gateway.eraser,
            tracker=Tracker(
                store=gateway.store.receipts,
                readers=ToldByProviders(gateway.store.engagements),
                wake=wake,
                clock=gateway.clock,
                metrics=metrics,
            ),
            wake=wake,
            clock=gateway.clock,
            metrics=metrics,
        ),
        wake=wake,
        others=None,
        clock=gateway.clock,
        metrics=metrics,
        in_flight=8,
        longest_retry=timedelta(seconds=1),
        drain=timedelta(seconds=1),
    )


async def _accept_and_claim(rig: Rig) -> tuple[Accepted, Claim]:
    accepted = await rig.send()
    await rig.gateway.store.leases.join(WORKER)
    (claim,) = await rig.gateway.store.dispatch.claim(WORKER, 1, rig.gateway.clock.now())
    return accepted, claim


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Unavailable("the disk is full"), id="it cannot commit"),
        pytest.param(Overloaded("too much waits", 1.0), id="too much waits for it"),
    ],
)
async def test_a_result_waits_for_the_store_and_is_written_once(tmp_path: Path, error: GatewayError) -> None:
    provider = ScriptedProvider("scripted")
    async with open_rig(tmp_path, work=False) as rig:
        queue = rig.gateway.store.dispatch
        accepted, claim = await _accept_and_claim(rig)
        store = AwayStore(queue, {"facts": 1, "reserve": 1, "record": 1}, error)

        await _dispatcher(rig, store, provider).dispatch(claim)

        record = await rig.read(accepted)
        assert record.status is DeliveryStatus.SENT
        assert len(provider.envelopes) == 1
        assert len(record.deliveries[0].attempts) == 1


async def test_a_claim_that_was_lost_calls_nobody_and_writes_nothing(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with open_rig(tmp_path, work=False) as rig:
        queue = rig.gateway.store.dispatch
        accepted, claim = await _accept_and_claim(rig)
        await rig.gateway.store.leases.leave(WORKER)

        await _dispatcher(rig, queue, provider).dispatch(claim)

        record = await rig.read(accepted)
        assert record.status is DeliveryStatus.ACCEPTED
        assert provider.envelopes == []


async def test_an_error_of_ours_sets_the_delivery_aside_without_an_attempt(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")

    class BrokenStore(AwayStore):
        async def reserve(self, reservation: Reservation) -> bool:
            raise RuntimeError("a fault of ours")

    async with open_rig(tmp_path, work=False) as rig:
        queue = rig.gateway.store.dispatch
        accepted, claim = await _accept_and_claim(rig)

        await _dispatcher(rig, BrokenStore(queue, {}), provider).dispatch(claim)

        (delivery,) = (await rig.read(accepted)).deliveries
        assert (delivery.delivery.status, delivery.delivery.reason) == (DeliveryStatus.QUEUED, "internal_error")
        assert delivery.attempts == ()


async def test_policy_is_asked_again_after_a_long_wait_without_giving_the_place_away(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with open_rig(tmp_path, work=False) as rig:
        queue = rig.gateway.store.dispatch
        accepted, claim = await _accept_and_claim(rig)

        await _dispatcher(rig, queue, provider, SlowClock(rig.gateway.clock)).dispatch(claim)

        assert (await rig.read(accepted)).status is DeliveryStatus.SENT
        assert len(provider.envelopes) == 1


async def test_what_expires_while_the_store_writes_the_intent_calls_nobody(tmp_path: Path) -> None:
    provider, clock = ScriptedProvider("scripted"), SetClock()

    class LateStore(AwayStore):
        async def reserve(self, reservation: Reservation) -> bool:
            granted = await super().reserve(reservation)
            clock.advance(timedelta(days=4).total_seconds())
            return granted

    async with open_rig(tmp_path, work=False, clock=clock) as rig:
        queue = rig.gateway.store.dispatch
        accepted, claim = await _accept_and_claim(rig)

        await _dispatcher(rig, LateStore(queue, {}), provider).dispatch(claim)

        (delivery,) = (await rig.read(accepted)).deliveries
        assert (delivery.delivery.status, delivery.delivery.reason) == (DeliveryStatus.QUEUED, "overtaken")
        assert delivery.attempts == ()
        assert provider.envelopes == []


async def test_a_delivery_that_news_overtake_again_and_again_is_given_back(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")

    class RestlessStore(AwayStore):
        async def reserve(self, reservation: Reservation) -> bool:
            return False

    async with open_rig(tmp_path, work=False) as rig:
        queue = rig.gateway.store.dispatch
        accepted, claim = await _accept_and_claim(rig)

        await _dispatcher(rig, RestlessStore(queue, {}), provider).dispatch(claim)

        (delivery,) = (await rig.read(accepted)).deliveries
        later = rig.gateway.clock.now() + timedelta(seconds=10)
        assert (delivery.delivery.status, delivery.delivery.reason) == (DeliveryStatus.QUEUED, "overtaken")
        assert len(await queue.claim(WORKER, 1, later)) == 1
        assert provider.envelopes == []


async def test_what_cannot_be_read_of_one_delivery_holds_no_other_up(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")

    class UnreadableStore(AwayStore):
        async def claim(self, worker: WorkerId, limit: int, now: datetime, lowest: Lane = Lane.LOW) -> Sequence[Claim]:
            return [replace(claim, facts=None) for claim in await super().claim(worker, limit, now, lowest)]

        async def facts(self, claims: Sequence[Claim], *, slots: bool = False) -> Mapping[DeliveryId, StoredFacts]:
            if any(claim.message.id == broken.message_id for claim in claims):
                raise ValueError("a row that no code of ours has written")
            return await super().facts(claims, slots=slots)

    async with open_rig(tmp_path, work=False) as rig:
        broken, fine = await rig.send(), await rig.send()
        async with _worker(rig, UnreadableStore(rig.gateway.store.dispatch, {}), provider):
            await rig.settled(fine, DeliveryStatus.SENT)
            (aside,) = (await rig.settled(broken, DeliveryStatus.QUEUED)).deliveries

        assert aside.delivery.reason == "internal_error"
        assert len(provider.envelopes) == 1
