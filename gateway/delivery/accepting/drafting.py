"""From a request to a message that can be stored: every wrong field is named, and nothing has happened yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gateway.delivery.accepting.attachments import AttachmentLimits, check_attachments
from gateway.delivery.accepting.recipients import check_recipient
from gateway.delivery.accepting.schedule import WrongSchedule, needs_recipient_zone, settle_expiry, settle_send_at
from gateway.delivery.accepting.senders import Senders, may_send_as
from gateway.delivery.dispatching.composition import Composer
from gateway.domain import ids
from gateway.domain.ids import DeliveryId, MessageId, ServiceId
from gateway.domain.lifecycle import Strategy
from gateway.domain.messages import Message, SendRequest, accepted_delivery
from gateway.domain.recipients import Channel, Recipient
from gateway.domain.values import Value, replace
from gateway.errors import FieldProblem, InvalidRequest, NotFound, RenderFailed
from gateway.ports import NewDelivery, RecipientStore
from gateway.rendering.renderer import Renderer
from gateway.rendering.templates import Template
from gateway.rendering.variables import check_data, split_secrets

_REFUSED: Final = "The message cannot be accepted as it stands."


class Draft(Value, frozen=True, kw_only=True):
    """A message with its first deliveries, not yet stored."""

    message: Message
    deliveries: tuple[NewDelivery, ...]
    recipient: Recipient
    """The person as known now: what is stored, if it was looked at, with the inline values on top."""


class Drafter:
    """Checks a request against templates, addresses, times and the service's rights; accept and explain share it."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        composer: Composer,
        recipients: RecipientStore,
        senders: Senders,
        limits: AttachmentLimits,
        default_timezone: str,
    ) -> None:
        self._renderer = renderer
        self._composer = composer
        self._recipients = recipients
        self._senders = senders
        self._limits = limits
        self._default_timezone = default_timezone

    async def draft(self, service_id: ServiceId, live: bool, request: SendRequest, now: datetime) -> Draft:
        """Build the message. Raises InvalidRequest that names every wrong field by JSON pointer."""
        to, problems = check_recipient(request.to, "/to")
        if to is not request.to:
            request = replace(request, to=to)
        template = self._template(request.template, problems)
        if template is None:
            raise InvalidRequest(_REFUSED, problems)
        channels = _choose_channels(template, request, problems)
        problems.extend(check_data(template, request.data))
        if request.attachments:
            problems.extend(self._attachment_problems(request, channels))
        if request.sender is not None:
            problems.extend(await self._sender_problems(service_id, request.sender, channels))
        stored = None
        if to.id is None or not to.reaches(channels) or needs_recipient_zone(request):
            stored = await self._stored(service_id, request, channels, problems)
        message = self._message(
            service_id=service_id,
            live=live,
            request=request,
            template=template,
            channels=channels,
            stored=stored,
            now=now,
            problems=problems,
        )
        if message is None or problems:
            raise InvalidRequest(_REFUSED, problems)
        recipient = to if stored is None else stored.overlaid(to)
        self._try_rendering(message, template, recipient, now)
        return Draft(message=message, deliveries=first_deliveries(message, now), recipient=recipient)

    def _template(self, name: str, problems: list[FieldProblem]) -> Template | None:
        try:
            return self._renderer.templates.template(name)
        except NotFound:
            problems.append(
                _problem(
                    "/template",
                    "unknown_template",
                    "There is no template of this name; GET /v1/templates lists those that there are.",
                )
            )
            return None

    def _attachment_problems(self, request: SendRequest, channels: Sequence[Channel]) -> list[FieldProblem]:
        if channels and Channel.EMAIL not in channels:
            return [_problem("/attachments", "no_email", "Only an e-mail carries attachments.")]
        return check_attachments(request.attachments, self._limits)

    async def _sender_problems(
        self, service_id: ServiceId, sender: str, channels: Sequence[Channel]
    ) -> list[FieldProblem]:
        if may_send_as(sender, channels, await self._senders.of(service_id)):
            return []
        wanted = "Name one of the service's own sender identities on these channels, or none."
        return [_problem("/from", "sender_not_allowed", wanted)]

    async def _stored(
        self,
        service_id: ServiceId,
        request: SendRequest,
        channels: Sequence[Channel],
        problems: list[FieldProblem],
    ) -> Recipient | None:
        """What the gateway knows of a person of whom the request does not say enough."""
        to = request.to
        if to.id is None:
            if request.remember:
                problems.append(_problem("/to/id", "missing", "Give the id under which to remember the recipient."))
            if channels and not to.reaches(channels) and not any(one.pointer.startswith("/to/") for one in problems):
                wanted = f"Give an address for one of the channels: {', '.join(channels)}."
                problems.append(_problem("/to", "no_address", wanted))
            return None
        try:
            return await self._recipients.get_recipient(service_id, to.id)
        except NotFound:
            if not any(to.addresses(channel) for channel in Channel):
                wanted = "No recipient has this id; keep one first, or give an address."
                problems.append(_problem("/to/id", "unknown_recipient", wanted))
            return None

    def _message(
        self,
        *,
        service_id: ServiceId,
        live: bool,
        request: SendRequest,
        template: Template,
        channels: tuple[Channel, ...],
        stored: Recipient | None,
        now: datetime,
        problems: list[FieldProblem],
    ) -> Message | None:
        try:
            send_at = settle_send_at(request, _zone_of(stored), self._default_timezone, now)
            expires_at = settle_expiry(request.expires_at, template.expires_after, template.category, send_at, now)
        except WrongSchedule as error:
            problems.append(error.problem)
            return None
        data, secrets = split_secrets(template, request.data)
        return Message(
            id=MessageId(ids.make_id(ids.MESSAGE, now)),
            service_id=service_id,
            live=live,
            template=template.name,
            category=template.category,
            topic=template.topic,
            strategy=request.strategy or template.strategy,
            channels=channels,
            to=request.to,
            data=data,
            secrets=secrets,
            priority=request.priority,
            tags=request.tags,
            metadata=request.metadata,
            sender=request.sender,
            attachments=request.attachments,
            fallback_after=template.fallback_after,
            created_at=now,
            send_at=send_at,
            expires_at=expires_at,
            traceparent=request.traceparent,
        )

    def _try_rendering(self, message: Message, template: Template, recipient: Recipient, now: datetime) -> None:
        """Render the parts that may come out empty: no other text can fail for the data once that is checked."""
        for channel in message.channels:
            if template.may_be_empty(channel):
                try:
                    self._composer.compose(message, recipient, channel, delivery_id=_TRIAL, now=now)
                except RenderFailed as error:
                    told = f"The text for {channel} cannot be made of this data: {error.message}"
                    raise InvalidRequest(_REFUSED, [_problem("/data", "renders_empty", told)]) from error


_TRIAL: Final = DeliveryId(f"{ids.DELIVERY}_trial")


def _zone_of(stored: Recipient | None) -> str | None:
    return None if stored is None else stored.own_timezone or stored.timezone


def first_deliveries(message: Message, now: datetime) -> tuple[NewDelivery, ...]:
    """Under `all` a delivery on each channel; under `first` one on the first: a fallback's exists once it is tried."""
    channels = message.channels if message.strategy is Strategy.ALL else message.channels[:1]
    return tuple([new_delivery(message, channel, now) for channel in channels])


def new_delivery(message: Message, channel: Channel, now: datetime) -> NewDelivery:
    """A new delivery of the message, due when it waits for nothing any more."""
    delivery = accepted_delivery(ids.make_delivery_id(now), message, channel, now)
    return NewDelivery(delivery=delivery, due_at=delivery.not_before or now)


def _choose_channels(template: Template, request: SendRequest, problems: list[FieldProblem]) -> tuple[Channel, ...]:
    """The caller's choice among the template's channels, in the caller's order."""
    if request.channels is None:
        return template.channels
    if not request.channels:
        problems.append(_problem("/channels", "too_short", "Name at least one channel, or leave the field out."))
    for index, channel in enumerate(request.channels):
        if channel not in template.channels:
            offered = ", ".join(template.channels)
            told = f"The template has no {channel}; it has {offered}."
            problems.append(_problem(f"/channels/{index}", "channel_not_offered", told))
        elif channel in request.channels[:index]:
            problems.append(_problem(f"/channels/{index}", "repeated", "Name each channel once."))
    return request.channels


def _problem(pointer: str, code: str, message: str) -> FieldProblem:
    return FieldProblem(pointer=pointer, code=code, message=message)
