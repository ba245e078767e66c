"""Accepting: a checked message becomes durable in one group-committed write, and the same wish only once."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final, assert_never

from gateway.delivery import events
from gateway.delivery.accepting import batches
from gateway.delivery.accepting.admission import Admission
from gateway.delivery.accepting.drafting import Draft, Drafter
from gateway.delivery.accepting.idempotency import IdempotencyKey, InFlight
from gateway.delivery.presentation import accepted_json
from gateway.domain.ids import MessageId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import SendRequest
from gateway.domain.preferences import Category
from gateway.domain.values import Value
from gateway.errors import Conflict, FieldProblem, GatewayError, IdempotencyMismatch, InvalidRequest, Overloaded
from gateway.metrics import Metrics
from gateway.ports import (
    AcceptOutcome,
    AcceptStore,
    BatchReplayed,
    Clock,
    Idempotency,
    Mismatched,
    NewMessage,
    Replayed,
    Stored,
    Wake,
)

_BREATH: Final = 50
"""Items of a batch between two turns of the event loop: so that a large batch holds nobody up."""
_MISMATCH: Final = "This Idempotency-Key was used before with another body."


class Asked(Value, frozen=True, kw_only=True):
    """One message as it was asked for, and what the caller calls the wish."""

    request: SendRequest
    key: IdempotencyKey | None = None


class Accepted(Value, frozen=True, kw_only=True):
    """One message that is on disk."""

    message_id: MessageId
    answer: bytes
    """The body of its 202: JSON."""
    replayed: bool
    """The key was used before for the same body: this is the answer of then."""


class AcceptedBatch(Value, frozen=True, kw_only=True):
    """What became of many."""

    answer: bytes
    """The body of the 202: JSON."""
    replayed: bool
    """The request's own key was used before for the same body: this is the answer of then."""


class _Ready(Value, frozen=True, kw_only=True):
    """A message to be stored, and its answer once it is."""

    new: NewMessage
    answer: bytes


_Prepared = _Ready | Replayed | GatewayError
"""An item of a batch: to be stored, answered before, or refused."""


class Acceptor:
    """Where a 202 comes from: when `accept` returns, the message is on disk."""

    def __init__(
        self,
        *,
        store: AcceptStore,
        drafter: Drafter,
        admission: Admission,
        wake: Wake,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._drafter = drafter
        self._admission = admission
        self._wake = wake
        self._clock = clock
        self._counters = {category: metrics.accepted.labels(category.value) for category in Category}
        self._in_flight = InFlight()

    @property
    def is_shedding(self) -> bool:
        """Whether ordinary messages are refused now, since what is due waits too long already."""
        return self._admission.is_shedding

    async def accept(self, service_id: ServiceId, live: bool, asked: Asked) -> Accepted:
        """Accept one message.

        Raises InvalidRequest, Overloaded, Unavailable, IdempotencyMismatch, and Conflict `in_flight` while
        another request with the key is under way.
        """
        held = None if asked.key is None else self._in_flight.take(service_id, asked.key.key)
        try:
            prepared = await self._prepare(service_id, live, asked)
            if isinstance(prepared, Replayed):
                return _replayed(prepared)
            outcome = await self._store.accept(prepared.new)
        finally:
            if held is not None:
                self._in_flight.give_back(held)
        match outcome:
            case Stored():
                self._welcome((prepared.new,))
                return Accepted(message_id=prepared.new.message.id, answer=prepared.answer, replayed=False)
            case Replayed():
                return _replayed(outcome)
            case Mismatched():
                raise IdempotencyMismatch(_MISMATCH)
            case never:
                assert_never(never)

    async def problems_of(self, service_id: ServiceId, live: bool, request: SendRequest) -> tuple[FieldProblem, ...]:
        """What acceptance would name as wrong; stores nothing."""
        try:
            await self._drafter.draft(service_id, live, request, self._clock.now())
        except InvalidRequest as error:
            return error.problems
        return ()

    async def accept_batch(
        self,
        service_id: ServiceId,
        live: bool,
        items: Sequence[Asked | InvalidRequest],
        key: IdempotencyKey | None,
        refusal: batches.Refusal,
    ) -> AcceptedBatch:
        """Accept each item on its own, all in one transaction; an item that was found wrong before keeps its place.

        The answer is `{"items": [{"status": "accepted", "message": …} | refusal]}` in the order of the request.
        Raises as `accept` does for the request's own key; what is wrong with an item stands in its place.
        """
        with ExitStack() as held:
            if key is not None:
                self._hold(service_id, key, held)
            prepared = await self._prepare_all(service_id, live, items, held)
            new = [item.new for item in prepared if isinstance(item, _Ready)]

            request = None if key is None else _idempotency(key)
            if not new:
                # A refusal is not kept: who posts again once the backlog is gone must find an open door.
                recalled = None if request is None else await self._store.recall(service_id, request)
                if recalled is not None:
                    return AcceptedBatch(answer=_whole_again(recalled), replayed=True)
                return AcceptedBatch(answer=batches.whole(_items(prepared, ()), refusal), replayed=False)

            def outline(outcomes: Sequence[AcceptOutcome]) -> bytes:
                return batches.outline(_items(prepared, outcomes), refusal)

            outcomes, whole = await self._store.accept_batch(service_id, new, request, outline)
        if isinstance(whole, Stored):
            self._welcome([one for one, outcome in zip(new, outcomes, strict=True) if isinstance(outcome, Stored)])
            return AcceptedBatch(answer=batches.whole(_items(prepared, outcomes), refusal), replayed=False)
        return AcceptedBatch(answer=_whole_again(whole), replayed=True)

    async def _prepare(self, service_id: ServiceId, live: bool, asked: Asked) -> _Ready | Replayed:
        """A message to store, or the answer of then: a repeat is one although by now its expiry has passed."""
        try:
            draft = await self._drafter.draft(service_id, live, asked.request, self._clock.now())
            await self._admission.admit(draft.message.lane)
        except (InvalidRequest, Overloaded):
            recalled = None if asked.key is None else await self._recall(service_id, asked.key)
            if recalled is None:
                raise
            return recalled
        return _ready(draft, asked)

    async def _prepare_all(
        self, service_id: ServiceId, live: bool, items: Sequence[Asked | InvalidRequest], held: ExitStack
    ) -> list[_Prepared]:
        prepared: list[_Prepared] = []
        keys: set[str] = set()
        for index, item in enumerate(items):
            if index % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            if isinstance(item, InvalidRequest):
                prepared.append(item)
                continue
            try:
                if item.key is not None and item.key.key not in keys:
                    self._hold(service_id, item.key, held)
                    keys.add(item.key.key)
                prepared.append(await self._prepare(service_id, live, item))
            except (InvalidRequest, Overloaded, Conflict, IdempotencyMismatch) as error:
                prepared.append(error)
        return prepared

    def _hold(self, service_id: ServiceId, key: IdempotencyKey, held: ExitStack) -> None:
        held.callback(self._in_flight.give_back, self._in_flight.take(service_id, key.key))

    async def _recall(self, service_id: ServiceId, key: IdempotencyKey) -> Replayed | None:
        """What a single message's key stands for. Raises IdempotencyMismatch."""
        outcome = await self._store.recall(service_id, _idempotency(key))
        if outcome is None or isinstance(outcome, Replayed):
            return outcome
        raise IdempotencyMismatch(_MISMATCH)

    def _welcome(self, stored: Sequence[NewMessage]) -> None:
        for new in stored:
            self._counters[new.message.category].inc()
        if stored:
            self._wake.ring()


def _ready(draft: Draft, asked: Asked) -> _Ready:
    message = draft.message
    timeline = [events.message_accepted(message)]
    deliveries = [new.delivery for new in draft.deliveries]
    timeline += [events.delivery_scheduled(one) for one in deliveries if one.status is DeliveryStatus.SCHEDULED]
    try:
        answer = accepted_json(message, deliveries)
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"A text holds half of a surrogate pair: {error}.") from error
    key = asked.key
    new = NewMessage(
        message=message,
        deliveries=draft.deliveries,
        events=tuple(timeline),
        remember=message.to if asked.request.remember else None,
        idempotency=None if key is None else _idempotency(key),
    )
    return _Ready(new=new, answer=answer)


def _idempotency(key: IdempotencyKey) -> Idempotency:
    return Idempotency(key=key.key, fingerprint=key.fingerprint)


def _items(prepared: Sequence[_Prepared], outcomes: Sequence[AcceptOutcome]) -> list[batches.Item]:
    """What became of each item; the outcomes are those of the items that were to be stored."""
    waiting = iter(outcomes)
    return [_item(each, next(waiting) if isinstance(each, _Ready) else None) for each in prepared]


def _item(prepared: _Prepared, outcome: AcceptOutcome | None) -> batches.Item:
    match prepared, outcome:
        case _Ready(), Stored():
            return batches.AcceptedItem(message_id=prepared.new.message.id, answer=prepared.answer, replayed=False)
        case (Replayed() as earlier, _) | (_Ready(), Replayed() as earlier):
            return batches.AcceptedItem(message_id=earlier.message.id, answer=_answer(earlier), replayed=True)
        case _Ready(), _:
            return IdempotencyMismatch(_MISMATCH)
        case error, _:
            assert isinstance(error, GatewayError)
            return error


def _whole_again(recalled: Replayed | BatchReplayed | Mismatched) -> bytes:
    """The answer that a batch had. Raises IdempotencyMismatch."""
    if not isinstance(recalled, BatchReplayed):
        raise IdempotencyMismatch(_MISMATCH)
    answers = {message_id: _answer(message) for message_id, message in recalled.messages.items()}
    return batches.filled(recalled.outline, answers)


def _answer(replayed: Replayed) -> bytes:
    return accepted_json(replayed.message, replayed.deliveries)


def _replayed(outcome: Replayed) -> Accepted:
    return Accepted(message_id=outcome.message.id, answer=_answer(outcome), replayed=True)
