"""`/v1/recipients/{recipient_id}/consents`: what a person wants to get, and ever said of it."""

from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.delivery.people.consents import Said, check_taken_over
from gateway.domain.ids import RecipientId
from gateway.domain.instants import rfc3339, rfc3339_or_none
from gateway.domain.keys import Scope
from gateway.domain.preferences import Consent, ConsentState
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import InvalidRequest
from gateway.web.api.recipients import recipient_id_of
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.items import MAX_NODES, check_items, refusal_json
from gateway.web.pagination import PageQuery, page_response
from gateway.web.responses import json_response
from gateway.web.schemas.common import Instant, Query
from gateway.web.schemas.imports import ConsentBatchAnswer, ConsentBatchShape, ImportedConsentShape
from gateway.web.schemas.preferences import ConsentList, ConsentPage, ConsentShape, ConsentsShape
from gateway.web.validation import validate

_PATH: Final = "/v1/recipients/{recipient_id}/consents"


class ConsentQuery(Query):
    """As of when."""

    at: Instant | None = Field(default=None, description="What held then, by all that is known now; left out: now.")
    known_at: Instant | None = Field(default=None, description="Only by what was recorded until then.")


@endpoint(
    "PUT",
    _PATH,
    summary="Say what a person wants",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    body=ConsentsShape,
    answers={200: Answer(description="What holds now.", model=ConsentList)},
)
async def put_consents(call: Call[ConsentsShape, Nothing]) -> web.StreamResponse:
    """Add to the history; nothing that was said before is changed.

    `pending` sends the person the message that asks for confirmation, on that channel and in their language; until
    they confirm, nothing else of the topic is sent there. The same asked again within an hour sends nothing new.
    """
    recipient_id, caller = recipient_id_of(call), call.caller
    said = [_said(line, recipient_id, f"/consents/{index}") for index, line in enumerate(call.body.consents)]
    # What an operator says in a person's stead is audited; a service's own forms are their daily work.
    is_operator = caller.may(Scope.OPS) or caller.may(Scope.ADMIN)
    await call.gateway.recorder.record(caller.service_id, caller.live, said, caller.by(), audited=is_operator)
    return await _current(call, recipient_id)


@endpoint(
    "POST",
    "/v1/consents/batch",
    summary="Take over what people said elsewhere",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    body=ConsentBatchShape,
    answers={200: Answer(description="One result for each; what was added is on disk.", model=ConsentBatchAnswer)},
    max_nodes=MAX_NODES,
    is_batch=True,
)
async def take_over_consents(call: Call[ConsentBatchShape, Nothing]) -> web.StreamResponse:
    """Add up to 1,000 grants and denials of any people; a grant must say where and when it was given.

    The same line may be sent again: it is there already. Pointers of a refused one's problem start at the item.
    """
    now = call.gateway.clock.now()

    def checked_item(item: JsonValue) -> Said:
        shape = validate(ImportedConsentShape, item)
        said = _said(shape, RecipientId(shape.id), "")
        check_taken_over(said, now)
        return said

    checked = await check_items(call.body.consents, checked_item)
    call.charge(len(checked) - 1)
    taken = [one for one in checked if isinstance(one, Said)]
    are_new = await call.gateway.recorder.take_over(call.caller.service_id, taken, call.caller.by())
    told = iter(are_new)
    items: list[JsonValue] = [
        refusal_json(one)
        if isinstance(one, InvalidRequest)
        else {"status": "added" if next(told) else "stood", "id": one.recipient_id}
        for one in checked
    ]
    return json_response({"items": items})


@endpoint(
    "GET",
    _PATH,
    summary="Read what a person wants",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    query=ConsentQuery,
    answers={200: Answer(description="For each channel and topic the line that holds.", model=ConsentList)},
)
async def get_consents(call: Call[Nothing, ConsentQuery]) -> web.StreamResponse:
    """Read the latest word on each channel and topic, or what held at a past instant."""
    query = call.query
    return await _current(call, recipient_id_of(call), at=query.at, known_at=query.known_at)


@endpoint(
    "GET",
    f"{_PATH}/history",
    summary="Read all that a person said",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    query=PageQuery,
    answers={200: Answer(description="Every line, newest recorded first.", model=ConsentPage, headers=("Link",))},
)
async def get_consent_history(call: Call[Nothing, PageQuery]) -> web.StreamResponse:
    """Read the history; it is only ever added to."""
    recipient_id = recipient_id_of(call)
    page = await call.gateway.consents.consent_history(
        call.caller.service_id, recipient_id, call.query.limit, call.query.cursor
    )
    if not page.items and call.query.cursor is None:
        await _require_known(call, recipient_id)
    return page_response(call.request, page, consent_json)


def _said(line: ConsentShape, recipient_id: RecipientId, pointer: str) -> Said:
    return Said(
        recipient_id=recipient_id,
        channel=Channel(line.channel),
        topic=line.topic,
        state=ConsentState(line.state),
        source=line.source,
        wording=line.wording,
        wording_version=line.wording_version,
        locale=line.locale,
        evidence=line.evidence,
        at=line.at,
        pointer=pointer,
    )


async def _current(
    call: Call[BaseModel, BaseModel],
    recipient_id: RecipientId,
    *,
    at: datetime | None = None,
    known_at: datetime | None = None,
) -> web.StreamResponse:
    consents, service_id = call.gateway.consents, call.caller.service_id
    current = await consents.current_consents(service_id, recipient_id, at=at, known_at=known_at)
    if not current and not (await consents.consent_history(service_id, recipient_id, 1, None)).items:
        await _require_known(call, recipient_id)
    items: list[JsonValue] = [consent_json(consent) for consent in current]
    return json_response({"items": items})


async def _require_known(call: Call[BaseModel, BaseModel], recipient_id: RecipientId) -> None:
    """Raises NotFound for an id of which neither a consent nor a recipient is kept."""
    await call.gateway.recipients.get_recipient(call.caller.service_id, recipient_id)


def consent_json(consent: Consent) -> dict[str, JsonValue]:
    """A line of the consent history."""
    return {
        "id": consent.id,
        "channel": consent.channel.value,
        "topic": consent.topic,
        "state": consent.state.value,
        "source": consent.source,
        "wording": consent.wording,
        "wording_version": consent.wording_version,
        "locale": consent.locale,
        "evidence": None if consent.evidence is None else dict(consent.evidence),
        "actor": consent.actor,
        "at": rfc3339(consent.at),
        "recorded_at": rfc3339(consent.recorded_at),
        "requested_at": rfc3339_or_none(consent.requested_at),
        "confirmed_at": rfc3339_or_none(consent.confirmed_at),
    }


ENDPOINTS: Final = (put_consents, take_over_consents, get_consents, get_consent_history)
