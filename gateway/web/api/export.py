"""`/v1/recipients/{recipient_id}/export`: all that is held on a person."""

import base64
from collections.abc import AsyncIterator
from typing import Final, assert_never

from aiohttp import web

from gateway.delivery.engagement.presentation import engagement_json
from gateway.delivery.people.export import Correspondence, Piece
from gateway.delivery.presentation import decisions_json, event_json, kept_recipient_json, message_json
from gateway.domain.audit import AuditEntry
from gateway.domain.encoding import encode
from gateway.domain.inbound import InboundText
from gateway.domain.instants import rfc3339
from gateway.domain.keys import Scope
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.recipients import JsonValue, Recipient
from gateway.ports.belongings import UsedSlots
from gateway.web.api.consents import consent_json
from gateway.web.api.inbound import inbound_json
from gateway.web.api.recipients import recipient_id_of
from gateway.web.api.suppressions import suppression_json
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.schemas.common import ReasonQuery
from gateway.web.schemas.export import ExportAnswer
from gateway.web.streaming import StreamedJson

_SECTIONS: Final = ("recipient", "consents", "suppressions", "messages", "inbound", "caps", "audit")
"""In the order in which the pieces come."""


@endpoint(
    "GET",
    "/v1/recipients/{recipient_id}/export",
    summary="Export a recipient",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    query=ReasonQuery,
    answers={200: Answer(description="All that is held; written while it is read.", model=ExportAnswer)},
)
async def export_recipient(call: Call[Nothing, ReasonQuery]) -> web.StreamResponse:
    """Give out everything that is held on a person; the audit trail keeps who did so, and why."""
    by = call.caller.by(call.query.reason)
    pieces = await call.gateway.exporter.export(call.caller.service_id, recipient_id_of(call), by)
    return StreamedJson(_written(pieces, rfc3339(call.gateway.clock.now())))


async def _written(pieces: AsyncIterator[Piece], exported_at: str) -> AsyncIterator[bytes]:
    """One JSON object: a list for each section, empty ones too."""
    at = -1
    parting = ""
    yield f'{{"exported_at":"{exported_at}"'.encode()
    async for piece in pieces:
        section, shown = _shown(piece)
        if (wanted := _SECTIONS.index(section)) != at:
            yield _opening(at, wanted)
            at, parting = wanted, ""
        yield parting.encode() + encode(shown)
        parting = ","
    yield _opening(at, len(_SECTIONS))
    yield b"}"


def _opening(at: int, wanted: int) -> bytes:
    """The end of one section, those that hold nothing, and the beginning of the next."""
    text = "]" if at >= 0 else ""
    text += "".join([f',"{passed}":[]' for passed in _SECTIONS[at + 1 : wanted]])
    return (text + (f',"{_SECTIONS[wanted]}":[' if wanted < len(_SECTIONS) else "")).encode()


def _shown(piece: Piece) -> tuple[str, dict[str, JsonValue]]:
    """The section that a piece belongs to, and how it reads."""
    match piece:
        case Recipient():
            told = "recipient", kept_recipient_json(piece)
        case Consent():
            told = "consents", consent_json(piece)
        case Suppression():
            told = "suppressions", suppression_json(piece)
        case Correspondence():
            told = "messages", _correspondence_json(piece)
        case InboundText():
            told = "inbound", inbound_json(piece)
        case UsedSlots():
            told = "caps", {"cap": piece.cap, "slots": [rfc3339(slot) for slot in piece.slots]}
        case AuditEntry():
            told = "audit", _entry_json(piece)
        case never:
            assert_never(never)
    return told


def _correspondence_json(piece: Correspondence) -> dict[str, JsonValue]:
    record = piece.record
    files: list[JsonValue] = [
        {
            "filename": attachment.filename,
            "content_type": attachment.content_type,
            "inline_id": attachment.inline_id,
            "content": base64.b64encode(attachment.content).decode("ascii"),
        }
        for attachment in record.message.attachments
    ]
    shown = message_json(record, decisions_json(piece.events))
    return {
        **shown,
        "attachments": files,
        "events": [event_json(event) for event in piece.events],
        "engagements": [engagement_json(one) for one in piece.engagements],
    }


def _entry_json(entry: AuditEntry) -> dict[str, JsonValue]:
    return {
        "at": rfc3339(entry.at),
        "actor": entry.actor,
        "action": entry.action.value,
        "reason": entry.reason,
        "data": dict(entry.data),
    }


ENDPOINTS: Final = (export_recipient,)
