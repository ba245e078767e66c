"""What services do about their endpoints."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from gateway.delivery.notifying.bodies import test_body
from gateway.delivery.notifying.notifier import post_signed
from gateway.delivery.notifying.pacing import enabled, is_taken
from gateway.domain import ids
from gateway.domain.audit import AuditAction, AuditEntry, By, make_entry
from gateway.domain.ids import EndpointId, ReplayId, ServiceId, make_id
from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value, replace
from gateway.domain.webhooks import DisabledReason, Endpoint, EndpointFilter, Replay, Secret, make_secret, rotated
from gateway.errors import FieldProblem, InvalidRequest
from gateway.ports import CallAnswer, Clock, EndpointCaller, EndpointStore

MOST_ENDPOINTS: Final = 20
"""Of one service."""


class Wish(Value, frozen=True, kw_only=True):
    """How an endpoint is to be."""

    url: str
    description: str | None
    filters: EndpointFilter
    enabled: bool


class Trial(Value, frozen=True, kw_only=True):
    """What an endpoint said to a test."""

    event_id: str
    answer: CallAnswer
    seconds: float

    @property
    def is_taken(self) -> bool:
        """Whether it would have taken a notice."""
        return is_taken(self.answer)


class EndpointDesk:
    """Makes, changes and tries endpoints; each change leaves an entry in the audit trail.

    A `service_id` of None is ops, who may do so for all.
    """

    def __init__(self, *, store: EndpointStore, caller: EndpointCaller, source: str, clock: Clock) -> None:
        self._store = store
        self._caller = caller
        self._source = source
        self._clock = clock

    async def add(self, service_id: ServiceId, wish: Wish, by: By) -> Endpoint:
        """Make one; it hears what happens from now on.

        Raises InvalidRequest for an address that must not be called, Conflict `too_many_endpoints`.
        """
        self._check(wish)
        now = self._clock.now()
        endpoint = Endpoint(
            id=EndpointId(make_id(ids.ENDPOINT, now)),
            service_id=service_id,
            url=wish.url,
            description=wish.description,
            filters=wish.filters,
            secrets=(Secret(text=make_secret()),),
            enabled=wish.enabled,
            disabled_reason=None if wish.enabled else DisabledReason.BY_HAND,
            created_at=now,
            changed_at=now,
        )
        await self._store.add_endpoint(endpoint, MOST_ENDPOINTS, _entry(endpoint.id, by, now, "added"))
        return endpoint

    async def change(self, endpoint_id: EndpointId, service_id: ServiceId | None, wish: Wish, by: By) -> Endpoint:
        """Make it as wished. To disable it drops what waits for it; to enable it starts it afresh.

        Raises NotFound, InvalidRequest.
        """
        self._check(wish)
        now = self._clock.now()

        def change(one: Endpoint) -> Endpoint:
            wished = replace(one, url=wish.url, description=wish.description, filters=wish.filters, changed_at=now)
            if wish.enabled:
                # Elsewhere it may well work.
                return enabled(wished) if not one.enabled or wish.url != one.url else wished
            return replace(wished, enabled=False, disabled_reason=one.disabled_reason or DisabledReason.BY_HAND)

        entry = _entry(endpoint_id, by, now, "changed", {"enabled": wish.enabled})
        return await self._store.change_endpoint(endpoint_id, service_id, change, entry)

    async def rotate(
        self, endpoint_id: EndpointId, service_id: ServiceId | None, overlap: timedelta, by: By
    ) -> Endpoint:
        """Sign with a fresh secret from now on, and for `overlap` with those before it as well. Raises NotFound."""
        now, fresh = self._clock.now(), make_secret()

        def change(one: Endpoint) -> Endpoint:
            return replace(one, secrets=rotated(one.secrets, fresh, now, overlap), changed_at=now)

        return await self._store.change_endpoint(
            endpoint_id, service_id, change, _entry(endpoint_id, by, now, "rotated")
        )

    async def remove(self, endpoint_id: EndpointId, service_id: ServiceId | None, by: By) -> None:
        """Tell it nothing any more. Raises NotFound."""
        await self._store.remove_endpoint(
            endpoint_id, service_id, _entry(endpoint_id, by, self._clock.now(), "removed")
        )

    async def replay(
        self, endpoint_id: EndpointId, service_id: ServiceId | None, span: tuple[datetime, datetime], by: By
    ) -> Replay:
        """Have it told once more what it wants of the events of a time, its end left out, each under its old id.

        Raises NotFound, Conflict `endpoint_disabled`.
        """
        now = self._clock.now()
        since, until = span
        replay = Replay(
            id=ReplayId(make_id(ids.REPLAY, now)),
            endpoint_id=endpoint_id,
            since=since,
            # What happens from now on is put out anyway.
            until=min(until, now),
            created_at=now,
        )
        await self._store.add_replay(replay, service_id, _entry(endpoint_id, by, now, "replayed"))
        return replay

    async def test(self, endpoint_id: EndpointId, service_id: ServiceId | None) -> Trial:
        """Send it an event that nothing happened for, and say what it answered. Raises NotFound."""
        endpoint = await self._store.get_endpoint(endpoint_id, service_id)
        began, now = self._clock.monotonic(), self._clock.now()
        event_id = make_id(ids.EVENT, now)
        body = test_body(event_id, endpoint.id, self._source, now)
        answer = await post_signed(self._caller, endpoint, (event_id, body), self._clock)
        return Trial(event_id=event_id, answer=answer, seconds=self._clock.monotonic() - began)

    def _check(self, wish: Wish) -> None:
        if objection := self._caller.objection(wish.url):
            problem = FieldProblem(pointer="/url", code="unsafe_address", message=objection)
            raise InvalidRequest("The address cannot be called.", [problem])


def _entry(
    endpoint_id: EndpointId, by: By, now: datetime, deed: str, data: Mapping[str, JsonValue] | None = None
) -> AuditEntry:
    return make_entry(AuditAction.WEBHOOK, endpoint_id, by, now, {"deed": deed, **(data or {})})
