"""Leaving, and choosing anew: what the links in messages do, always with evidence and never by a GET."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.delivery import events
from gateway.delivery.dispatching.links import UnsubscribeLinks
from gateway.domain import ids
from gateway.domain.audit import RECIPIENT
from gateway.domain.ids import ConsentId, DeliveryId, RecipientId, SuppressionId
from gateway.domain.messages import Event, Message
from gateway.domain.own_rules import NO_WISHES, Wishes, wishes_json, wishes_of
from gateway.domain.preferences import Category, Consent, ConsentState, Suppression, SuppressionReason
from gateway.domain.recipients import Channel, JsonValue, Recipient
from gateway.errors import NotFound
from gateway.ports import (
    Clock,
    ConsentStore,
    DeliveryRecord,
    LogStore,
    MessageRecord,
    ReaderChoice,
    ReaderStore,
    RecipientStore,
    SuppressionStore,
    Wished,
)
from gateway.rendering.registry import TemplateLibrary

ONE_CLICK = "one-click"
PREFERENCE_CENTRE = "preference-centre"
_ENOUGH: Final = 20
"""Suppressions of one number that are looked at; there are a handful of reasons and scopes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person has said of one topic on one channel."""

    channel: Channel
    topic: str
    state: ConsentState | None
    """None when nothing was ever said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What the preference centre shows to who followed a link."""

    record: MessageRecord
    delivery: DeliveryRecord
    choices: tuple[Choice, ...]
    """Every marketing topic on every channel, and whatever else the person has spoken of; by topic."""
    wishes: Wishes
    """Own hours, own frequency, a break, own zone."""
    timezone: str
    """The zone that the person is taken to live by."""
    is_stopped: bool
    """Whether a STOP stands for the person's number: no choice made here brings texts back, only a START."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saying:
    """How something was said, for the ledger."""

    source: str
    evidence: Mapping[str, JsonValue]
    wording: str | None = None
    locale: str | None = None


class Unsubscriber:
    """Turns the token of a link into the person's word."""

    def __init__(
        self,
        *,
        links: UnsubscribeLinks,
        log: LogStore,
        consents: ConsentStore,
        suppressions: SuppressionStore,
        recipients: RecipientStore,
        readers: ReaderStore,
        default_timezone: str,
        templates: TemplateLibrary,
        clock: Clock,
    ) -> None:
        self._links = links
        self._log = log
        self._consents = consents
        self._suppressions = suppressions
        self._recipients = recipients
        self._readers = readers
        self._default_timezone = default_timezone
        self._templates = templates
        self._clock = clock

    async def one_click(self, token: str, evidence: Mapping[str, JsonValue]) -> Message:
        """Leave the message's topic on its channel at once (RFC 8058); a second click changes nothing.

        Raises NotFound for a token that is not ours.
        """
        record, delivery = await self._follow(token)
        message, channel = record.message, delivery.delivery.channel
        proof = {**evidence, "delivery_id": delivery.delivery.id}
        if message.to.id is None or message.topic is None:
            await self._suppress(message, delivery, proof, ONE_CLICK)
        else:
            wanted = {(channel, message.topic): ConsentState.DENIED}
            saying = _Saying(source=ONE_CLICK, evidence=proof)
            await self._say(message.to.id, record, delivery, wanted, saying=saying)
        return message

    async def preferences(self, token: str) -> Preferences:
        """What the person behind a link has chosen so far; reading changes nothing. Raises NotFound."""
        record, delivery = await self._follow(token)
        said = await self._current(record.message)
        topics = {topic for _, topic in said} | self._marketing_topics()
        keys = {(channel, topic) for topic in topics for channel in Channel}
        choices = tuple(
            Choice(channel=channel, topic=topic, state=said.get((channel, topic)))
            for channel, topic in sorted(keys, key=lambda key: (key[1], list(Channel).index(key[0])))
        )
        person = await self._person(record.message)
        wishes = wishes_of(None if person is None else person.preferences)
        whole = record.message.to if person is None else person.overlaid(record.message.to)
        return Preferences(
            record=record,
            delivery=delivery,
            choices=choices,
            wishes=wishes,
            timezone=whole.timezone or self._default_timezone,
            is_stopped=await self._is_stopped(whole),
        )

    async def choose(
        self,
        token: str,
        wanted: Mapping[tuple[Channel, str], bool],
        evidence: Mapping[str, JsonValue],
        *,
        wishes: Wishes | None = None,
        wording: str | None = None,
        locale: str | None = None,
    ) -> Preferences:
        """Take down what the person chose: True grants, False denies; what is as it was leaves no line.

        `wishes` stand in place of the earlier ones; None leaves those. A person whom no id names can only leave.
        Raises NotFound.
        """
        record, delivery = await self._follow(token)
        proof = {**evidence, "delivery_id": delivery.delivery.id}
        message = record.message
        if message.to.id is None:
            if not all(wanted.values()):
                await self._suppress(message, delivery, proof, PREFERENCE_CENTRE)
        else:
            states = {key: ConsentState.GRANTED if yes else ConsentState.DENIED for key, yes in wanted.items()}
            saying = _Saying(source=PREFERENCE_CENTRE, evidence=proof, wording=wording, locale=locale)
            await self._say(message.to.id, record, delivery, states, saying=saying, wishes=wishes)
        return await self.preferences(token)

    async def _follow(self, token: str) -> tuple[MessageRecord, DeliveryRecord]:
        delivery_id = self._links.read(token)
        if delivery_id is None:
            raise NotFound("This link is not ours, or not whole.")
        record = await self._log.read_delivery(delivery_id)
        return record, _delivery(record, delivery_id)

    async def _current(self, message: Message) -> dict[tuple[Channel, str], ConsentState]:
        if message.to.id is None:
            return {}
        lines = await self._consents.current_consents(message.service_id, message.to.id)
        return {(line.channel, line.topic): line.state for line in lines}

    async def _person(self, message: Message) -> Recipient | None:
        if message.to.id is None:
            return None
        try:
            return await self._recipients.get_recipient(message.service_id, message.to.id)
        except NotFound:
            return None

    async def _is_stopped(self, person: Recipient) -> bool:
        if person.phone is None:
            return False
        found = await self._suppressions.list_suppressions(Channel.SMS, person.phone, _ENOUGH, None)
        now = self._clock.now()
        return any(
            one.reason is SuppressionReason.STOP and one.forbids(Category.MARKETING, None, now) for one in found.items
        )

    async def _say(
        self,
        recipient_id: RecipientId,
        record: MessageRecord,
        delivery: DeliveryRecord,
        wanted: Mapping[tuple[Channel, str], ConsentState],
        *,
        saying: _Saying,
        wishes: Wishes | None = None,
    ) -> None:
        said, now = await self._current(record.message), self._clock.now()
        lines = tuple(
            Consent(
                id=ConsentId(ids.make_id(ids.CONSENT, now)),
                service_id=record.message.service_id,
                recipient_id=recipient_id,
                channel=channel,
                topic=topic,
                state=state,
                source=saying.source,
                wording=saying.wording,
                locale=saying.locale,
                evidence=saying.evidence,
                actor=RECIPIENT,
                at=now,
                recorded_at=now,
            )
            for (channel, topic), state in wanted.items()
            if said.get((channel, topic)) is not state
            and not _is_silence(said.get((channel, topic)), state, saying.source)
        )
        wished, told = None, []
        if lines:
            told.append(_consents_told(delivery, lines, saying.source, now))
        if wishes is not None and wishes != await self._wishes(record.message):
            kept = wishes_json(wishes)
            wished, chose = Wished(preferences=kept), {"by": saying.source, "preferences": kept}
            told.append(events.reader_did(events.CHOSE, delivery.delivery, now, chose))
        if told:
            choice = ReaderChoice(
                service_id=record.message.service_id,
                recipient_id=recipient_id,
                at=now,
                lines=lines,
                wished=wished,
                events=tuple(told),
            )
            await self._readers.choose(choice)

    async def _wishes(self, message: Message) -> Wishes:
        person = await self._person(message)
        return NO_WISHES if person is None else wishes_of(person.preferences)

    async def _suppress(
        self, message: Message, delivery: DeliveryRecord, evidence: Mapping[str, JsonValue], by: str
    ) -> None:
        """Leave by address: without an id there is nobody to keep a consent for."""
        channel, now = delivery.delivery.channel, self._clock.now()
        scope = message.category.value if message.topic is None else f"topic:{message.topic}"
        addresses = message.to.addresses(channel) if delivery.address is None else (delivery.address,)
        asked = [
            Suppression(
                id=SuppressionId(ids.make_id(ids.SUPPRESSION, now)),
                channel=channel,
                address=address,
                reason=SuppressionReason.MANUAL,
                scope=scope,
                evidence={**evidence, "by": by},
                created_at=now,
            )
            for address in addresses
        ]
        told: dict[str, JsonValue] = {"by": by, "scope": scope, "suppressions": [one.id for one in asked]}
        await self._readers.leave(asked, events.reader_did(events.UNSUBSCRIBED, delivery.delivery, now, told))

    def _marketing_topics(self) -> set[str]:
        snapshot = self._templates.snapshot
        found = (snapshot.template(name) for name in snapshot.names)
        return {template.topic for template in found if template.category is Category.MARKETING and template.topic}


def _consents_told(delivery: DeliveryRecord, lines: Sequence[Consent], source: str, now: datetime) -> Event:
    left = any(line.state is ConsentState.DENIED for line in lines)
    told: dict[str, JsonValue] = {"by": source, "consents": [_told(line) for line in lines]}
    return events.reader_did(events.UNSUBSCRIBED if left else events.CHOSE, delivery.delivery, now, told)


def _told(line: Consent) -> dict[str, JsonValue]:
    return {"channel": line.channel.value, "topic": line.topic, "state": line.state.value}


def _is_silence(said: ConsentState | None, wanted: ConsentState, source: str) -> bool:
    """A box left empty on the page, of a topic that was never spoken of, is no word."""
    return source == PREFERENCE_CENTRE and said is None and wanted is ConsentState.DENIED


def _delivery(record: MessageRecord, delivery_id: DeliveryId) -> DeliveryRecord:
    for one in record.deliveries:
        if one.delivery.id == delivery_id:
            return one
    raise NotFound("This link is not ours, or not whole.")
