"""`/v1/recipients/{recipient_id}`: people as a service knows them."""

from typing import Final

from aiohttp import web
from pydantic import BaseModel

from gateway.delivery.presentation import recipient_json
from gateway.delivery.recipients import check_recipient
from gateway.domain.ids import RecipientId
from gateway.domain.keys import Scope
from gateway.domain.values import replace
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.responses import json_response
from gateway.web.schemas.recipients import RecipientAnswer, RecipientShape

_MAX_ID: Final = 255


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
    recipient, problems = check_recipient(call.body.to_domain(recipient_id))
    if problems:
        raise InvalidRequest("The recipient has wrong values.", problems)
    recipient = replace(recipient, id=recipient_id)
    is_new = await call.gateway.recipients.put_recipient(call.caller.service_id, recipient, call.gateway.clock.now())
    return json_response(recipient_json(recipient), 201 if is_new else 200)


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
    return json_response(recipient_json(recipient))


def recipient_id_of(call: Call[BaseModel, BaseModel]) -> RecipientId:
    """The id in the path. Raises InvalidRequest for one that could not stand in a message either."""
    given = call.path["recipient_id"]
    if len(given) > _MAX_ID:
        problem = FieldProblem(pointer="{recipient_id}", code="too_long", message=f"At most {_MAX_ID} characters.")
        raise InvalidRequest("The recipient's id is too long.", (problem,))
    return RecipientId(given)


ENDPOINTS: Final = (put_recipient, get_recipient)
