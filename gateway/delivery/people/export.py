"""All that is held on a person, given out piece by piece: nobody has to hold all of it at once."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from gateway.domain.audit import AuditAction, AuditEntry, By, make_entry
from gateway.domain.engagement import Engagement
from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.inbound import InboundText
from gateway.domain.messages import Event
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, Recipient
from gateway.domain.values import Value
from gateway.errors import NotFound
from gateway.ports import (
    AuditQuery,
    AuditStore,
    Clock,
    ConsentStore,
    EngagementStore,
    LogStore,
    MessageRecord,
    RecipientStore,
    SuppressionStore,
)
from gateway.ports.belongings import Belonging, BelongingsStore, UsedSlots

_PAGE: Final = 200


class Correspondence(Value, frozen=True, kw_only=True):
    """A message with its files, its whole timeline, and what was done with it."""

    record: MessageRecord
    events: tuple[Event, ...]
    engagements: tuple[Engagement, ...]


Piece = Recipient | Consent | Suppression | Correspondence | InboundText | UsedSlots | AuditEntry
"""One thing that is held; pieces of a kind come together, in this order."""


class Exporter:
    """Gives out what is held on people, and leaves an entry of it."""

    def __init__(
        self,
        *,
        belongings: BelongingsStore,
        recipients: RecipientStore,
        consents: ConsentStore,
        suppressions: SuppressionStore,
        log: LogStore,
        engagements: EngagementStore,
        audit: AuditStore,
        pseudonyms: Pseudonyms,
        clock: Clock,
    ) -> None:
        self._belongings = belongings
        self._recipients = recipients
        self._consents = consents
        self._suppressions = suppressions
        self._log = log
        self._engagements = engagements
        self._audit = audit
        self._pseudonyms = pseudonyms
        self._clock = clock

    async def export(self, service_id: ServiceId, recipient_id: RecipientId, by: By) -> AsyncIterator[Piece]:
        """All pieces; read as they are asked for. Raises NotFound before the first one."""
        whose = await self._belongings.belonging(service_id, recipient_id)
        subject = self._pseudonyms.of_person(service_id, recipient_id)
        await self._audit.add_audit(make_entry(AuditAction.EXPORT, subject, by, self._clock.now()))
        return self._pieces(whose, subject)

    async def _pieces(self, whose: Belonging, subject: str) -> AsyncIterator[Piece]:
        kept: list[Recipient] = []
        # Of some people only messages or consents are kept.
        with suppress(NotFound):
            kept.append(await self._recipients.get_recipient(whose.service_id, whose.recipient_id))
        for recipient in kept:
            yield recipient
        async for consent in self._history(whose):
            yield consent
        async for suppression in self._suppressed(whose):
            yield suppression
        async for correspondence in self._correspondence(whose):
            yield correspondence
        for text in await self._belongings.texts_of(whose):
            yield text
        for used in await self._belongings.slots_of(whose):
            yield used
        async for entry in self._entries(subject):
            yield entry

    async def _history(self, whose: Belonging) -> AsyncIterator[Consent]:
        cursor: str | None = None
        while True:
            page = await self._consents.consent_history(whose.service_id, whose.recipient_id, _PAGE, cursor)
            for consent in page.items:
                yield consent
            if (cursor := page.next_cursor) is None:
                return

    async def _suppressed(self, whose: Belonging) -> AsyncIterator[Suppression]:
        seen: set[str] = set()
        for channel, address in whose.addresses:
            page = await self._suppressions.list_suppressions(Channel(channel), address, _PAGE, None)
            for suppression in page.items:
                if suppression.id not in seen:
                    seen.add(suppression.id)
                    yield suppression

    async def _correspondence(self, whose: Belonging) -> AsyncIterator[Correspondence]:
        after: str | None = ""
        while after is not None:
            ids, after = await self._belongings.messages_of(whose, after)
            for message_id in ids:
                record = await self._log.read(message_id, whose.service_id)
                done = await self._engagements.of_message(message_id)
                told = tuple([event async for event in self._timeline(record)])
                yield Correspondence(record=record, events=told, engagements=tuple(done))

    async def _timeline(self, record: MessageRecord) -> AsyncIterator[Event]:
        cursor: str | None = None
        while True:
            page = await self._log.events(record.message.id, record.message.service_id, _PAGE, cursor)
            for event in page.items:
                yield event
            if (cursor := page.next_cursor) is None:
                return

    async def _entries(self, subject: str) -> AsyncIterator[AuditEntry]:
        cursor: str | None = None
        while True:
            page = await self._audit.list_audit(AuditQuery(subject=subject), _PAGE, cursor)
            for entry in page.items:
                yield entry
            if (cursor := page.next_cursor) is None:
                return
