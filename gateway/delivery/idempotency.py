"""One key, one message: what a caller's key stands for, and the keys whose answer is still being made."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.domain.ids import ServiceId
from gateway.errors import Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What a caller calls one wish, however often it is posted."""

    key: str
    fingerprint: str
    """SHA-256 of the canonical JSON of the body, hex."""


class InFlight:
    """The keys that this process is working on; the store's unique index guards between processes."""

    def __init__(self) -> None:
        self._keys: set[tuple[ServiceId, str]] = set()

    @contextmanager
    def hold(self, service_id: ServiceId, key: str | None) -> Iterator[None]:
        """Keep the key while its answer is made. Raises Conflict `in_flight` when someone else does."""
        if key is None:
            yield
            return
        held = (service_id, key)
        if held in self._keys:
            raise Conflict("A request with this Idempotency-Key is still in flight; try again shortly.", "in_flight")
        self._keys.add(held)
        try:
            yield
        finally:
            self._keys.discard(held)
