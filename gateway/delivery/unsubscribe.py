"""Leaving, and choosing anew: what the links in messages do, always with evidence and never by a GET."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.delivery.links import UnsubscribeLinks
from gateway.domain import ids
from gateway.domain.ids import ConsentId, DeliveryId, RecipientId, SuppressionId
from gateway.domain.messages import Message
from gateway.domain.preferences import Category, Consent, ConsentState, Suppression, SuppressionReason
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import NotFound
from gateway.ports import Clock, ConsentStore, DeliveryRecord, LogStore, MessageRecord, SuppressionStore
from gateway.rendering.registry import TemplateLibrary

ONE_CLICK = "one-click"
PREFERENCE_CENTRE = "preference-centre"


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


class Unsubscriber:
    """Turns the token of a link into the person's word."""

    def __init__(
        self,
        *,
        links: UnsubscribeLinks,
        log: LogStore,
        consents: ConsentStore,
        suppressions: SuppressionStore,
        templates: TemplateLibrary,
        clock: Clock,
    ) -> None:
        self._links = links
        self._log = log
        self._consents = consents
        self._suppressions = suppressions
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
            await self._suppress(message, delivery, proof)
        else:
            wanted = {(channel, message.topic): ConsentState.DENIED}
            await self._say(message, message.to.id, wanted, ONE_CLICK, proof)
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
        return Preferences(record=record, delivery=delivery, choices=choices)

    async def choose(
        self,
        token: str,
        wanted: Mapping[tuple[Channel, str], bool],
        evidence: Mapping[str, JsonValue],
        *,
        wording: str | None = None,
        locale: str | None = None,
    ) -> Preferences:
        """Take down what the person chose: True grants, False denies; what is as it was leaves no line.

        A person whom no id names can only leave. Raises NotFound.
        """
        record, delivery = await self._follow(token)
        proof = {**evidence, "delivery_id": delivery.delivery.id}
        message = record.message
        if message.to.id is None:
            if not all(wanted.values()):
                await self._suppress(message, delivery, proof)
        else:
            states = {key: ConsentState.GRANTED if yes else ConsentState.DENIED for key, yes in wanted.items()}
            await self._say(message, message.to.id, states, PREFERENCE_CENTRE, proof, wording=wording, locale=locale)
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

    async def _say(
        self,
        message: Message,
        recipient_id: RecipientId,
        wanted: Mapping[tuple[Channel, str], ConsentState],
        source: str,
        evidence: Mapping[str, JsonValue],
        *,
        wording: str | None = None,
        locale: str | None = None,
    ) -> None:
        said, now = await self._current(message), self._clock.now()
        lines = [
            Consent(
                id=ConsentId(ids.make_id(ids.CONSENT, now)),
                service_id=message.service_id,
                recipient_id=recipient_id,
                channel=channel,
                topic=topic,
                state=state,
                source=source,
                wording=wording,
                locale=locale,
                evidence=evidence,
                at=now,
                recorded_at=now,
            )
            for (channel, topic), state in wanted.items()
            if said.get((channel, topic)) is not state and not _is_silence(said.get((channel, topic)), state, source)
        ]
        if lines:
            await self._consents.add_consents(lines)

    async def _suppress(self, message: Message, delivery: DeliveryRecord, evidence: Mapping[str, JsonValue]) -> None:
        """Leave by address: without an id there is nobody to keep a consent for."""
        channel, now = delivery.delivery.channel, self._clock.now()
        scope = message.category.value if message.topic is None else f"topic:{message.topic}"
        addresses = message.to.addresses(channel) if delivery.address is None else (delivery.address,)
        for address in addresses:
            await self._suppressions.add_suppression(
                Suppression(
                    id=SuppressionId(ids.make_id(ids.SUPPRESSION, now)),
                    channel=channel,
                    address=address,
                    reason=SuppressionReason.MANUAL,
                    scope=scope,
                    evidence=evidence,
                    created_at=now,
                )
            )

    def _marketing_topics(self) -> set[str]:
        snapshot = self._templates.snapshot
        found = (snapshot.template(name) for name in snapshot.names)
        return {template.topic for template in found if template.category is Category.MARKETING and template.topic}


def _is_silence(said: ConsentState | None, wanted: ConsentState, source: str) -> bool:
    """A box left empty on the page, of a topic that was never spoken of, is no word."""
    return source == PREFERENCE_CENTRE and said is None and wanted is ConsentState.DENIED


def _delivery(record: MessageRecord, delivery_id: DeliveryId) -> DeliveryRecord:
    for one in record.deliveries:
        if one.delivery.id == delivery_id:
            return one
    raise NotFound("This link is not ours, or not whole.")
