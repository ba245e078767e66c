"""`/v1/suppressions`: addresses never to be written to, whoever asks."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.delivery.addresses import BadAddress, parse_email, parse_phone
from gateway.domain import ids
from gateway.domain.audit import AuditAction, make_entry
from gateway.domain.ids import SuppressionId, make_id
from gateway.domain.instants import rfc3339, rfc3339_or_none
from gateway.domain.keys import Scope
from gateway.domain.preferences import Suppression, SuppressionReason
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.pagination import PageQuery, page_response
from gateway.web.responses import json_response
from gateway.web.schemas.common import ChannelName, ReasonQuery
from gateway.web.schemas.preferences import SuppressionAnswer, SuppressionPage, SuppressionShape


class SuppressionQuery(PageQuery):
    """Which suppressions."""

    channel: ChannelName | None = None
    address: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="One whole address."
    )


@endpoint(
    "GET",
    "/v1/suppressions",
    summary="List suppressions",
    tag="Suppressions",
    scopes=(Scope.OPS,),
    query=SuppressionQuery,
    answers={200: Answer(description="Newest first.", model=SuppressionPage, headers=("Link",))},
)
async def list_suppressions(call: Call[Nothing, SuppressionQuery]) -> web.StreamResponse:
    """List the addresses that are not written to."""
    query = call.query
    channel = None if query.channel is None else Channel(query.channel)
    address = query.address
    if channel is not None and address is not None:
        address = _normal_address(channel, address, "?address")
    page = await call.gateway.suppressions.list_suppressions(channel, address, query.limit, query.cursor)
    return page_response(call.request, page, _suppression_json)


@endpoint(
    "POST",
    "/v1/suppressions",
    summary="Suppress an address",
    tag="Suppressions",
    scopes=(Scope.OPS,),
    body=SuppressionShape,
    answers={
        200: Answer(description="It stood already.", model=SuppressionAnswer),
        201: Answer(description="It stands from now on.", model=SuppressionAnswer),
    },
)
async def add_suppression(call: Call[SuppressionShape, Nothing]) -> web.StreamResponse:
    """Never write to this address on this channel again, held and scheduled messages included."""
    body, now = call.body, call.gateway.clock.now()
    if body.expires_at is not None and body.expires_at <= now:
        problem = FieldProblem(pointer="/expires_at", code="in_the_past", message="Give a later instant or none.")
        raise InvalidRequest("The suppression would have ended already.", (problem,))
    asked = Suppression(
        id=SuppressionId(make_id(ids.SUPPRESSION, now)),
        channel=Channel(body.channel),
        address=_normal_address(Channel(body.channel), body.address, "/address"),
        reason=SuppressionReason(body.reason),
        scope=body.scope,
        evidence=body.evidence,
        created_at=now,
        expires_at=body.expires_at,
    )
    stands = await call.gateway.suppressions.add_suppression(asked)
    return json_response(_suppression_json(stands), 201 if stands.id == asked.id else 200)


@endpoint(
    "DELETE",
    "/v1/suppressions/{suppression_id}",
    summary="Lift a suppression",
    tag="Suppressions",
    scopes=(Scope.OPS,),
    query=ReasonQuery,
    answers={204: Answer(description="Lifted.")},
)
async def remove_suppression(call: Call[Nothing, ReasonQuery]) -> web.StreamResponse:
    """Allow the address again; the audit trail keeps which key lifted it, and why."""
    suppression_id = SuppressionId(call.path["suppression_id"])
    by, now = call.caller.by(call.query.reason), call.gateway.clock.now()
    entry = make_entry(AuditAction.LIFT, suppression_id, by, now)
    await call.gateway.suppressions.remove_suppression(suppression_id, entry)
    return web.Response(status=204)


def _parse_token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BadAddress("Give the device's token or the subscription's endpoint as it is.")
    return text


_PARSERS: Final[Mapping[Channel, Callable[[str], str]]] = {
    Channel.EMAIL: parse_email,
    Channel.SMS: parse_phone,
    Channel.PUSH: _parse_token,
}


def _normal_address(channel: Channel, address: str, pointer: str) -> str:
    try:
        return _PARSERS[channel](address)
    except BadAddress as error:
        problem = FieldProblem(pointer=pointer, code=error.code, message=str(error))
        raise InvalidRequest("This is no address on that channel.", (problem,)) from error


def _suppression_json(suppression: Suppression) -> dict[str, JsonValue]:
    return {
        "id": suppression.id,
        "channel": suppression.channel.value,
        "address": suppression.address,
        "reason": suppression.reason.value,
        "scope": suppression.scope,
        "evidence": None if suppression.evidence is None else dict(suppression.evidence),
        "created_at": rfc3339(suppression.created_at),
        "expires_at": rfc3339_or_none(suppression.expires_at),
    }


ENDPOINTS: Final = (list_suppressions, add_suppression, remove_suppression)
