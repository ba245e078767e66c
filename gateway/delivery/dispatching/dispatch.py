"""The way of one claim: decide, render, reserve, call the provider, record what came of it."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.delivery import events
from gateway.delivery.dispatching import caps, steps
from gateway.delivery.dispatching.calls import Busy, Calls
from gateway.delivery.dispatching.composition import Composer
from gateway.delivery.dispatching.envelopes import Addressing
from gateway.delivery.dispatching.facts import Terms, read_facts
from gateway.delivery.dispatching.handovers import Handing
from gateway.delivery.dispatching.health import Health
from gateway.delivery.dispatching.jobs import Job, decide_for, is_same_minute, release_for
from gateway.delivery.dispatching.judging import DispatchRules, Judge
from gateway.delivery.dispatching.pacing import Pacing
from gateway.delivery.dispatching.quarantine import Quarantine, is_poison
from gateway.delivery.dispatching.routing import Providers, RoutingTable
from gateway.delivery.dispatching.spending import weigh
from gateway.delivery.dispatching.tally import Tally
from gateway.delivery.tracking.settling import Settler
from gateway.domain.decisions import Expire, Facts, Hold, Send, Suppress
from gateway.domain.lifecycle import POISON, WAITING, DeliveryStatus
from gateway.domain.values import replace
from gateway.errors import ContentError, NotFound, Overloaded, Unavailable
from gateway.metrics import Metrics
from gateway.policy.spending import charges_of
from gateway.ports import Claim, Clock, DispatchStore, Provider, Reservation, Step, StoredFacts, Wake

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_STALE_SECONDS: Final = 0.5
"""After a longer wait for a place policy is asked again: a STOP may have come meanwhile."""
_AWAY: Final = (Unavailable, Overloaded)
"""The store can take nothing now, or no more than waits already; what is to be written waits for it."""
_STORE_PAUSE_SECONDS: Final = 0.5
_SET_ASIDE: Final = timedelta(seconds=30)
"""How long a delivery rests that met an error of ours before its provider was called."""
_LOOKS: Final = 3
"""How often news may overtake a decision before the delivery makes way for others."""
_AFTER_NEWS: Final = timedelta(seconds=4)
"""The longest time for which it then makes way; chance picks a part of it."""


class Dispatcher:
    """Takes claims to their providers. One instance serves a whole worker; each claim is its own task."""

    def __init__(
        self,
        *,
        store: DispatchStore,
        composer: Composer,
        routing: RoutingTable,
        terms: Terms,
        providers: Providers,
        health: Health,
        pacing: Pacing,
        addressing: Addressing,
        rules: DispatchRules,
        settler: Settler,
        clock: Clock,
        chance: Callable[[], float],
        wake: Wake,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._routing = routing
        self._terms = terms
        self._providers = providers
        self._rules = rules
        self._settler = settler
        self._clock = clock
        self._chance = chance
        self._judge = Judge(rules=rules, health=health, chance=chance)
        self._wake = wake
        self._pacing = pacing
        self._tally = Tally(metrics)
        self._calls = Calls(
            providers=providers, health=health, pacing=pacing, clock=clock, chance=chance, tally=self._tally
        )
        self._handing = Handing(
            composer=composer, addressing=addressing, routing=routing, calls=self._calls, clock=clock
        )
        self._quarantine = Quarantine(store)

    def share_limits(self, workers: int) -> None:
        """So many workers call the same providers, this one among them."""
        self._pacing.share(workers)

    async def dispatch(self, claim: Claim) -> None:
        """Work a claim until it is recorded or lost; never raises but for cancellation.

        While the store cannot commit, what was not handed over is begun anew, and what was waits with its result.
        """
        job, stored = Job(claim), claim.facts
        while True:
            try:
                return await self._work(job, stored or await self._fresh_facts(claim))
            except _AWAY:
                stored = None
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
            except Exception as error:  # the job wrapper: one bad delivery must not stop the worker
                frame = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{frame.filename}:{frame.lineno}"
                _log.error("delivery.crashed", delivery=claim.delivery.id, error=type(error).__name__, where=where)
                return await self._set_aside(job)

    async def _work(self, job: Job, stored: StoredFacts) -> None:
        claim = job.claim
        if claim.delivery.status not in WAITING:
            return await self._record(job, await self._settler.look_after(claim))
        if claim.failed_claims:
            if (poison := await self._try_out(claim, stored)) is not None:
                return await self._record(job, poison)
            # Its turn may have been long in coming.
            stored = await self._fresh_facts(claim)
        for _ in range(_LOOKS):
            job.stored, facts, now = stored, self._facts(claim, stored), self._clock.now()
            job.decided_at, decision = now, decide_for(claim, facts, now)
            if not isinstance(decision, Send):
                return await self._record(job, self._stop(claim, facts, decision, now))
            if (step := await self._go(job, facts, decision)) is not None:
                return await self._record(job, step)
            # News came while it waited, or between the decision and the reservation: look again.
            stored = await self._fresh_facts(claim)
        # A claim that is still ours must not be forgotten; one that was lost is not written.
        now = self._clock.now()
        return await self._record(job, steps.wait(claim, "overtaken", now + _AFTER_NEWS * self._chance(), now))

    async def _try_out(self, claim: Claim, stored: StoredFacts) -> Step | None:
        """Go alone with a suspect as far as before its call; a step where it was suspected often enough."""
        now = self._clock.now()
        if is_poison(claim):
            self._tally.poisoned()
            _log.error("delivery.poison", delivery=claim.delivery.id, claims=claim.failed_claims)
            return steps.finish(claim, DeliveryStatus.FAILED, POISON, now, {"claims": claim.failed_claims})
        async with self._quarantine.alone(claim):
            facts = self._facts(claim, stored)
            decision = decide_for(claim, facts, now)
            if isinstance(decision, Send) and decision.route:
                # What is refused here is refused again when it goes its way.
                with contextlib.suppress(ContentError, NotFound):
                    await self._handing.prepare(claim, facts, [self._providers[decision.route[0]]], now)
        return None

    async def _go(self, job: Job, facts: Facts, decision: Send) -> Step | None:
        """Hand it over to the first provider that can take it; None when policy has to look again first."""
        decision = self._handing.within_reach(facts, decision, self._clock.now())
        if not decision.route:
            return steps.finish(job.claim, DeliveryStatus.SUPPRESSED, "no_route", self._clock.now(), {})
        passed: dict[str, Busy] = {}
        while (provider := self._calls.choose(job.claim, facts, decision, passed)) is not None:
            came = await self._try_provider(job, facts, decision, provider)
            if not isinstance(came, Busy):
                return came
            passed[provider.name] = came
            if not came.passes_on:
                break
        now = self._clock.now()
        if not passed:
            return steps.wait(job.claim, "provider_resting", now + self._calls.rest(decision.route), now)
        soonest = min(passed.values(), key=lambda busy: busy.rest)
        return steps.wait(job.claim, soonest.reason, now + soonest.rest, now)

    async def _try_provider(self, job: Job, facts: Facts, decision: Send, provider: Provider) -> Step | Busy | None:
        """Wait for a place, render, reserve and call; None when policy has to look again first."""
        began = self._clock.monotonic()
        place = await self._calls.take_place(provider, job.claim.message.lane)
        if isinstance(place, Busy):
            return place
        try:
            if self._clock.monotonic() - began > _STALE_SECONDS:
                # Asked again without leaving the place: who went to the end of the queue might wait for ever.
                job.stored = await self._fresh_facts(job.claim)
                facts, job.decided_at = self._facts(job.claim, job.stored), self._clock.now()
                again = decide_for(job.claim, facts, job.decided_at)
                if not isinstance(again, Send) or provider.name not in again.route:
                    return None
                decision = again
            return await self._hand_over(job, facts, decision, provider)
        finally:
            await self._calls.give_back(place)

    async def _hand_over(self, job: Job, facts: Facts, decision: Send, provider: Provider) -> Step | Busy | None:
        claim, now, began = job.claim, self._clock.now(), self._clock.monotonic()
        beside = self._handing.beside(claim, facts, decision, provider, now)
        try:
            prepared = await self._handing.prepare(claim, facts, [provider, *beside], now)
        except (ContentError, NotFound) as error:
            _log.error("delivery.not_rendered", delivery=claim.delivery.id, template=claim.message.template)
            return steps.finish(claim, DeliveryStatus.FAILED, error.code, now, {})
        envelope = prepared.handovers[0].envelope
        attempt, *further = [one.attempt for one in prepared.handovers]
        if facts.spending is not None:
            # What it costs, and in whose name it goes, is known only now.
            facts = weigh(facts, self._terms.spending, provider.name, prepared.composed.content, envelope.sender)
            again = decide_for(claim, facts, now)
            if not isinstance(again, Send):
                return self._stop(claim, facts, again, now)
            decision = replace(again, route=decision.route)
        if (busy := await self._calls.wait_turn(provider, envelope, claim.message.lane)) is not None:
            return busy
        told = {**events.decision_json(decision), "provider": provider.name, "attempt": attempt.number}
        intent = Reservation(
            claim=claim,
            attempt=attempt,
            beside=tuple(further),
            content=prepared.composed.shown,
            sender=envelope.sender,
            addresses=prepared.addresses,
            suppressions_seen=frozenset([suppression.id for suppression in facts.suppressions]),
            consents_seen=frozenset([consent.id for consent in facts.consents]),
            versions=prepared.composed.versions,
            events=(steps.event(claim, DeliveryStatus.SENDING, now, told),),
            subjects=() if job.stored is None else job.stored.subjects,
            slots=decision.slots,
            charges=charges_of(facts, now),
        )
        if not await self._reserve(job, intent):
            return None
        if not await self._still_allowed(job, facts, began):
            now = self._clock.now()
            return steps.take_back(claim, "overtaken", now, now)
        # From here on the provider may have been called, whatever happens to us.
        job.attempt = attempt
        ended = await self._handing.hand_over(prepared, claim.message.lane)
        return self._judge.answered(claim, ended, decision.route)

    async def _still_allowed(self, job: Job, facts: Facts, began: float) -> bool:
        """Whether it may go at this very instant: what was open when it was decided may have closed since.

        Where the store took its time, what people said is read anew as well; its own slots are taken by now.
        """
        claim, now = job.claim, self._clock.now()
        is_stale = self._clock.monotonic() - began > _STALE_SECONDS
        if not is_stale and is_same_minute(job.decided_at, now) and now < claim.message.expires_at:
            return True
        if is_stale:
            try:
                stored = await self._fresh_facts(claim)
            except _AWAY:
                return False
            facts = replace(facts, suppressions=stored.suppressions, consents=stored.consents)
        return isinstance(decide_for(claim, facts, self._clock.now()), Send)

    async def _reserve(self, job: Job, intent: Reservation) -> bool:
        try:
            granted = await self._store.reserve(intent)
        except _AWAY:
            # It may have been committed all the same.
            job.reserved = job.reserved or bool(intent.slots)
            job.charged = job.charged or bool(intent.charges)
            raise
        job.reserved = job.reserved or (granted and bool(intent.slots))
        job.charged = job.charged or (granted and bool(intent.charges))
        return granted

    async def _set_aside(self, job: Job) -> None:
        """After an error of ours: unknown if the provider may have been called, else due again in a while."""
        now = self._clock.now()
        if job.claim.delivery.status not in WAITING:
            # Only looked after: what its provider has must not go a second time for an error of ours.
            return await self._record(job, replace(steps.stay(job.claim), due_at=now + _SET_ASIDE))
        if job.attempt is None:
            return await self._record(job, steps.wait(job.claim, "internal_error", now + _SET_ASIDE, now))
        return await self._record(job, self._judge.crashed(job.claim, job.attempt, now))

    async def _record(self, job: Job, step: Step) -> None:
        """Write a step, however long the store needs to come back: it may be the only record of a call."""
        step = caps.told(step, job.stored, reserved=job.reserved, charged=job.charged)
        while True:
            try:
                written = await self._store.record(step)
                break
            except _AWAY:
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
        if not written:
            self._tally.lost()
            _log.info("delivery.claim_lost", delivery=step.claim.delivery.id)
            return
        self._tally.recorded(step)
        if step.due_at is not None or step.next_delivery is not None:
            self._wake.ring()

    def _facts(self, claim: Claim, stored: StoredFacts) -> Facts:
        return read_facts(claim, stored, self._routing, self._terms)

    async def _fresh_facts(self, claim: Claim) -> StoredFacts:
        return (await self._store.facts([claim]))[claim.delivery.id]

    def _stop(self, claim: Claim, facts: Facts, decision: Hold | Suppress | Expire, now: datetime) -> Step:
        return steps.stop(claim, decision, now, release_for(claim, facts, decision, self._rules.release_over))
