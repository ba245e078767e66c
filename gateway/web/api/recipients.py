"""`/v1/recipients`: people as a service knows them."""

from collections.abc import Collection
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.delivery.accepting.addresses import BadAddress, parse_email, parse_phone
from gateway.delivery.accepting.recipients import check_recipient
from gateway.delivery.presentation import kept_recipient_json
from gateway.domain.ids import RecipientId
from gateway.domain.keys import Scope
from gateway.domain.recipients import Channel, JsonValue, Recipient
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.items import MAX_NODES, check_items, refusal_json
from gateway.web.pagination import PageQuery, page_response
from gateway.web.responses import json_response
from gateway.web.schemas.common import ReasonQuery
from gateway.web.schemas.imports import KeptRecipientShape, RecipientBatchAnswer, RecipientBatchShape
from gateway.web.schemas.recipients import RecipientAnswer, RecipientPage, RecipientShape
from gateway.web.validation import validate

_MAX_ID: Final = 255


class RecipientQuery(PageQuery):
    """Which people."""

    email: Annotated[str, Field(min_length=1, max_length=320)] | None = Field(default=None, description="One address.")
    phone: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(default=None, description="One number.")


@endpoint(
    "GET",
    "/v1/recipients",
    summary="List recipients",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    query=RecipientQuery,
    answers={200: Answer(description="Newest first.", model=RecipientPage, headers=("Link",))},
)
async def list_recipients(call: Call[Nothing, RecipientQuery]) -> web.StreamResponse:
    """List the people whom your service keeps, or those with one address."""
    query = call.query
    page = await call.gateway.recipients.list_recipients(
        call.caller.service_id, _address_of(query), query.limit, query.cursor
    )
    return page_response(call.request, page, kept_recipient_json)


@endpoint(
    "POST",
    "/v1/recipients/batch",
    summary="Keep many recipients",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    body=RecipientBatchShape,
    answers={200: Answer(description="One result for each; who was kept is on disk.", model=RecipientBatchAnswer)},
    max_nodes=MAX_NODES,
    is_batch=True,
)
async def put_recipients(call: Call[RecipientBatchShape, Nothing]) -> web.StreamResponse:
    """Keep up to 1,000 people, each as `PUT` would; pointers of a refused one's problem start at the item.

    Each answer names the channels on which the person's addresses are suppressed.
    """
    checked = await check_items(call.body.recipients, _checked_item)
    call.charge(len(checked) - 1)
    kept = [one for one in checked if isinstance(one, Recipient)]
    now = call.gateway.clock.now()
    are_new = await call.gateway.recipients.put_recipients(call.caller.service_id, kept, now) if kept else ()
    addresses = {(channel, address) for one in kept for channel in Channel for address in one.addresses(channel)}
    suppressed = await call.gateway.suppressions.find_suppressed(addresses, now)
    told = iter(are_new)
    items: list[JsonValue] = [
        refusal_json(one) if isinstance(one, InvalidRequest) else _kept_json(one, next(told), suppressed)
        for one in checked
    ]
    return json_response({"items": items})


@endpoint(
    "PUT",
    "/v1/recipients/{recipient_id}",
    summary="Keep a recipient",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    body=RecipientShape,
    answers={
        200: Answer(description="Replaced.", model=RecipientAnswer),
        201: Answer(description="New.", model=RecipientAnswer),
    },
)
async def put_recipient(call: Call[RecipientShape, Nothing]) -> web.StreamResponse:
    """Keep this in place of whatever was known of the person; values left out are forgotten."""
    recipient_id = recipient_id_of(call)
    recipient = _checked(call.body.to_domain(recipient_id))
    is_new = await call.gateway.recipients.put_recipient(call.caller.service_id, recipient, call.gateway.clock.now())
    kept = await call.gateway.recipients.get_recipient(call.caller.service_id, recipient_id)
    return json_response(kept_recipient_json(kept), 201 if is_new else 200)


@endpoint(
    "GET",
    "/v1/recipients/{recipient_id}",
    summary="Read a recipient",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    answers={200: Answer(description="The person as kept.", model=RecipientAnswer)},
)
async def get_recipient(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Read what is kept of a person."""
    recipient = await call.gateway.recipients.get_recipient(call.caller.service_id, recipient_id_of(call))
    return json_response(kept_recipient_json(recipient))


@endpoint(
    "DELETE",
    "/v1/recipients/{recipient_id}",
    summary="Erase a recipient",
    tag="Recipients",
    scopes=(Scope.RECIPIENTS,),
    query=ReasonQuery,
    answers={
        204: Answer(description="Nothing that can be read of the person is left."),
        202: Answer(
            description="The person is unknown from now on; messages being handed over are erased as soon as they are."
        ),
    },
)
async def erase_recipient(call: Call[Nothing, ReasonQuery]) -> web.StreamResponse:
    """Take back what waits for the person, and erase everything that can be read of them, in all messages as well.

    Suppressions hold on by a keyed hash, and the consent history under a pseudonym. There is no way back.
    """
    by = call.caller.by(call.query.reason)
    is_done = await call.gateway.eraser.erase(call.caller.service_id, recipient_id_of(call), by)
    return web.Response(status=204 if is_done else 202)


def _checked(given: Recipient) -> Recipient:
    recipient, problems = check_recipient(given)
    if problems:
        raise InvalidRequest("The recipient has wrong values.", problems)
    return recipient


def _checked_item(item: JsonValue) -> Recipient:
    shape = validate(KeptRecipientShape, item)
    return _checked(shape.to_domain(shape.id))


def _kept_json(recipient: Recipient, is_new: bool, suppressed: Collection[tuple[Channel, str]]) -> dict[str, JsonValue]:
    told: list[JsonValue] = [
        channel.value
        for channel in Channel
        if any((channel, address) in suppressed for address in recipient.addresses(channel))
    ]
    return {"status": "created" if is_new else "replaced", "id": recipient.id, "suppressed": told}


def _address_of(query: RecipientQuery) -> tuple[Channel, str] | None:
    """The address that is asked for, in its normal form. Raises InvalidRequest for what is none, or for two."""
    if query.email is not None and query.phone is not None:
        problem = FieldProblem(pointer="?phone", code="repeated", message="Give an address or a number, not both.")
        raise InvalidRequest("The query has wrong parameters.", (problem,))
    try:
        if query.email is not None:
            return Channel.EMAIL, parse_email(query.email)
        return None if query.phone is None else (Channel.SMS, parse_phone(query.phone))
    except BadAddress as error:
        pointer = "?phone" if query.email is None else "?email"
        raise InvalidRequest(
            "The query has wrong parameters.", (FieldProblem(pointer=pointer, code=error.code, message=str(error)),)
        ) from error


def recipient_id_of(call: Call[BaseModel, BaseModel]) -> RecipientId:
    """The id in the path. Raises InvalidRequest for one that could not stand in a message either."""
    given = call.path["recipient_id"]
    if len(given) > _MAX_ID:
        problem = FieldProblem(pointer="{recipient_id}", code="too_long", message=f"At most {_MAX_ID} characters.")
        raise InvalidRequest("The recipient's id is too long.", (problem,))
    return RecipientId(given)


ENDPOINTS: Final = (list_recipients, put_recipients, put_recipient, get_recipient, erase_recipient)
