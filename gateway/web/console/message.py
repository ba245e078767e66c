"""One message: `/log/{message_id}`, with its timeline, decisions, attempts and content as sent."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.delivery.engagement.presentation import tally_json
from gateway.delivery.events import message_unmasked
from gateway.delivery.presentation import JsonObject, delivery_json, event_json, message_json
from gateway.domain.audit import CONSOLE, AuditAction, By, make_entry
from gateway.domain.ids import DeliveryId, MessageId
from gateway.domain.messages import EmailContent
from gateway.domain.recipients import Channel, masked
from gateway.errors import NotFound
from gateway.localization.locales import direction, parse_locale
from gateway.ports import AuditStore, Clock, DeliveryRecord, EngagementStore, LogStore, MailboxStore, MessageRecord
from gateway.web.body import read_form
from gateway.web.console.access import is_from_here
from gateway.web.console.frames import email_frame
from gateway.web.pages.environment import Pages

_MOST_EVENTS: Final = 500
_LONGEST_REASON: Final = 500
Shown = Callable[[str], str]
"""How an address is shown."""
_SHOWN_APART: Final = frozenset({"trace", "decision", "reason", "rule", "route", "channel", "template"})
"""Members of an event's data that the timeline shows in their own place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """The page of one message, and the frames with its e-mails."""

    pages: Pages
    log: LogStore
    engagements: EngagementStore
    mailbox: MailboxStore
    audit: AuditStore
    clock: Clock

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /log/{message_id}`: addresses are masked."""
        message_id = MessageId(request.match_info["message_id"])
        return await self._show(request, message_id, masked)

    async def unmask(self, request: web.Request) -> web.StreamResponse:
        """`POST /log/{message_id}/unmask`: the same page with whole addresses, for whoever says why.

        Who, when and why is in the audit trail and in the timeline before anything is shown.
        """
        message_id = MessageId(request.match_info["message_id"])
        reason = str((await read_form(request)).get("reason", "")).strip()
        if not is_from_here(request):
            raise web.HTTPForbidden
        if not 0 < len(reason) <= _LONGEST_REASON or not reason.isprintable():
            return await self._show(request, message_id, masked)
        await self.log.read(message_id, None)
        now, by = self.clock.now(), By(actor=CONSOLE, reason=reason)
        event = message_unmasked(message_id, by.actor, reason, now)
        await self.audit.add_audit(make_entry(AuditAction.UNMASK, message_id, by, now), event)
        return await self._show(request, message_id, _whole)

    async def _show(self, request: web.Request, message_id: MessageId, shown: Shown) -> web.Response:
        record = await self.log.read(message_id, None)
        timeline = await self.log.events(message_id, None, _MOST_EVENTS, None)
        channels = {delivery.delivery.id: delivery.delivery.channel for delivery in record.deliveries}
        message = message_json(record)
        done = await self.engagements.of_message(message_id)
        message["deliveries"] = [_delivery(record, delivery, shown) for delivery in record.deliveries]
        return self.pages.respond(
            request,
            "console/message.html",
            message=message,
            whom=_whom(record, shown),
            is_masked=shown is masked and _has_address(record),
            data_text=_pretty(message["data"]),
            metadata_text=_pretty(message["metadata"]),
            engagement=tally_json(done) if done else None,
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


def _whole(address: str) -> str:
    return address


def _delivery(record: MessageRecord, delivery: DeliveryRecord, shown: Shown) -> JsonObject:
    locale = record.message.locale
    return {
        **delivery_json(delivery),
        "address": None if delivery.address is None else shown(delivery.address),
        "locale": locale or "",
        "direction": direction(parse_locale(locale)) if locale else "auto",
    }


def _whom(record: MessageRecord, shown: Shown) -> list[str]:
    to = record.message.to
    addresses = [shown(address) for address in (to.email, to.phone) if address]
    devices = [device.platform.value for device in to.push]
    return [*([to.id] if to.id else []), *addresses, *devices]


def _has_address(record: MessageRecord) -> bool:
    to = record.message.to
    return bool(to.email or to.phone or any(delivery.address for delivery in record.deliveries))


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
