"""One key, one message: what a caller's key stands for, and the keys whose answer is still being made."""

from gateway.domain.ids import ServiceId
from gateway.domain.values import Value
from gateway.errors import Conflict


class IdempotencyKey(Value, frozen=True, kw_only=True):
    """What a caller calls one wish, however often it is posted."""

    key: str
    fingerprint: str
    """SHA-256 of the canonical JSON of the body, hex."""


Held = tuple[ServiceId, str]
"""A key whose answer is being made."""


class InFlight:
    """The keys that this process is working on; the store's unique index guards between processes."""

    def __init__(self) -> None:
        self._keys: set[Held] = set()

    def take(self, service_id: ServiceId, key: str) -> Held:
        """Keep the key until it is given back. Raises Conflict `in_flight` when someone else has it."""
        held = (service_id, key)
        if held in self._keys:
            raise Conflict("A request with this Idempotency-Key is still in flight; try again shortly.", "in_flight")
        self._keys.add(held)
        return held

    def give_back(self, held: Held) -> None:
        """Its answer is made, or will not be."""
        self._keys.remove(held)
