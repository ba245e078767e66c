"""`/v1/recipients/{recipient_id}/consents`: what a person wants to get, and ever said of it."""

from typing import Final

from aiohttp import web
from pydantic import BaseModel

from gateway.delivery.recipients import normal_locale
from gateway.domain import ids
from gateway.domain.ids import ConsentId, RecipientId, make_id
from gateway.domain.instants import rfc3339
from gateway.domain.keys import Scope
from gateway.domain.preferences import Consent, ConsentState
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import FieldProblem, InvalidRequest
from gateway.localization.locales import UnknownLocale
from gateway.web.api.recipients import recipient_id_of
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.pagination import PageQuery, page_response
from gateway.web.responses import json_response
from gateway.web.schemas.preferences import ConsentList, ConsentPage, ConsentsShape

_PATH: Final = "/v1/recipients/{recipient_id}/consents"


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
    """Add grants and denials to the history; nothing that was said before is changed."""
    recipient_id = recipient_id_of(call)
    await call.gateway.consents.add_consents(_consents(call, recipient_id))
    return await _current(call, recipient_id)


@endpoint(
    "GET",
    _PATH,
    summary="Read what a person wants",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    answers={200: Answer(description="For each channel and topic the line that holds.", model=ConsentList)},
)
async def get_consents(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Read the latest word on each channel and topic."""
    return await _current(call, recipient_id_of(call))


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
    return page_response(call.request, page, _consent_json)


def _consents(call: Call[ConsentsShape, Nothing], recipient_id: RecipientId) -> list[Consent]:
    now = call.gateway.clock.now()
    consents: list[Consent] = []
    problems: list[FieldProblem] = []
    for index, line in enumerate(call.body.consents):
        locale = line.locale
        if line.at is not None and line.at > now:
            problem = "A consent cannot be given in the future; leave `at` out for now."
            problems.append(FieldProblem(pointer=f"/consents/{index}/at", code="in_the_future", message=problem))
        if locale is not None:
            try:
                locale = normal_locale(locale)
            except UnknownLocale as error:
                pointer = f"/consents/{index}/locale"
                problems.append(FieldProblem(pointer=pointer, code="unknown_locale", message=str(error)))
        consents.append(
            Consent(
                id=ConsentId(make_id(ids.CONSENT, now)),
                service_id=call.caller.service_id,
                recipient_id=recipient_id,
                channel=Channel(line.channel),
                topic=line.topic,
                state=ConsentState(line.state),
                source=line.source,
                wording=line.wording,
                locale=locale,
                evidence=line.evidence,
                at=line.at or now,
                recorded_at=now,
            )
        )
    if problems:
        raise InvalidRequest("The consents have wrong values.", problems)
    return consents


async def _current(call: Call[BaseModel, BaseModel], recipient_id: RecipientId) -> web.StreamResponse:
    current = await call.gateway.consents.current_consents(call.caller.service_id, recipient_id)
    if not current:
        await _require_known(call, recipient_id)
    items: list[JsonValue] = [_consent_json(consent) for consent in current]
    return json_response({"items": items})


async def _require_known(call: Call[BaseModel, BaseModel], recipient_id: RecipientId) -> None:
    """Raises NotFound for an id of which neither a consent nor a recipient is kept."""
    await call.gateway.recipients.get_recipient(call.caller.service_id, recipient_id)


def _consent_json(consent: Consent) -> dict[str, JsonValue]:
    return {
        "id": consent.id,
        "channel": consent.channel.value,
        "topic": consent.topic,
        "state": consent.state.value,
        "source": consent.source,
        "wording": consent.wording,
        "locale": consent.locale,
        "evidence": None if consent.evidence is None else dict(consent.evidence),
        "at": rfc3339(consent.at),
        "recorded_at": rfc3339(consent.recorded_at),
    }


ENDPOINTS: Final = (put_consents, get_consents, get_consent_history)
