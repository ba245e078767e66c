"""`POST /v1/messages/batch`: many messages in one request and one transaction, each accepted or refused on its own."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from gateway.delivery.accepting.accept import Asked
from gateway.delivery.accepting.idempotency import IdempotencyKey
from gateway.domain.keys import Scope
from gateway.domain.recipients import JsonValue
from gateway.errors import InvalidRequest
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.idempotency import idempotency_key
from gateway.web.items import MAX_NODES, refusal_json
from gateway.web.refusals import looking_on
from gateway.web.requests import trace_context
from gateway.web.responses import JsonResponse
from gateway.web.schemas.answers import BatchAnswer
from gateway.web.schemas.batch import BatchItemShape, BatchRecipientShape, BatchShape
from gateway.web.serialization import canonical, fingerprint
from gateway.web.validation import validate

_look_on: Final = looking_on(BatchItemShape)


@endpoint(
    "POST",
    "/v1/messages/batch",
    summary="Send many messages",
    tag="Messages",
    scopes=(Scope.SEND,),
    body=BatchShape,
    answers={
        202: Answer(
            description="One result for each item; what was accepted is on disk.",
            model=BatchAnswer,
            headers=("Idempotent-Replayed",),
        )
    },
    problems={409: ("in_flight",), 422: ("idempotency_mismatch",)},
    headers=("Idempotency-Key", "traceparent"),
    max_nodes=MAX_NODES,
    is_batch=True,
)
async def send_batch(call: Call[BatchShape, Nothing]) -> web.StreamResponse:
    """Accept up to 1,000 messages; pointers of a refused item's problem start at the item.

    Items may carry an `idempotency_key`; the header's key covers the whole request.
    """
    caller = call.caller
    items = [item async for item in _asked_items(call)]
    call.charge(len(items) - 1)
    accepted = await call.gateway.acceptor.accept_batch(
        caller.service_id, caller.live, items, idempotency_key(call), refusal_json
    )
    return JsonResponse(accepted.answer, 202, {"Idempotent-Replayed": "true"} if accepted.replayed else None)


async def _asked_items(call: Call[BatchShape, Nothing]) -> AsyncIterator[Asked | InvalidRequest]:
    body, trace = call.body, trace_context(call.request)
    for item in body.messages if body.messages is not None else body.recipients or ():
        try:
            value = item if body.message is None else _combined(body.message, item)
        except InvalidRequest as error:
            yield error
            continue
        try:
            yield _asked(value, trace)
        except InvalidRequest as error:
            yield await _look_on(call.gateway, call.caller, value, error)


def _combined(shared: dict[str, JsonValue], item: JsonValue) -> JsonValue:
    """One person's message: the shared one, with the person's own values over its `data`."""
    own = validate(BatchRecipientShape, item)
    data = shared.get("data", {})
    merged = {**shared, "to": own.to, "data": {**data, **own.data} if isinstance(data, dict) else data}
    return merged if own.idempotency_key is None else {**merged, "idempotency_key": own.idempotency_key}


def _asked(item: JsonValue, trace: str | None) -> Asked:
    shape = validate(BatchItemShape, item)
    if shape.idempotency_key is None or not isinstance(item, dict):
        return Asked(request=shape.to_domain(trace))
    body = {name: value for name, value in item.items() if name != "idempotency_key"}
    key = IdempotencyKey(key=shape.idempotency_key, fingerprint=fingerprint(canonical(body)))
    return Asked(request=shape.to_domain(trace), key=key)


ENDPOINTS: Final = (send_batch,)
