"""The seam to the store of receipts: what providers tell later of messages that they were given."""

from datetime import datetime
from typing import Protocol

from gateway.domain.ids import AttemptId, DeliveryId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel
from gateway.domain.values import Value


class Telling(Value, frozen=True, kw_only=True):
    """What one call of a provider told, at the instant at which it came in."""

    provider: str
    """The configured name."""
    receipts: tuple[Receipt, ...]
    at: datetime


class Hearing(Value, frozen=True, kw_only=True):
    """What receipts came to."""

    new: int = 0
    repeated: int = 0
    """Told before: nothing followed."""
    parked: int = 0
    """Kept, although no call that they speak of is known."""
    moved: tuple[tuple[Channel, DeliveryStatus], ...] = ()
    """The new status of each delivery that moved."""
    anomalies: tuple[DeliveryId, ...] = ()
    """Deliveries that we held for ended and that a provider says it had."""
    due: bool = False
    """Whether a delivery is to be looked at again at once or later."""


class HandedOver(Value, frozen=True, kw_only=True):
    """A delivery that was given to providers, as far as those need it who take in what comes back."""

    address: str | None
    """Where it went; None once it is forgotten."""
    calls: tuple[tuple[AttemptId, str], ...]
    """Each call with the provider's name, in order."""


class ExpectedBounce(Value, frozen=True, kw_only=True):
    """An e-mail that went out with a return path of ours."""

    delivery_id: DeliveryId
    address: str | None
    """Where it went; None once it is forgotten."""
    calls: tuple[tuple[AttemptId, str], ...]
    """Those calls, with the relays' names, that had this path; one at least."""


class BounceIntake(Protocol):
    """Takes mail that comes back."""

    async def expect(self, address: str) -> ExpectedBounce | None:
        """The e-mail whose return path this is; None where nothing is to come. Raises Unavailable."""

    async def take_in(self, expected: ExpectedBounce, mail: bytes) -> None:
        """Let the mail act on that delivery; durable on return. Raises Unavailable, and Overloaded when too much
        waits to be stored."""


class ReceiptStore(Protocol):
    """Receipts, each kept once, with all that follows from it in the same transaction."""

    async def handed_over(self, delivery_id: DeliveryId) -> HandedOver | None:
        """To whom a delivery was given; None for one that is not kept or was given to nobody."""

    async def take_in(self, telling: Telling) -> Hearing:
        """Keep what was told and let it act, durably. Raises Unavailable, and Overloaded when too much waits."""

    async def match_parked(self, now: datetime, since: datetime) -> Hearing:
        """Let those act that were parked since then and whose call is known by now."""
