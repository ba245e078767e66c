"""`/v1/suppressions`: addresses never to be written to, whoever asks."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.delivery.accepting.addresses import BadAddress, parse_email, parse_phone
from gateway.domain import ids
from gateway.domain.audit import AuditAction, make_entry
from gateway.domain.ids import SuppressionId, make_id
from gateway.domain.instants import rfc3339, rfc3339_or_none
from gateway.domain.keys import Scope
from gateway.domain.preferences import Suppression, SuppressionReason
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.items import MAX_NODES, check_items, refusal_json
from gateway.web.pagination import PageQuery, page_response
from gateway.web.responses import json_response
from gateway.web.schemas.common import ChannelName, ReasonQuery
from gateway.web.schemas.imports import SuppressionBatchAnswer, SuppressionBatchShape
from gateway.web.schemas.preferences import SuppressionAnswer, SuppressionPage, SuppressionShape
from gateway.web.validation import validate


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
    return page_response(call.request, page, suppression_json)


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
    asked = _asked(call.body, call.gateway.clock.now())
    stands = await call.gateway.suppressions.add_suppression(asked)
    return json_response(suppression_json(stands), 201 if stands.id == asked.id else 200)


@endpoint(
    "POST",
    "/v1/suppressions/batch",
    summary="Suppress many addresses",
    tag="Suppressions",
    scopes=(Scope.OPS,),
    body=SuppressionBatchShape,
    answers={200: Answer(description="One result for each; they stand from now on.", model=SuppressionBatchAnswer)},
    max_nodes=MAX_NODES,
    is_batch=True,
)
async def add_suppressions(call: Call[SuppressionBatchShape, Nothing]) -> web.StreamResponse:
    """Suppress up to 1,000 addresses; pointers of a refused one's problem start at the item."""
    now = call.gateway.clock.now()
    checked = await check_items(call.body.suppressions, lambda item: _asked(validate(SuppressionShape, item), now))
    call.charge(len(checked) - 1)
    asked = [one for one in checked if isinstance(one, Suppression)]
    standing = await call.gateway.suppressions.add_suppressions(asked) if asked else ()
    told = {one.id: stands for one, stands in zip(asked, standing, strict=True)}
    items: list[JsonValue] = [
        refusal_json(one)
        if isinstance(one, InvalidRequest)
        else {"status": "added" if told[one.id].id == one.id else "stood", "id": told[one.id].id}
        for one in checked
    ]
    return json_response({"items": items})


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


def _asked(shape: SuppressionShape, now: datetime) -> Suppression:
    """The suppression that a request wants. Raises InvalidRequest that names every wrong field."""
    channel, reason = Channel(shape.channel), SuppressionReason(shape.reason)
    problems: list[FieldProblem] = []
    address = shape.address
    try:
        address = _PARSERS[channel](address)
    except BadAddress as error:
        problems.append(FieldProblem(pointer="/address", code=error.code, message=str(error)))
    if shape.expires_at is not None and not reason.may_end:
        message = f"A {reason} stands until the person says otherwise; leave `expires_at` out."
        problems.append(FieldProblem(pointer="/expires_at", code="never_ends", message=message))
    elif shape.expires_at is not None and shape.expires_at <= now:
        problems.append(
            FieldProblem(pointer="/expires_at", code="in_the_past", message="Give a later instant or none.")
        )
    if problems:
        raise InvalidRequest("The suppression has wrong values.", problems)
    return Suppression(
        id=SuppressionId(make_id(ids.SUPPRESSION, now)),
        channel=channel,
        address=address,
        reason=reason,
        scope=shape.scope,
        evidence=shape.evidence,
        created_at=now,
        expires_at=shape.expires_at,
    )


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


def suppression_json(suppression: Suppression) -> dict[str, JsonValue]:
    """A suppression as it stands."""
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


ENDPOINTS: Final = (list_suppressions, add_suppression, add_suppressions, remove_suppression)
