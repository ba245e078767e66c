"""From a decision to its calls: one to the chosen provider, of a push delivery one more for each other platform."""

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.delivery.dispatching.calls import Busy, Calls
from gateway.delivery.dispatching.composition import Composed, Composer
from gateway.delivery.dispatching.envelopes import Addressing, addresses_of, open_devices
from gateway.delivery.dispatching.jobs import new_attempt
from gateway.delivery.dispatching.routing import RoutingTable
from gateway.delivery.dispatching.steps import Condemned
from gateway.domain.decisions import Facts, Send
from gateway.domain.devices import SKIPPED, condemned
from gateway.domain.messages import Attempt, DeviceResult, Envelope, Lane, Outcome, SendResult
from gateway.domain.recipients import PushDevice
from gateway.domain.values import replace
from gateway.ports import Claim, Clock, Provider

NOBODY: Final = "no_provider"
"""Why a device is left out: no provider of the route reaches it, or the ones that do are left alone."""


_BUSY: Final = SendResult(outcome=Outcome.THROTTLED, code="provider_busy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One call, before it is made or after it has ended."""

    provider: Provider
    attempt: Attempt
    envelope: Envelope

    @property
    def result(self) -> SendResult:
        """The answer; one that is not there counts as lost."""
        return self.attempt.result or SendResult(outcome=Outcome.UNKNOWN)

    @property
    def condemned(self) -> tuple[Condemned, ...]:
        """The addresses that its answer says are not to be written to again."""
        return tuple([(*one, self.attempt) for one in condemned(self.envelope, self.result)])

    def ended(self, result: SendResult, at: datetime) -> "Handover":
        """The same with its answer."""
        return dataclasses.replace(self, attempt=replace(self.attempt, finished_at=at, result=result))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is ready to go: the content, and each call that is to be made with it at the same time."""

    composed: Composed
    handovers: tuple[Handover, ...]
    """That to the chosen provider first."""
    left_out: tuple[PushDevice, ...] = ()
    """Devices that no provider reaches now."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it all goes."""
        return tuple([address for one in self.handovers for address in addresses_of(one.envelope)])


class Handing:
    """Makes a delivery ready for its providers, and calls them."""

    def __init__(
        self, *, composer: Composer, addressing: Addressing, routing: RoutingTable, calls: Calls, clock: Clock
    ) -> None:
        self._composer = composer
        self._addressing = addressing
        self._routing = routing
        self._calls = calls
        self._clock = clock

    def within_reach(self, facts: Facts, decision: Send, now: datetime) -> Send:
        """The decision with those of its route alone that reach a device which is not suppressed."""
        devices = open_devices(facts, now)
        return replace(decision, route=self._routing.reaching(decision.route, devices)) if devices else decision

    async def prepare(self, claim: Claim, facts: Facts, providers: Sequence[Provider], now: datetime) -> Prepared:
        """Render the content and address it to each of the providers. Raises ContentError and NotFound."""
        composed = self._composer.compose(
            claim.message, facts.recipient, claim.delivery.channel, delivery_id=claim.delivery.id, now=now
        )
        handovers = []
        for number, provider in enumerate(providers):
            attempt = new_attempt(claim, provider.name, now, beside=number)
            envelope = await self._addressing.envelope(
                claim, facts, attempt, composed.content, provider=provider, now=now
            )
            handovers.append(Handover(provider=provider, attempt=attempt, envelope=envelope))
        reached = {device.address for one in handovers for device in one.envelope.devices}
        left_out = [device for device in open_devices(facts, now) if device.address not in reached]
        return Prepared(composed=composed, handovers=tuple(handovers), left_out=tuple(left_out))

    def beside(self, claim: Claim, facts: Facts, decision: Send, first: Provider, now: datetime) -> list[Provider]:
        """Providers for the devices that the first does not reach; those alone that may be called now."""
        reached, found = set(first.capabilities.platforms), []
        for device in open_devices(facts, now):
            if device.platform not in reached:
                reached.add(device.platform)
                fitting = replace(decision, route=self._routing.reaching(decision.route, (device,)))
                provider = self._calls.choose(claim, facts, fitting, ())
                if provider is not None:
                    reached |= provider.capabilities.platforms
                    found.append(provider)
        return found

    async def hand_over(self, prepared: Prepared, lane: Lane) -> list[Handover]:
        """Make the calls, at the same time; there is a place for the first already. What each came to, in order."""
        first, *others = prepared.handovers
        if not others:
            results = [await self._calls.send(first.provider, first.envelope)]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._calls.send(first.provider, first.envelope))]
                tasks += [group.create_task(self._send_when_there_is_room(one, lane)) for one in others]
            results = [task.result() for task in tasks]
        results[0] = _naming(results[0], prepared.left_out)
        now = self._clock.now()
        return [one.ended(result, now) for one, result in zip(prepared.handovers, results, strict=True)]

    async def _send_when_there_is_room(self, one: Handover, lane: Lane) -> SendResult:
        place = await self._calls.take_place(one.provider, lane)
        if isinstance(place, Busy):
            return _BUSY
        try:
            if await self._calls.wait_turn(one.provider, one.envelope, lane) is not None:
                return _BUSY
            return await self._calls.send(one.provider, one.envelope)
        finally:
            await self._calls.give_back(place)


def _naming(result: SendResult, left_out: Sequence[PushDevice]) -> SendResult:
    """The answer, which also lists devices for which there was no provider."""
    if not left_out:
        return result
    skipped = [DeviceResult(platform=one.platform.value, status=SKIPPED, reason=NOBODY) for one in left_out]
    return replace(result, devices=(*result.devices, *skipped))
