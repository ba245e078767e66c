"""What becomes of recorded deliveries under given terms: the gate decides each of them again, in the order of time."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from gateway.delivery.dispatching.facts import Terms, as_of, read_facts
from gateway.delivery.dispatching.routing import Route, RoutingTable
from gateway.domain.decisions import Decision, Expire, Facts, Hold, Send, Suppress
from gateway.domain.instants import to_micros
from gateway.domain.messages import Lane
from gateway.domain.recipients import Channel, Recipient
from gateway.domain.rules import RuleSet
from gateway.domain.slots import WaitingDelivery
from gateway.domain.values import Value, replace
from gateway.policy.gate import decide
from gateway.ports import Claim, StoredFacts


class Fate(StrEnum):
    """What becomes of a delivery."""

    SEND = "send"
    """It goes as soon as it was asked for."""
    HOLD = "hold"
    """It goes later."""
    SUPPRESS = "suppress"
    EXPIRE = "expire"


class Outcome(Value, frozen=True, kw_only=True):
    """What became of one delivery under given terms."""

    fate: Fate
    rule: str = ""
    """What held it first, or ended it; empty where it goes at once."""
    at: datetime
    """When it goes, or when it was decided that it does not."""


class Recorded(Value, frozen=True, kw_only=True):
    """One delivery as it was accepted, with what the store knows of the person today."""

    claim: Claim
    stored: StoredFacts
    counts: bool
    """False for what was accepted before the period, which only takes slots under caps."""

    @property
    def asked_for(self) -> datetime:
        """When it was to go."""
        created = self.claim.delivery.created_at
        return max(created, self.claim.message.send_at or created)

    @property
    def recipient(self) -> Recipient:
        """The person as the message saw them."""
        inline, stored = self.claim.message.to, self.stored.recipient
        return inline if stored is None else stored.overlaid(inline)


ANY_ROUTE: Final = RoutingTable(
    routes=tuple(Route(channel=channel, countries=frozenset(), providers=("any",)) for channel in Channel),
    mailbox="any",
)
"""Which provider would take it is no rule: every delivery has one."""
_Entry = tuple[datetime, Lane, datetime, int]
"""When it is looked at, how urgent it is, when it was accepted, and which it is."""


def rules_for(terms: Terms, recorded: Recorded) -> RuleSet:
    """The rules of these terms that speak of a delivery."""
    message, channel = recorded.claim.message, recorded.claim.delivery.channel
    rules = terms.rules_for(channel, message.category, recorded.recipient)
    return rules.speaking_of(channel, message.category, message.topic)


class Simulation:
    """All deliveries to some people under one set of terms."""

    def __init__(self, recorded: Sequence[Recorded], terms: Terms) -> None:
        self._recorded = recorded
        self._terms = terms
        self._slots: dict[tuple[str, str], list[int]] = {}
        """By subject and counter, newest first."""
        self._held_by: dict[int, str] = {}

    def run(self) -> Iterator[tuple[int, Outcome]]:
        """The place of each delivery and what becomes of it, in the order in which that is settled."""
        heap: list[_Entry] = [self._entry(place, one.claim.delivery.created_at) for place, one in self._all()]
        heapq.heapify(heap)
        while heap:
            at, _, _, place = heapq.heappop(heap)
            recorded = self._recorded[place]
            facts = self._facts(recorded, at, heap)
            decision = decide(facts, at)
            if isinstance(decision, Hold):
                if decision.reason != _SCHEDULED:
                    self._held_by.setdefault(place, decision.rule)
                heapq.heappush(heap, self._entry(place, decision.not_before))
            else:
                if isinstance(decision, Send):
                    self._take_slots(recorded, facts, at)
                yield place, self._outcome(place, decision, at)

    def _all(self) -> Iterable[tuple[int, Recorded]]:
        return enumerate(self._recorded)

    def _entry(self, place: int, at: datetime) -> _Entry:
        message = self._recorded[place].claim.message
        return at, message.lane, message.created_at, place

    def _facts(self, recorded: Recorded, at: datetime, heap: Iterable[_Entry]) -> Facts:
        stored = as_of(recorded.stored, at)
        if rules_for(self._terms, recorded).frequency_caps:
            stored = replace(stored, slots=self._taken(stored.subjects), waiting=self._waiting(recorded, at, heap))
        return read_facts(recorded.claim, stored, ANY_ROUTE, self._terms)

    def _taken(self, subjects: Iterable[str]) -> Mapping[str, tuple[int, ...]]:
        found: dict[str, list[int]] = {}
        for subject in subjects:
            for (owner, counter), slots in self._slots.items():
                if owner == subject:
                    found.setdefault(counter, []).extend(slots)
        return {counter: tuple(sorted(slots, reverse=True)) for counter, slots in found.items()}

    def _waiting(self, recorded: Recorded, at: datetime, heap: Iterable[_Entry]) -> tuple[WaitingDelivery, ...]:
        """What had been accepted for the same people by then and still waits."""
        own = set(recorded.stored.subjects)
        return tuple(
            _waits(other.claim, due)
            for due, _, accepted, place in heap
            if accepted <= at and not own.isdisjoint((other := self._recorded[place]).stored.subjects)
        )

    def _take_slots(self, recorded: Recorded, facts: Facts, at: datetime) -> None:
        speaking = facts.rules.speaking_of(facts.channel, facts.category, facts.topic)
        for cap in speaking.frequency_caps:
            for subject in recorded.stored.subjects:
                slots = self._slots.setdefault((subject, cap.counter), [])
                slots.insert(0, to_micros(at))
                del slots[cap.limit :]

    def _outcome(self, place: int, decision: Decision, at: datetime) -> Outcome:
        match decision:
            case Send():
                held_by = self._held_by.get(place)
                return Outcome(fate=Fate.HOLD if held_by else Fate.SEND, rule=held_by or "", at=at)
            case Suppress():
                return Outcome(fate=Fate.SUPPRESS, rule=decision.rule, at=at)
            case Expire():
                return Outcome(fate=Fate.EXPIRE, rule=decision.rule, at=at)
            case Hold():
                raise AssertionError("a hold is not the end")
            case never:
                assert_never(never)


_SCHEDULED: Final = "scheduled"


def _waits(claim: Claim, due_at: datetime) -> WaitingDelivery:
    message = claim.message
    return WaitingDelivery(
        id=claim.delivery.id,
        channel=claim.delivery.channel,
        category=message.category,
        topic=message.topic,
        lane=message.lane,
        created_at=message.created_at,
        due_at=due_at,
    )
