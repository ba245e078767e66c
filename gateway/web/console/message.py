"""One message: `/log/{message_id}`, with its timeline, decisions, attempts and content as sent."""

import json
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.delivery.presentation import JsonObject, delivery_json, event_json, message_json
from gateway.domain.ids import DeliveryId, MessageId
from gateway.domain.messages import EmailContent
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from gateway.localization.locales import direction, parse_locale
from gateway.ports import DeliveryRecord, LogStore, MailboxStore, MessageRecord
from gateway.web.console.frames import email_frame
from gateway.web.pages.environment import Pages

_MOST_EVENTS: Final = 500
_SHOWN_APART: Final = frozenset({"trace", "decision", "reason", "rule", "route", "channel", "template"})
"""Members of an event's data that the timeline shows in their own place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """The page of one message, and the frames with its e-mails."""

    pages: Pages
    log: LogStore
    mailbox: MailboxStore

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /log/{message_id}`."""
        message_id = MessageId(request.match_info["message_id"])
        record = await self.log.read(message_id, None)
        timeline = await self.log.events(message_id, None, _MOST_EVENTS, None)
        channels = {delivery.delivery.id: delivery.delivery.channel for delivery in record.deliveries}
        message = message_json(record)
        message["deliveries"] = [_delivery(record, delivery) for delivery in record.deliveries]
        return self.pages.respond(
            request,
            "console/message.html",
            message=message,
            whom=_whom(record),
            data_text=_pretty(message["data"]),
            metadata_text=_pretty(message["metadata"]),
            events=[_event(event_json(event), channels) for event in timeline.items],
            kept=[delivery_id for delivery_id in channels if await self._is_kept(delivery_id)],
        )

    async def show_email(self, request: web.Request) -> web.StreamResponse:
        """`GET /log/{message_id}/content/{delivery_id}`: the HTML of an e-mail, for the frame alone."""
        record = await self.log.read(MessageId(request.match_info["message_id"]), None)
        for delivery in record.deliveries:
            if delivery.delivery.id == request.match_info["delivery_id"] and isinstance(delivery.content, EmailContent):
                return email_frame(delivery.content.html)
        raise NotFound("There is no e-mail of that delivery.")

    async def _is_kept(self, delivery_id: DeliveryId) -> bool:
        try:
            await self.mailbox.get_item(delivery_id)
        except NotFound:
            return False
        return True


def _delivery(record: MessageRecord, delivery: DeliveryRecord) -> JsonObject:
    locale = record.message.locale
    return {
        **delivery_json(delivery),
        "locale": locale or "",
        "direction": direction(parse_locale(locale)) if locale else "auto",
    }


def _whom(record: MessageRecord) -> list[str]:
    to = record.message.to
    devices = [device.platform.value for device in to.push]
    return [word for word in (to.id, to.email, to.phone, *devices) if word]


def _event(event: JsonObject, channels: dict[DeliveryId, Channel]) -> JsonObject:
    """The event with what the timeline needs apart: its status word, channel, trace, decision and all the rest."""
    data = event["data"] if isinstance(event["data"], dict) else {}
    channel = channels.get(DeliveryId(str(event["delivery_id"])))
    return {
        **event,
        "status": str(event["type"]).rpartition(".")[2],
        "channel": channel.value if channel else None,
        "trace": data.get("trace") or [],
        "decision": data.get("decision"),
        "rest": {name: value for name, value in data.items() if name not in _SHOWN_APART},
    }


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
