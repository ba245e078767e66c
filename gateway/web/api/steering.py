"""`/v1/messages/{message_id}/cancel` and `/retry`: what people do to messages by hand."""

from typing import Final

from aiohttp import web

from gateway.delivery.presentation import message_json
from gateway.domain.ids import MessageId
from gateway.domain.keys import Scope
from gateway.domain.recipients import Channel
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.responses import json_response
from gateway.web.schemas.answers import MessageAnswer
from gateway.web.schemas.messages import CancelShape, RetryShape


@endpoint(
    "POST",
    "/v1/messages/{message_id}/cancel",
    summary="Cancel a message",
    tag="Messages",
    scopes=(Scope.OPS,),
    body=CancelShape,
    answers={200: Answer(description="No provider was or will be called.", model=MessageAnswer)},
    problems={409: ("too_late",)},
)
async def cancel_message(call: Call[CancelShape, Nothing]) -> web.StreamResponse:
    """Take a message back, on every channel, unless a provider was or may have been called."""
    caller = call.caller
    record = await call.gateway.steering.cancel(
        MessageId(call.path["message_id"]), caller.visible_service, caller.by(call.body.reason)
    )
    return json_response(message_json(record))


@endpoint(
    "POST",
    "/v1/messages/{message_id}/retry",
    summary="Retry a failed message",
    tag="Messages",
    scopes=(Scope.OPS,),
    body=RetryShape,
    answers={202: Answer(description="A new delivery is on its way.", model=MessageAnswer)},
    problems={409: ("not_failed", "expired", "secrets_dropped")},
)
async def retry_message(call: Call[RetryShape, Nothing]) -> web.StreamResponse:
    """Make a new delivery where one failed; it goes through the whole policy again."""
    caller, body = call.caller, call.body
    record = await call.gateway.steering.retry(
        MessageId(call.path["message_id"]),
        caller.visible_service,
        caller.by(body.reason),
        channel=None if body.channel is None else Channel(body.channel),
    )
    return json_response(message_json(record), 202)


ENDPOINTS: Final = (cancel_message, retry_message)
