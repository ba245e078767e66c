"""How services are told: their endpoints, what is put out to them, and who makes the calls."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from gateway.domain.audit import AuditEntry
from gateway.domain.ids import EndpointId, ServiceId
from gateway.domain.messages import Delivery, Event, Message
from gateway.domain.values import Value
from gateway.domain.webhooks import Endpoint, Notice, Replay
from gateway.ports.reading import Page


class EndpointStore(Protocol):
    """Endpoints of services. A `service_id` of None sees those of all."""

    async def add_endpoint(self, endpoint: Endpoint, most: int, entry: AuditEntry) -> None:
        """Keep a new one. Raises Conflict `too_many_endpoints` where the service has `most` already."""

    async def get_endpoint(self, endpoint_id: EndpointId, service_id: ServiceId | None) -> Endpoint:
        """Raises NotFound."""

    async def list_endpoints(self, service_id: ServiceId | None, limit: int, cursor: str | None) -> Page[Endpoint]:
        """Newest first."""

    async def change_endpoint(
        self,
        endpoint_id: EndpointId,
        service_id: ServiceId | None,
        change: Callable[[Endpoint], Endpoint],
        entry: AuditEntry,
    ) -> Endpoint:
        """Keep what `change` makes of it, which must only compute. Raises NotFound."""

    async def remove_endpoint(self, endpoint_id: EndpointId, service_id: ServiceId | None, entry: AuditEntry) -> None:
        """Nothing is put out to it any more. Raises NotFound."""

    async def add_replay(self, replay: Replay, service_id: ServiceId | None, entry: AuditEntry) -> None:
        """Have what it wants of a time put out to it once more. Raises NotFound, Conflict `endpoint_disabled`."""

    async def waiting_notices(self, endpoint_ids: Sequence[EndpointId]) -> Mapping[EndpointId, int]:
        """How many events each has not taken yet, counted up to 1,000."""


class Fate(StrEnum):
    """What a notice came to."""

    TAKEN = "taken"
    AGAIN = "again"
    """It is due once more, at an instant."""
    GIVEN_UP = "given_up"
    VOID = "void"
    """There is nothing to tell any more: its message went, or its endpoint is off."""


class Called(Value, frozen=True, kw_only=True):
    """A notice once it was called out."""

    notice: Notice
    fate: Fate
    at: datetime
    due_at: datetime | None = None
    """When it is due again."""
    then: Callable[[Endpoint], Endpoint]
    """What the call makes of its endpoint; must only compute."""


class Told(Value, frozen=True, kw_only=True):
    """All that a notice tells of."""

    number: int
    """Of the event: of two of one message the later one has the greater."""
    event: Event
    message: Message
    delivery: Delivery | None


class NoticeStore(Protocol):
    """What is put out and not taken yet."""

    async def listeners(self, now: datetime) -> Sequence[Endpoint]:
        """Endpoints that something is due for and that need not be left alone."""

    async def take(self, places: Mapping[EndpointId, int], now: datetime, patience: timedelta) -> Sequence[Notice]:
        """Up to so many due notices of each endpoint, those due longest first: ours for that long."""

    async def read(self, notices: Sequence[Notice]) -> Mapping[Notice, Told]:
        """What they tell of; one whose message or event is kept no longer is left out."""

    async def settle(self, called: Called) -> Endpoint | None:
        """Write what it came to, and what that makes of its endpoint; None where that is gone."""

    async def give_back(self, notices: Sequence[Notice]) -> None:
        """Let others take what was not called out."""

    async def replay(self, now: datetime) -> bool:
        """Put out one portion of what endpoints are to hear once more; whether there was any."""

    async def clear(self, now: datetime) -> int:
        """Drop one portion of what waits for endpoints that are off, and what is left of removed ones; how many."""

    async def catch_up(self, latest: datetime) -> None:
        """After the wall clock was set back: nothing is due later than `latest`."""


class CallAnswer(Value, frozen=True, kw_only=True):
    """What an endpoint answered."""

    status: int | None
    """None where nothing came back."""
    detail: str | None = None
    """Why nothing did, as a sentence."""
    retry_after_seconds: float | None = None


class EndpointCaller(Protocol):
    """Calls the addresses of services, and no inside ones."""

    def objection(self, url: str) -> str | None:
        """Why this address must not be called, as far as it can be said without a look-up; None for no reason."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> CallAnswer:
        """Make one call. It never raises for what a server or the network does."""
