"""Mail that comes back: whose e-mail it speaks of, and what it says, as receipts of the provider that had that one."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import structlog

from gateway.delivery.tracking.receipts import Tracker
from gateway.domain.ids import DeliveryId
from gateway.domain.receipts import Receipt
from gateway.domain.return_paths import named_delivery
from gateway.ports import HandedOver, ReceiptStore

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ReadBounce = Callable[[bytes, DeliveryId, str | None], Sequence[Receipt]]
"""What a mail tells of this delivery to this address; takes its time, and raises for nothing."""
_READ_AT_ONCE: Final = 2
"""Reading is work for the processor: more at once would only take it from others."""


class BounceDesk:
    """Implements ports.BounceIntake."""

    def __init__(
        self, *, store: ReceiptStore, tracker: Tracker, read: ReadBounce, domains: Mapping[str, Collection[str]]
    ) -> None:
        """`domains` names, for each domain of return paths, the providers that write it."""
        self._store = store
        self._tracker = tracker
        self._read = read
        self._domains = {domain.lower(): frozenset(names) for domain, names in domains.items()}
        self._readers = asyncio.Semaphore(_READ_AT_ONCE)

    async def expects(self, address: str) -> bool:
        """Whether it is the return path of an e-mail that was handed over. Raises Unavailable."""
        return await self._find(address) is not None

    async def take_in(self, address: str, mail: bytes) -> None:
        """Let the mail act on the delivery that its return path names; durable on return. What tells nothing, such
        as an out-of-office, leaves nothing. Raises Unavailable, and Overloaded when too much waits to be stored."""
        found = await self._find(address)
        if found is None:
            _log.info("bounce.unexpected", bytes=len(mail))
            return
        delivery_id, of, names = found
        async with self._readers:
            receipts = await asyncio.to_thread(self._read, mail, delivery_id, of.address)
        if not receipts:
            _log.info("bounce.unreadable", delivery=delivery_id, bytes=len(mail))
            return
        attempt_id = receipts[0].attempt_id
        told = [name for own, name in of.calls if own == attempt_id and name in names]
        provider = told[0] if told else [name for _, name in of.calls if name in names][-1]
        await self._tracker.take_in(provider, receipts)

    async def _find(self, address: str) -> tuple[DeliveryId, HandedOver, frozenset[str]] | None:
        """The delivery that a return path names, if it went out through a provider that writes such ones."""
        named = named_delivery(address)
        names = frozenset() if named is None else self._domains.get(named[1], frozenset())
        if named is None or not names:
            return None
        of = await self._store.handed_over(named[0])
        if of is None or not any(name in names for _, name in of.calls):
            return None
        return named[0], of, names
