"""What providers tell later of messages: kept before it is answered, acted on once, and matched when it came early."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Final

import structlog

from gateway.delivery.engagement.told import ToldByProviders
from gateway.domain.encoding import encode
from gateway.domain.receipts import Receipt
from gateway.metrics import Metrics
from gateway.ports import Clock, Hearing, ReceiptStore, Telling, Wake

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PARKED_FOR: Final = timedelta(days=1)
"""How long a receipt of a call that is not known is looked up again; it is kept for longer."""


def _can_be_kept(receipt: Receipt) -> bool:
    """Whether its texts are Unicode, and its ids free of NUL, which PostgreSQL's texts cannot hold."""
    ids = (receipt.event_id, receipt.delivery_id, receipt.attempt_id, receipt.provider_message_id)
    try:
        encode(receipt)
    except UnicodeEncodeError:
        return False
    return not any("\0" in text for text in ids if text)


class Tracker:
    """Takes receipts in, whichever provider brought them."""

    def __init__(
        self, *, store: ReceiptStore, readers: ToldByProviders, wake: Wake, clock: Clock, metrics: Metrics
    ) -> None:
        self._store = store
        self._readers = readers
        """Says what may be kept of what readers did."""
        self._wake = wake
        self._clock = clock
        self._count_status = cache(lambda channel, status: metrics.statuses.labels(channel, status).inc)
        self._count = {kind: metrics.receipts.labels(kind) for kind in ("new", "repeated", "parked", "anomaly")}

    async def take_in(self, provider: str, receipts: Sequence[Receipt]) -> Hearing:
        """Keep the receipts of one call and do what follows; durable on return. Told twice, they count once.

        Raises Unavailable, and Overloaded when too much waits to be stored.
        """
        kept = tuple(filter(_can_be_kept, receipts))
        if len(kept) < len(receipts):
            # One that no store can hold must not take the others of its call along.
            _log.error("receipts.unreadable", provider=provider, count=len(receipts) - len(kept))
        told = await self._readers.kept_of(kept)
        if not told:
            return Hearing()
        telling = Telling(provider=provider, receipts=tuple(told), at=self._clock.now())
        heard = await self._store.take_in(telling)
        self._count["new"].inc(heard.new)
        self._count["repeated"].inc(heard.repeated)
        self._count["parked"].inc(heard.parked)
        self._follow(heard)
        _log.info("receipts.taken", provider=provider, new=heard.new, repeated=heard.repeated, parked=heard.parked)
        return heard

    async def sweep(self) -> None:
        """Match what came before the call that it speaks of was known by the provider's id. Raises Unavailable."""
        now = self._clock.now()
        heard = await self._store.match_parked(now, now - PARKED_FOR)
        self._follow(heard)
        if heard.new:
            _log.info("receipts.matched", count=heard.new)

    def _follow(self, heard: Hearing) -> None:
        for channel, status in heard.moved:
            self._count_status(channel.value, status.value)()
        for delivery_id in heard.anomalies:
            self._count["anomaly"].inc()
            _log.warning("delivery.anomaly", delivery=delivery_id)
        if heard.due:
            self._wake.ring()
