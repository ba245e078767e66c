"""Texts that came in: read once, acted on at once, answered once, and never lost."""

from contextlib import suppress
from typing import Final

import structlog

from gateway.delivery import events
from gateway.delivery.accepting.addresses import BadAddress, parse_phone
from gateway.delivery.accepting.drafting import Drafter
from gateway.delivery.accepting.senders import Senders, may_send_as
from gateway.delivery.dispatching.routing import country_of_number
from gateway.delivery.people.reply_language import reply_locale
from gateway.domain import ids
from gateway.domain.ids import EventId, InboundId, ServiceId, SuppressionId
from gateway.domain.inbound import Inbound, InboundText, StopCovers
from gateway.domain.instants import rfc3339_or_none
from gateway.domain.messages import Event, SendRequest
from gateway.domain.preferences import BY_TEXT, SPARES, Suppression, SuppressionReason
from gateway.domain.recipients import Channel, JsonValue, PhoneNumber, Recipient
from gateway.errors import GatewayError, NotFound
from gateway.metrics import Metrics
from gateway.policy.stopwords.lexicon import Lexicon, Meaning
from gateway.policy.stopwords.reading import Reading, read_text
from gateway.ports import Acquaintance, Clock, InboundStore, Intake, NewMessage, ServiceStore, Wake

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

REPLIES: Final = {
    Meaning.STOP: "opt-out-confirmation",
    Meaning.START: "opt-in-confirmation",
    Meaning.HELP: "opt-out-help",
}
"""The template of the one answer to each word."""
EVERYTHING: Final = "all"
"""The scope that no message passes."""


class InboundDesk:
    """Takes texts in, whichever provider brought them."""

    def __init__(
        self,
        *,
        store: InboundStore,
        services: ServiceStore,
        senders: Senders,
        drafter: Drafter,
        lexicon: Lexicon,
        covers: StopCovers,
        wake: Wake,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._services = services
        self._senders = senders
        self._drafter = drafter
        self._lexicon = lexicon
        self._covers = covers
        self._wake = wake
        self._clock = clock
        self._counters = {meaning: metrics.inbound.labels(meaning.value) for meaning in Meaning}

    async def take_in(self, provider: str, inbound: Inbound) -> InboundText | None:
        """Keep a text and do what it asks, durably; None for one that was told before.

        A STOP holds from the return on: no provider call to that number is begun any more, but for the one answer.
        """
        now, sender = self._clock.now(), _number(inbound.sender)
        country = country_of_number(sender)
        reading = read_text(inbound.text, self._lexicon, country)
        known = await self._store.acquaintance(inbound.channel, sender)
        text = InboundText(
            id=InboundId(ids.make_id(ids.INBOUND, now)),
            provider=provider,
            event_id=inbound.event_id,
            channel=inbound.channel,
            sender=sender,
            recipient=inbound.recipient,
            text=inbound.text,
            meaning=reading.meaning.value,
            at=now,
            handled={"words": [*reading.words], "sent_at": rfc3339_or_none(inbound.sent_at)},
        )
        reply = await self._reply(inbound, text, reading, known, country)
        kept = await self._store.take_in(self._intake(text, reading, known, reply))
        if kept is None:
            _log.info("inbound.repeated", provider=provider)
            return None
        self._counters[reading.meaning].inc()
        _log.info("inbound.taken", inbound=kept.id, provider=provider, meaning=kept.meaning, reply=_reply_of(kept))
        if "reply" in kept.handled:
            self._wake.ring()
        return kept

    def _intake(
        self, text: InboundText, reading: Reading, known: Acquaintance | None, reply: NewMessage | None
    ) -> Intake:
        replied = _event(events.REPLIED, text, known, {"meaning": text.meaning, "words": [*reading.words]})
        match reading.meaning:
            case Meaning.STOP:
                suppression = self._suppression(text, reading, known, reply)
                told: dict[str, JsonValue] = {
                    "by": BY_TEXT,
                    "scope": suppression.scope,
                    "suppression_id": suppression.id,
                }
                changed = _event(events.UNSUBSCRIBED, text, known, told)
                return Intake(text=text, suppression=suppression, reply=reply, replied=replied, changed=changed)
            case Meaning.START:
                changed = _event(events.RESUBSCRIBED, text, known, {"by": BY_TEXT})
                return Intake(text=text, lifts=True, reply=reply, replied=replied, changed=changed)
            case Meaning.HELP | Meaning.UNCLEAR | Meaning.OTHER:
                return Intake(text=text, reply=reply, replied=replied)

    def _suppression(
        self, text: InboundText, reading: Reading, known: Acquaintance | None, reply: NewMessage | None
    ) -> Suppression:
        evidence: dict[str, JsonValue] = {
            "by": BY_TEXT,
            "inbound_id": text.id,
            "provider": text.provider,
            "event_id": text.event_id,
            "words": [*reading.words],
            "sent_at": text.handled["sent_at"],
            SPARES: None if reply is None else reply.message.id,
        }
        return Suppression(
            id=SuppressionId(ids.make_id(ids.SUPPRESSION, text.at)),
            channel=text.channel,
            address=text.sender,
            reason=SuppressionReason.STOP,
            scope=self._scope(known),
            evidence=evidence,
            created_at=text.at,
        )

    def _scope(self, known: Acquaintance | None) -> str:
        match self._covers:
            case StopCovers.EVERYTHING:
                return EVERYTHING
            case StopCovers.MARKETING:
                return "marketing"
            case StopCovers.TOPIC:
                topic = None if known is None or known.last is None else known.last.topic
                return EVERYTHING if topic is None else f"topic:{topic}"

    async def _reply(
        self, inbound: Inbound, text: InboundText, reading: Reading, known: Acquaintance | None, country: str | None
    ) -> NewMessage | None:
        """The one answer; None where none is due, or none can be made: what was asked is done all the same."""
        template = REPLIES.get(reading.meaning)
        if template is None or inbound.channel is not Channel.SMS:
            return None
        try:
            service_id = known.service_id if known is not None else await self._anyone()
            request = SendRequest(
                template=template,
                to=Recipient(
                    id=None if known is None else known.recipient_id,
                    phone=PhoneNumber(text.sender),
                    locale=reply_locale(reading.languages, None if known is None else known.locale, country),
                ),
                channels=(Channel.SMS,),
                data={"everything": self._scope(known) == EVERYTHING} if reading.meaning is Meaning.STOP else {},
                sender=await self._sender(service_id, inbound.recipient),
            )
            live = known.live if known is not None else inbound.live
            draft = await self._drafter.draft(service_id, live, request, text.at)
        except GatewayError as error:
            _log.error("inbound.unanswered", inbound=text.id, template=template, error=error.message)
            return None
        return NewMessage(
            message=draft.message, deliveries=draft.deliveries, events=(events.message_accepted(draft.message),)
        )

    async def _anyone(self) -> ServiceId:
        """The service that answers strangers: the oldest. Raises NotFound."""
        services = await self._services.list_services()
        if not services:
            raise NotFound("There is no service yet in whose name to answer.")
        return min(services, key=lambda service: service.created_at).id

    async def _sender(self, service_id: ServiceId, ours: str) -> str | None:
        """The number that was written to, where the service has it; else the service's usual one."""
        allowed = bool(ours) and may_send_as(ours, (Channel.SMS,), await self._senders.of(service_id))
        return ours if allowed else None


_WHOLE_NUMBER: Final = 10
"""Digits from which on a sender is a number with its country, whatever stands around them; short codes have fewer."""


def _number(sender: str) -> str:
    """The number in E.164, however a carrier spells it; as it came where it is none, such as a short code."""
    digits = "".join(filter(str.isdecimal, sender)).removeprefix("00")
    spellings = (sender, f"+{digits}") if len(digits) >= _WHOLE_NUMBER else (sender,)
    for spelling in spellings:
        with suppress(BadAddress):
            return parse_phone(spelling)
    return sender


def _event(kind: str, text: InboundText, known: Acquaintance | None, told: dict[str, JsonValue]) -> Event | None:
    if known is None or known.last is None:
        return None
    return Event(
        id=EventId(ids.make_id(ids.EVENT, text.at)),
        message_id=known.last.id,
        delivery_id=known.delivery_id,
        type=kind,
        at=text.at,
        data={"channel": text.channel.value, "inbound_id": text.id, **told},
    )


def _reply_of(kept: InboundText) -> JsonValue:
    return kept.handled.get("reply")
