"""The way of one claim: decide, render, reserve, call the provider, record what came of it."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.delivery import events
from gateway.delivery.dispatching import caps, steps
from gateway.delivery.dispatching.composition import Composer
from gateway.delivery.dispatching.envelopes import Addressing, addresses_of
from gateway.delivery.dispatching.facts import Terms, read_facts
from gateway.delivery.dispatching.guard import Guard
from gateway.delivery.dispatching.judging import DispatchRules, Judge
from gateway.delivery.dispatching.places import Places
from gateway.delivery.dispatching.quarantine import Quarantine, is_poison
from gateway.delivery.dispatching.release import opens_for_many, release_at
from gateway.delivery.dispatching.routing import Health, Providers, RoutingTable, choose, following
from gateway.delivery.dispatching.tally import Tally
from gateway.domain import ids
from gateway.domain.decisions import Decision, Facts, Hold, Send
from gateway.domain.ids import AttemptId
from gateway.domain.lifecycle import LOST_ANSWERS, POISON, WAITING, DeliveryStatus
from gateway.domain.messages import Attempt, Envelope, Lane, Outcome, SendResult
from gateway.domain.values import replace
from gateway.errors import ContentError, NotFound, Overloaded, Unavailable
from gateway.metrics import Metrics
from gateway.policy.gate import decide
from gateway.policy.slots import needed_slots
from gateway.ports import Claim, Clock, DispatchStore, Provider, Reservation, Step, StoredFacts, Wake

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PATIENCE_SECONDS: Final = 2.0
"""How long a delivery waits for a place at its provider before it makes way for others."""
_AFTER_BUSY: Final = timedelta(seconds=4)
"""The longest time for which it then makes way; chance picks a part of it."""
_LONGEST_REST_SECONDS: Final = 30.0
"""What is added to it at most where the provider takes nothing at all."""
_STALE_SECONDS: Final = 0.5
"""After a longer wait for a place policy is asked again: a STOP may have come meanwhile."""
_GRACE_SECONDS: Final = 5.0
"""What a call may take beyond its own deadline before it is cut."""
_AWAY: Final = (Unavailable, Overloaded)
"""The store can take nothing now, or no more than waits already; what is to be written waits for it."""
_STORE_PAUSE_SECONDS: Final = 0.5
_SET_ASIDE: Final = timedelta(seconds=30)
"""How long a delivery rests that met an error of ours before its provider was called."""
_LOOKS: Final = 3
"""How often news may overtake a decision before the delivery makes way for others."""


@dataclass(slots=True)
class _Job:
    """A claim on its way; `attempt` is set once a provider may have been called."""

    claim: Claim
    attempt: Attempt | None = None
    stored: StoredFacts | None = None
    """What was last read for it."""
    decided_at: datetime | None = None
    """The instant for which policy last let it go."""
    reserved: bool = False
    """Slots under caps may have been taken for it."""


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
        addressing: Addressing,
        rules: DispatchRules,
        clock: Clock,
        chance: Callable[[], float],
        wake: Wake,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._composer = composer
        self._routing = routing
        self._terms = terms
        self._providers = providers
        self._health = health
        self._addressing = addressing
        self._rules = rules
        self._clock = clock
        self._chance = chance
        self._judge = Judge(rules=rules, health=health, chance=chance)
        self._wake = wake
        self._tally = Tally(metrics)
        self._guard = Guard()
        self._quarantine = Quarantine(store)
        self._places = {name: Places(one.capabilities.concurrency) for name, one in providers.items()}

    async def dispatch(self, claim: Claim, stored: StoredFacts | None) -> None:
        """Work a claim until it is recorded or lost; never raises but for cancellation.

        While the store cannot commit, a claim that was not handed over is begun anew, and one that was waits
        with its result: what a provider said must not be forgotten.
        """
        job = _Job(claim)
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

    async def _work(self, job: _Job, stored: StoredFacts) -> None:
        claim = job.claim
        if claim.delivery.status not in WAITING:
            return await self._record(job, self._judge.looked_after(claim, self._clock.now()))
        if claim.failed_claims:
            if (poison := await self._try_out(claim, stored)) is not None:
                return await self._record(job, poison)
            # Its turn may have been long in coming.
            stored = await self._fresh_facts(claim)
        for _ in range(_LOOKS):
            job.stored, facts, now = stored, self._facts(claim, stored), self._clock.now()
            job.decided_at, decision = now, _decide(claim, facts, now)
            if not isinstance(decision, Send):
                return await self._record(job, steps.stop(claim, decision, now, self._release(claim, facts, decision)))
            provider = self._choose(claim, decision)
            if provider is None:
                rest = timedelta(seconds=self._health.rest_seconds(decision.route) * (1 + self._chance()))
                return await self._record(job, steps.wait(claim, "provider_resting", now + rest, now))
            step = await self._try_provider(job, facts, decision, provider)
            if step is not None:
                return await self._record(job, step)
            # News came while it waited, or between the decision and the reservation: look again.
            stored = await self._fresh_facts(claim)
        # A claim that is still ours must not be forgotten; one that was lost is not written.
        now = self._clock.now()
        return await self._record(job, steps.wait(claim, "overtaken", now + _AFTER_BUSY * self._chance(), now))

    async def _try_out(self, claim: Claim, stored: StoredFacts) -> Step | None:
        """Go alone with a suspect as far as before its call; a step where it was suspected often enough."""
        now = self._clock.now()
        if is_poison(claim):
            self._tally.poisoned()
            _log.error("delivery.poison", delivery=claim.delivery.id, claims=claim.failed_claims)
            return steps.finish(claim, DeliveryStatus.FAILED, POISON, now, {"claims": claim.failed_claims})
        async with self._quarantine.alone(claim):
            facts = self._facts(claim, stored)
            decision = _decide(claim, facts, now)
            if isinstance(decision, Send) and decision.route:
                # What is refused here is refused again when it goes its way.
                with contextlib.suppress(ContentError, NotFound):
                    await self._rehearse(claim, facts, self._providers[decision.route[0]], now)
        return None

    async def _rehearse(self, claim: Claim, facts: Facts, provider: Provider, now: datetime) -> None:
        composed = self._composer.compose(
            claim.message, facts.recipient, claim.delivery.channel, delivery_id=claim.delivery.id, now=now
        )
        attempt = new_attempt(claim, provider.name, now)
        await self._addressing.envelope(claim, facts, attempt, composed.content, provider=provider, now=now)

    async def _try_provider(self, job: _Job, facts: Facts, decision: Send, provider: Provider) -> Step | None:
        """Wait for a place, render, reserve and call; None when policy has to look again first."""
        began, places = self._clock.monotonic(), self._places[provider.name]
        lane, stuck = job.claim.message.lane, places.stuck_seconds(began)
        # Who would wait in vain makes way at once and for longer, so that a provider that hangs holds no other up.
        in_vain = stuck > _PATIENCE_SECONDS and lane > Lane.HIGH
        if in_vain or not await places.take(lane, _PATIENCE_SECONDS):
            rest = _AFTER_BUSY + timedelta(seconds=min(stuck, _LONGEST_REST_SECONDS)) if in_vain else _AFTER_BUSY
            now = self._clock.now()
            return steps.wait(job.claim, "provider_busy", now + rest * self._chance(), now)
        try:
            if self._clock.monotonic() - began > _STALE_SECONDS:
                # Asked again without leaving the place: who went to the end of the queue might wait for ever.
                job.stored = await self._fresh_facts(job.claim)
                facts, job.decided_at = self._facts(job.claim, job.stored), self._clock.now()
                again = _decide(job.claim, facts, job.decided_at)
                if not isinstance(again, Send) or provider.name not in again.route:
                    return None
                decision = again
            return await self._hand_over(job, facts, decision, provider)
        finally:
            places.give_back()

    async def _hand_over(self, job: _Job, facts: Facts, decision: Send, provider: Provider) -> Step | None:
        claim, now, began = job.claim, self._clock.now(), self._clock.monotonic()
        attempt = new_attempt(claim, provider.name, now)
        try:
            composed = self._composer.compose(
                claim.message, facts.recipient, claim.delivery.channel, delivery_id=claim.delivery.id, now=now
            )
            envelope = await self._addressing.envelope(
                claim, facts, attempt, composed.content, provider=provider, now=now
            )
        except (ContentError, NotFound) as error:
            _log.error("delivery.not_rendered", delivery=claim.delivery.id, template=claim.message.template)
            return steps.finish(claim, DeliveryStatus.FAILED, error.code, now, {})
        addresses = addresses_of(envelope)
        told = {**events.decision_json(decision), "provider": provider.name, "attempt": attempt.number}
        intent = Reservation(
            claim=claim,
            attempt=attempt,
            content=composed.shown,
            sender=envelope.sender,
            addresses=addresses,
            suppressions_seen=frozenset([suppression.id for suppression in facts.suppressions]),
            consents_seen=frozenset([consent.id for consent in facts.consents]),
            versions=composed.versions,
            events=(steps.event(claim, DeliveryStatus.SENDING, now, told),),
            subjects=() if job.stored is None else job.stored.subjects,
            slots=needed_slots(facts, now),
        )
        if not await self._reserve(job, intent):
            return None
        if not await self._still_allowed(job, facts, began):
            now = self._clock.now()
            return steps.take_back(claim, "overtaken", now, now)
        # From here on the provider may have been called, whatever happens to us.
        job.attempt = attempt
        result = await self._send(provider, envelope)
        finished = replace(attempt, finished_at=self._clock.now(), result=result)
        others = following(decision.route, provider.name)
        return self._judge.answered(claim, finished, provider.capabilities, others, addresses)

    async def _still_allowed(self, job: _Job, facts: Facts, began: float) -> bool:
        """Whether it may go at this very instant: what was open when it was decided may have closed since.

        Where the store took its time, what people said is read anew as well; the delivery's own slots are taken by
        now.
        """
        claim, now = job.claim, self._clock.now()
        is_stale = self._clock.monotonic() - began > _STALE_SECONDS
        if not is_stale and _same_minute(job.decided_at, now) and now < claim.message.expires_at:
            return True
        if is_stale:
            try:
                stored = await self._fresh_facts(claim)
            except _AWAY:
                return False
            facts = replace(facts, suppressions=stored.suppressions, consents=stored.consents)
        return isinstance(_decide(claim, facts, self._clock.now()), Send)

    async def _reserve(self, job: _Job, intent: Reservation) -> bool:
        try:
            granted = await self._store.reserve(intent)
        except _AWAY:
            # It may have been committed all the same.
            job.reserved = job.reserved or bool(intent.slots)
            raise
        job.reserved = job.reserved or (granted and bool(intent.slots))
        return granted

    async def _send(self, provider: Provider, envelope: Envelope) -> SendResult:
        began = self._clock.monotonic()
        outcome = Outcome.UNKNOWN
        try:
            result = await self._guard.cut_after(envelope.deadline_seconds + _GRACE_SECONDS, provider.send(envelope))
            outcome = result.outcome
        except TimeoutError:
            result = SendResult(outcome=Outcome.UNKNOWN, detail="no answer in time")
        except _AWAY as error:
            # An adapter that needs the store: whether it had called out before, nobody knows.
            result = SendResult(outcome=Outcome.UNKNOWN, detail=error.code)
        finally:
            ended = self._clock.monotonic()
            self._places[provider.name].moved(ended)
            self._health.learn(provider.name, outcome)
            self._tally.attempted(provider.name, outcome, ended - began)
        return result

    async def _set_aside(self, job: _Job) -> None:
        """After an error of ours: unknown if the provider may have been called, else due again in a while."""
        now = self._clock.now()
        if job.attempt is None:
            return await self._record(job, steps.wait(job.claim, "internal_error", now + _SET_ASIDE, now))
        return await self._record(job, self._judge.crashed(job.claim, job.attempt, now))

    async def _record(self, job: _Job, step: Step) -> None:
        """Write a step, however long the store needs to come back: it may be the only record of a call."""
        step = caps.told(step, job.stored, reserved=job.reserved)
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

    def _release(self, claim: Claim, facts: Facts, decision: Decision) -> datetime | None:
        if not isinstance(decision, Hold) or not opens_for_many(decision, facts.rules):
            return None
        over, lane = self._rules.release_over, claim.message.lane
        return release_at(
            decision.not_before, claim.delivery.id, lane, over, lambda at: isinstance(_decide(claim, facts, at), Send)
        )

    def _choose(self, claim: Claim, decision: Send) -> Provider | None:
        last = claim.delivery.provider if claim.delivery.attempts else None
        chosen = choose(decision.route, last, self._health)
        return None if chosen is None else self._providers[chosen]


def _decide(claim: Claim, facts: Facts, now: datetime) -> Decision:
    """What policy says; after a lost answer any provider but the one that was asked would send it a second time."""
    decision = decide(facts, now)
    if isinstance(decision, Send) and claim.delivery.reason in LOST_ANSWERS:
        return replace(decision, route=tuple(one for one in decision.route if one == claim.delivery.provider))
    return decision


def _same_minute(decided_at: datetime | None, now: datetime) -> bool:
    """Whether no quiet hours can have begun since: they begin with a minute, in every zone of today."""
    return decided_at is not None and decided_at.replace(second=0, microsecond=0) == now.replace(
        second=0, microsecond=0
    )


def new_attempt(claim: Claim, provider: str, now: datetime) -> Attempt:
    """The next call for a delivery, not yet answered."""
    return Attempt(
        id=AttemptId(ids.make_id(ids.ATTEMPT, now)),
        delivery_id=claim.delivery.id,
        number=claim.delivery.attempts + 1,
        provider=provider,
        started_at=now,
    )
