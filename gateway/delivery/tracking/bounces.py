"""Mail that comes back: whose e-mail it speaks of, and what it says, as receipts of the provider that had that one."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import structlog

from gateway.delivery.tracking.receipts import Tracker
from gateway.domain.ids import DeliveryId
from gateway.domain.receipts import Receipt
from gateway.domain.return_paths import named_delivery
from gateway.ports import ExpectedBounce, ReceiptStore

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

    async def expect(self, address: str) -> ExpectedBounce | None:
        """The e-mail whose return path this is, if it went out through a relay that writes such ones; None where
        nothing is to come. Raises Unavailable."""
        named = named_delivery(address)
        names = frozenset() if named is None else self._domains.get(named[1], frozenset())
        if named is None or not names:
            return None
        of = await self._store.handed_over(named[0])
        calls = () if of is None else tuple(call for call in of.calls if call[1] in names)
        if of is None or not calls:
            return None
        return ExpectedBounce(delivery_id=named[0], address=of.address, calls=calls)

    async def take_in(self, expected: ExpectedBounce, mail: bytes) -> None:
        """Let the mail act on that delivery; durable on return. What tells nothing, such as an out-of-office, leaves
        nothing. Raises Unavailable, and Overloaded when too much waits to be stored."""
        async with self._readers:
            receipts = await asyncio.to_thread(self._read, mail, expected.delivery_id, expected.address)
        if not receipts:
            _log.info("bounce.unreadable", delivery=expected.delivery_id, bytes=len(mail))
            return
        # Of the call that it names, else of the last one.
        by_call = dict(expected.calls)
        provider = by_call.get(receipts[0].attempt_id or expected.calls[-1][0], expected.calls[-1][1])
        await self._tracker.take_in(provider, receipts)
