"""`POST /v1/explain`: what would happen to a message, and why."""

from typing import Final

from aiohttp import web

from gateway.domain.keys import Scope
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.refusals import looking_on
from gateway.web.responses import json_response
from gateway.web.schemas.answers import ExplainAnswer
from gateway.web.schemas.messages import ExplainShape


@endpoint(
    "POST",
    "/v1/explain",
    summary="Ask what would happen",
    tag="Messages",
    scopes=(Scope.SEND, Scope.POLICY),
    body=ExplainShape,
    look_on=looking_on(ExplainShape),
    answers={200: Answer(description="Decision, trace, route and content on each channel.", model=ExplainAnswer)},
    problems={422: ("render_failed",)},
)
async def explain_message(call: Call[ExplainShape, Nothing]) -> web.StreamResponse:
    """Send nothing, store nothing: the same checks, the same policy and the same texts as a real message."""
    caller, body = call.caller, call.body
    if body.rules is not None:
        caller.require(Scope.POLICY)
    answer = await call.gateway.explainer.explain(
        caller.service_id, caller.live, body.to_domain(None), body.at, body.to_rules()
    )
    return json_response(answer)


ENDPOINTS: Final = (explain_message,)
