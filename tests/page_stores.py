"""Stores in memory for tests of pages: what a page asks, answered from a few records."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from gateway.domain.audit import AuditEntry
from gateway.domain.engagement import Conversion, Engagement, EngagementKind, Look, Maker
from gateway.domain.ids import DeliveryId, MessageId, ServiceId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Event
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.errors import InvalidRequest, NotFound
from gateway.ports import AuditQuery, MailboxItem, MessageQuery, MessageRecord, Page


class MemoryLog:
    """A delivery log that remembers each question."""

    def __init__(self, records: Iterable[MessageRecord] = (), events: Iterable[Event] = ()) -> None:
        self.records = {record.message.id: record for record in records}
        self.events_kept = list(events)
        self.asked: list[MessageQuery] = []

    async def read(self, message_id: MessageId, service_id: ServiceId | None) -> MessageRecord:
        try:
            return self.records[message_id]
        except KeyError:
            raise NotFound("There is no such message.") from None

    async def read_delivery(self, delivery_id: DeliveryId) -> MessageRecord:
        for record in self.records.values():
            if any(held.delivery.id == delivery_id for held in record.deliveries):
                return record
        raise NotFound("There is no such delivery.")

    async def search(self, query: MessageQuery) -> Page[MessageRecord]:
        self.asked.append(query)
        if query.cursor not in (None, "second"):
            raise InvalidRequest("The cursor is not ours.")
        found = [record for record in self.records.values() if _matches(record, query)]
        return Page(items=tuple(found), next_cursor="second" if found and query.cursor is None else None)

    async def events(
        self, message_id: MessageId, service_id: ServiceId | None, limit: int, cursor: str | None
    ) -> Page[Event]:
        return Page(items=tuple(e for e in self.events_kept if e.message_id == message_id), next_cursor=None)

    async def summary(self, since: datetime) -> Mapping[tuple[str, Channel, str, DeliveryStatus], int]:
        return Counter(
            (record.message.template, held.delivery.channel, record.message.locale or "", held.delivery.status)
            for record in self.records.values()
            for held in record.deliveries
        )


def _matches(record: MessageRecord, query: MessageQuery) -> bool:
    return query.status in (None, record.status) and query.template in (None, record.message.template)


class MemoryEngagements:
    """What was done with messages, all of it given at the start."""

    def __init__(self, engagements: Iterable[Engagement] = ()) -> None:
        self.kept = list(engagements)

    async def look(self, look: Look) -> Engagement | None:
        return None

    async def convert(self, conversion: Conversion, within: timedelta) -> tuple[Engagement, bool]:
        raise NotFound("There is no message that led to it.")

    async def of_message(self, message_id: MessageId) -> Sequence[Engagement]:
        return [one for one in self.kept if one.message_id == message_id]

    async def categories(self, delivery_ids: Sequence[DeliveryId]) -> Mapping[DeliveryId, Category]:
        return {}

    async def counts(self, since: datetime) -> Mapping[tuple[EngagementKind, Maker], int]:
        return Counter((one.kind, one.made_by) for one in self.kept if one.at >= since)


class MemoryMailbox:
    """A mailbox that is given all that it has at the start."""

    def __init__(self, items: Iterable[MailboxItem] = ()) -> None:
        self.items = {item.delivery_id: item for item in items}

    async def keep(self, item: MailboxItem) -> bool:
        return self.items.setdefault(item.delivery_id, item) is item

    async def get_item(self, delivery_id: DeliveryId) -> MailboxItem:
        try:
            return self.items[delivery_id]
        except KeyError:
            raise NotFound("There is no such item.") from None

    async def list_items(self, channel: Channel | None, limit: int, cursor: str | None) -> Page[MailboxItem]:
        if cursor is not None:
            raise InvalidRequest("The cursor is not ours.")
        found = [item for item in self.items.values() if channel in (None, item.channel)]
        return Page(items=tuple(found[:limit]), next_cursor=None)


class MemoryAudit:
    """An audit trail that is read by the test itself."""

    def __init__(self) -> None:
        self.entries: list[tuple[AuditEntry, Event | None]] = []

    async def add_audit(self, entry: AuditEntry, event: Event | None = None) -> None:
        self.entries.append((entry, event))

    async def list_audit(self, query: AuditQuery, limit: int, cursor: str | None) -> Page[AuditEntry]:
        found = [entry for entry, _ in self.entries if query.action in (None, entry.action)]
        return Page(items=tuple(found[:limit]), next_cursor=None)
