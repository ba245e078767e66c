"""Every shipped provider, held to the one suite."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.domain.ids import DeliveryId
from gateway.domain.recipients import Channel
from gateway.errors import NotFound, Unavailable
from gateway.ports import MailboxItem, Page, Provider
from providers.conformance.suite import COMMON_FAULTS, FarSide, Fault, ProviderSuite
from providers.mailbox import MailboxProvider
from providers.smtp import SmtpProvider, SmtpSettings
from tests.contract.smtp_peer import CUT, HANG, Peer, smtp_peer
from tests.servers import free_port


class SmtpSide(FarSide):
    def __init__(self, provider: Provider, peer: Peer) -> None:
        super().__init__(provider)
        self._peer = peer

    async def delivery_ids(self) -> list[str]:
        found = (re.search(rb"Message-ID: <([^@]+)@", mail.original_content or b"") for mail in self._peer.mails)
        return [match[1].decode() for match in found if match]


def make_smtp(port: int, **settings: Any) -> SmtpProvider:
    return SmtpProvider("under-test", SmtpSettings(host="127.0.0.1", port=port, hello="test.localhost", **settings))


class TestSmtp(ProviderSuite):
    channels = frozenset({Channel.EMAIL})
    faults = COMMON_FAULTS

    answers: Mapping[Fault, Mapping[str, Any]] = {
        Fault.BAD_ADDRESS: {"RCPT": "550 5.1.1 <amina.benali@example.org>: amina.benali is unknown"},
        Fault.BAD_CONTENT: {"DATA": "554 5.7.1 Spam to amina.benali@example.org"},
        Fault.THROTTLED: {"MAIL": "421 4.7.0 Too many messages"},
        Fault.TRANSIENT: {"RCPT": "451 4.7.1 Greylisted, amina.benali@example.org"},
        Fault.NO_ANSWER: {"DATA": HANG},
        Fault.CUT_BEFORE: {"RCPT": CUT},
        Fault.CUT_AFTER: {"DATA": CUT},
    }

    @asynccontextmanager
    async def far_side(self) -> AsyncIterator[FarSide]:
        async with smtp_peer() as peer:
            provider = make_smtp(peer.port)
            try:
                yield SmtpSide(provider, peer)
            finally:
                await provider.aclose()

    @asynccontextmanager
    async def broken(self, fault: Fault) -> AsyncIterator[Provider]:
        async with smtp_peer(password=b"right", **self.answers.get(fault, {})) as peer:
            port = free_port() if fault is Fault.REFUSED_CONNECTION else peer.port
            provider = make_smtp(
                port, username="shop", password="right" if fault is not Fault.BAD_CREDENTIALS else "no"
            )
            try:
                yield provider
            finally:
                await provider.aclose()


@dataclass
class MemoryMailbox:
    """The mailbox's store without a disk."""

    items: dict[str, MailboxItem] = field(default_factory=dict)
    is_full: bool = False
    delay: asyncio.Event | None = None

    async def keep(self, item: MailboxItem) -> bool:
        if self.is_full:
            raise Unavailable("the disk is full")
        if self.delay is not None:
            await self.delay.wait()
        is_new = item.delivery_id not in self.items
        self.items.setdefault(item.delivery_id, item)
        return is_new

    async def get_item(self, delivery_id: DeliveryId) -> MailboxItem:
        if delivery_id not in self.items:
            raise NotFound("nothing")
        return self.items[delivery_id]

    async def list_items(self, channel: Channel | None, limit: int, cursor: str | None) -> Page[MailboxItem]:
        return Page(items=tuple(self.items.values())[:limit], next_cursor=None)


class WallClock:
    """Real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class MailboxSide(FarSide):
    def __init__(self, provider: Provider, store: MemoryMailbox) -> None:
        super().__init__(provider)
        self._store = store

    async def delivery_ids(self) -> list[str]:
        return list(self._store.items)


class TestMailbox(ProviderSuite):
    channels = frozenset(Channel)
    faults = frozenset({Fault.TRANSIENT})

    @asynccontextmanager
    async def far_side(self) -> AsyncIterator[FarSide]:
        store = MemoryMailbox()
        provider = await MailboxProvider.open("under-test", store, WallClock())
        try:
            yield MailboxSide(provider, store)
        finally:
            await provider.aclose()

    @asynccontextmanager
    async def broken(self, fault: Fault) -> AsyncIterator[Provider]:
        provider = await MailboxProvider.open("under-test", MemoryMailbox(is_full=True), WallClock())
        try:
            yield provider
        finally:
            await provider.aclose()
